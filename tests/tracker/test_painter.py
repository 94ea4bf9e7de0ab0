"""Drawing: the same picture as a plain one's, to the byte, and what threads do beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import pytest
import supervision as sv

from segtrack.base.names import shown
from segtrack.base.rle import encode_box
from segtrack.report import Label, font, place_labels
from segtrack.tracker import TrackRows, painter

NAMES = ("person", "voiture à cheval", "\u00c5\u030a\u0308 bus {gj|", "truck")
FONT = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


class Reference:
    """The same picture by supervision's annotators, which draw over whole frames."""

    def __init__(self, width: int, height: int, names: tuple[str, ...], trail: int) -> None:
        self.height, self.names = height, names
        self.scale = 2 if width < painter.SMALL else 1
        self.size = width * self.scale, height * self.scale
        shorter = min(self.size)
        line = max(1, round(shorter / 400))
        self.text_px = max(12, round(shorter / painter.TEXT_SHARE))
        self.padding = max(2, self.text_px // 5)
        palette = sv.ColorPalette.from_hex(list(painter.PALETTE))
        colours: dict[str, Any] = {"color": palette, "color_lookup": sv.ColorLookup.TRACK}
        self.mask = sv.MaskAnnotator(opacity=painter.FILL, **colours)
        self.contour = sv.PolygonAnnotator(thickness=line, **colours)
        self.box = sv.BoxCornerAnnotator(
            thickness=line + 1, corner_length=max(5, shorter // 45), **colours
        )
        self.trace = sv.TraceAnnotator(
            position=sv.Position.BOTTOM_CENTER, trace_length=trail, thickness=line + 1, **colours
        )
        self.trail = trail
        ink = [
            sv.Color.BLACK if painter._light(value) else sv.Color.WHITE for value in painter.PALETTE
        ]
        self.label = sv.RichLabelAnnotator(
            text_color=sv.ColorPalette(ink),
            font_path=FONT,
            font_size=self.text_px,
            text_padding=self.padding,
            text_position=sv.Position.TOP_LEFT,
            **colours,
        )

    def paint(self, image: np.ndarray, rows: TrackRows | None) -> np.ndarray:
        """The frame with its objects, at the size of the output."""
        import cv2

        if self.scale > 1:
            canvas = cv2.resize(image, self.size, interpolation=cv2.INTER_CUBIC)
        else:
            canvas = np.ascontiguousarray(image).copy()
        if rows is None:
            self._draw_trails(canvas, sv.Detections.empty())
            return np.asarray(canvas)
        found = sv.Detections(
            xyxy=self._boxes(rows), tracker_id=rows.track_id, class_id=rows.class_id.astype(int)
        )
        self._draw_masks(canvas, rows)
        self._draw_trails(canvas, found)
        self.box.annotate(canvas, found)
        return self._draw_labels(canvas, rows, found)

    def _boxes(self, rows: TrackRows) -> np.ndarray:
        limits = np.array([*self.size, *self.size], np.float32) - 1
        return np.clip(rows.bbox_xyxy * np.float32(self.scale), 0, limits)

    def _draw_masks(self, canvas: np.ndarray, rows: TrackRows) -> None:
        """Large objects first, each inside its own extent: whole-frame masks cost far more."""
        found = [(i, rows.mask(i, self.height)) for i in range(len(rows))]
        masks = [(i, mask) for i, mask in found if mask is not None]
        for i, (mask, x, y) in sorted(masks, key=lambda item: -item[1][0].size):
            mask = mask.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
            height, width = mask.shape
            x, y = x * self.scale, y * self.scale
            part = canvas[y : y + height, x : x + width]
            one = sv.Detections(
                xyxy=np.array([[0, 0, width - 1, height - 1]], np.float32),
                mask=np.ascontiguousarray(mask)[None],
                tracker_id=rows.track_id[i : i + 1],
            )
            self.mask.annotate(part, one)
            self.contour.annotate(part, one)

    def _draw_trails(self, canvas: np.ndarray, found: Any) -> None:
        if self.trail:
            self.trace.annotate(canvas, found)

    def _draw_labels(self, canvas: np.ndarray, rows: TrackRows, found: Any) -> np.ndarray:
        wishes = [
            (f"#{i} {shown(self.names[c], 30)} {s:.2f}", f"#{i}")
            for i, c, s in zip(
                rows.track_id.tolist(), rows.class_id.tolist(), rows.score.tolist(), strict=True
            )
        ]
        labels: list[Label] = place_labels(found.xyxy, wishes, self._text_size, self.size)
        # The annotator puts a label's lower left corner at the upper left corner of its box.
        corner = np.array([(label.x, label.y + label.height) for label in labels], np.float32)
        order = [label.row for label in labels]
        at = sv.Detections(
            xyxy=np.concatenate([corner, corner + 1], axis=1), tracker_id=rows.track_id[order]
        )
        return np.asarray(self.label.annotate(canvas, at, [label.text for label in labels]))

    def _text_size(self, text: str) -> tuple[int, int]:
        left, top, right, bottom = font(self.text_px).getbbox(text)
        return int(right - left + 2 * self.padding), int(bottom - top + 2 * self.padding)


def scene(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Any]:
    """Images with objects that come, go, overlap, leave the picture and have any shape or none."""
    for frame in range(frames):
        image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 2)) if frame % 2 else image
        count = int(rng.integers(0, 12))
        if not count:
            yield image, None
            continue
        ids = np.sort(rng.choice(np.arange(1, 45), count, replace=False))
        corner = rng.uniform(-30, [width, height], (count, 2))
        size = rng.uniform(1, [width / 2, height / 2], (count, 2))
        box = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
        rle = [mask(rng, one, width, height) for one in box]
        kind = rng.integers(0, len(NAMES), count).astype(np.int16)
        score = rng.random(count).astype(np.float32)
        rows = TrackRows(frame, ids, kind, score, box, rle, np.zeros(count, bool), box)
        yield image, rows


def mask(rng: np.random.Generator, box: np.ndarray, width: int, height: int) -> bytes | None:
    """Blobs with holes and specks somewhere near a box."""
    x1, y1, x2, y2 = np.clip(box, 0, [width, height, width, height]).astype(int)
    if x2 <= x1 or y2 <= y1 or rng.random() < 0.15:
        return None
    noise = rng.random((y2 - y1, x2 - x1)).astype(np.float32)
    inside = np.asarray(cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.1, 4)))) > 0.45
    return encode_box(inside, height, width, (int(x1), int(y1)))


@pytest.mark.parametrize(
    ("width", "height", "trail"),
    [(640, 360, 30), (320, 240, 3), (479, 201, 1), (1281, 723, 5), (64, 48, 0), (500, 30, 2)],
)
def test_the_picture_is_the_plain_one(width: int, height: int, trail: int) -> None:
    rng = np.random.default_rng(width)
    fast = painter.Painter(width, height, NAMES, trail)
    plain = Reference(width, height, NAMES, trail)
    drawn = 0
    for image, rows in scene(rng, width, height, 25):
        before = image.copy()
        picture = fast.paint(image, rows)
        assert np.array_equal(picture, plain.paint(image, rows))
        assert np.array_equal(image, before)
        drawn += 0 if rows is None else len(rows)
    assert drawn > 60


def test_letters_that_reach_over_their_rectangle() -> None:
    """The accents of the third class: such a label is not copied, and one without is."""
    letters = painter.Painter(640, 360, NAMES, 0).letters
    assert letters._drawn(f"#1 {NAMES[2]} 0.50", 0) is None
    written = letters._drawn("#1 person 0.50", 0)
    assert written is not None
    width, height = letters.size("#1 person 0.50")
    assert written.shape == (height + 1, width + 1, 3)
