"""Draws trajectories into frames: masks, boxes, ids, classes, scores and trails.

Colours go by track id, so that an id switch is seen as a change of colour. Everything is drawn
inside its own extent, and labels are written once and then copied: the picture is that which
supervision's annotators draw over whole frames, to the byte.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from segtrack.base.names import shown
from segtrack.report import Label, font, place_labels
from segtrack.tracker import TrackRows

SMALL = 480  # a narrower video is drawn at twice its size: 12 px letters cover too much of it
TEXT_SHARE = 50  # letters are this part of the shorter side high, but 12 px at least
FILL = 0.4  # opacity of a mask
LABELS = 1024  # written labels that are kept for the next frames
# 19 colours that differ from their neighbours in hue and lightness (Tableau 20 without its greys,
# and Okabe and Ito's yellow), strong ones first; ids take them in turn.
PALETTE = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#e377c2", "#d62728", "#17becf", "#f0e442"),
    *("#9467bd", "#98df8a", "#ff9896", "#8c564b", "#aec7e8", "#bcbd22", "#c5b0d5"),
    *("#ffbb78", "#9edae5", "#c49c94", "#f7b6d2", "#dbdb8d"),
)

Colour = tuple[int, int, int]


class Painter:
    """Draws one video's frames in order; it remembers the paths."""

    def __init__(self, width: int, height: int, names: tuple[str, ...], trail: int) -> None:
        self.height, self.names, self.trail = height, names, trail
        self.scale = 2 if width < SMALL else 1
        self.size = width * self.scale, height * self.scale
        shorter = min(self.size)
        self.line = max(1, round(shorter / 400))
        self.corner = max(5, shorter // 45)
        text_px = max(12, round(shorter / TEXT_SHARE))
        self.letters = _Letters(text_px, max(2, text_px // 5))
        self.number = -1
        self._held: deque[int] = deque()  # numbers of the frames that the paths go through
        self._paths: dict[int, _Path] = {}
        # What objects are tinted in: memory that is new to a process takes longer than the tint.
        self._tint = np.empty((self.size[1], self.size[0], 3), np.uint8)

    def paint(self, image: np.ndarray, rows: TrackRows | None) -> np.ndarray:
        """The frame with its objects, at the size of the output; BGR uint8, as ``image`` is."""
        if self.scale > 1:
            canvas = np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_CUBIC))
        else:
            canvas = np.ascontiguousarray(image).copy()
        self.number += 1
        if rows is None:
            return canvas
        limits = np.array([*self.size, *self.size], np.float32) - 1
        boxes = np.clip(rows.bbox_xyxy * np.float32(self.scale), 0, limits)
        ids = rows.track_id.tolist()
        self._draw_masks(canvas, rows)
        if self.trail:
            self._draw_trails(canvas, ids, boxes)
        self._draw_corners(canvas, ids, boxes)
        self._draw_labels(canvas, rows, boxes)
        return canvas

    def _draw_masks(self, canvas: np.ndarray, rows: TrackRows) -> None:
        """Large objects first, each inside its own extent."""
        found = [(i, rows.mask(i, self.height)) for i in range(len(rows))]
        masks = [(i, mask) for i, mask in found if mask is not None]
        for i, (mask, x, y) in sorted(masks, key=lambda item: -item[1][0].size):
            inside = mask.view(np.uint8)
            if self.scale > 1:
                size = inside.shape[1] * self.scale, inside.shape[0] * self.scale
                inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST))
            height, width = inside.shape
            x, y = x * self.scale, y * self.scale
            part = canvas[y : y + height, x : x + width]
            colour = _COLOURS[int(rows.track_id[i]) % len(PALETTE)]
            tint = self._tint[:height, :width]
            cv2.rectangle(tint, (0, 0), (width, height), colour, -1)
            cv2.copyTo(cv2.addWeighted(tint, FILL, part, 1 - FILL, 0, tint), inside, part)
            outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
            lines = [outline for outline in outlines if len(outline) >= 3]
            cv2.polylines(part, lines, True, colour, self.line)

    def _draw_trails(self, canvas: np.ndarray, ids: list[int], boxes: np.ndarray) -> None:
        """Where the feet of the boxes were; a frame without objects has no part in it."""
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1).astype(np.int32)
        for track, foot in zip(ids, feet, strict=True):
            if track not in self._paths:
                self._paths[track] = _Path(self.trail)
            self._paths[track].add(self.number, foot)
        self._held.append(self.number)
        if len(self._held) > self.trail:
            first = self.number - self.trail + 1
            while self._held[0] < first:
                self._held.popleft()
            for path in self._paths.values():
                path.forget(first)
            self._paths = {track: path for track, path in self._paths.items() if path.numbers}
        for track in ids:
            line = self._paths[track].line()
            if len(line) > 1:
                colour = _COLOURS[track % len(PALETTE)]
                cv2.polylines(canvas, [line], False, colour, self.line + 1)

    def _draw_corners(self, canvas: np.ndarray, ids: list[int], boxes: np.ndarray) -> None:
        """Two short lines at each corner of the boxes, inwards."""
        whole = boxes.astype(np.int32)
        x, y = whole[:, [0, 2, 0, 2]], whole[:, [1, 1, 3, 3]]
        lines = np.empty((len(ids), 4, 2, 2, 2), np.int32)  # box, corner, line, end, (x, y)
        lines[..., 0], lines[..., 1] = x[..., None, None], y[..., None, None]
        lines[:, :, 0, 1, 0] += np.where(x == whole[:, :1], self.corner, -self.corner)
        lines[:, :, 1, 1, 1] += np.where(y == whole[:, 1:2], self.corner, -self.corner)
        for track, of_box in zip(ids, lines.reshape(-1, 8, 2, 2), strict=True):
            colour = _COLOURS[track % len(PALETTE)]
            cv2.polylines(canvas, list(of_box), False, colour, self.line + 1)

    def _draw_labels(self, canvas: np.ndarray, rows: TrackRows, boxes: np.ndarray) -> None:
        ids = rows.track_id.tolist()
        wishes = [
            (f"#{i} {shown(self.names[c], 30)} {s:.2f}", f"#{i}")
            for i, c, s in zip(ids, rows.class_id.tolist(), rows.score.tolist(), strict=True)
        ]
        for label in place_labels(boxes, wishes, self.letters.size, self.size):
            self.letters.write(canvas, label, ids[label.row] % len(PALETTE))


class _Path:
    """Where one object was in the last frames."""

    def __init__(self, most: int) -> None:
        """Room for ``most`` frames and as many again, so that it is seldom moved."""
        self.numbers: deque[int] = deque()  # of the frames
        self._points, self._end = np.empty((2 * most + 2, 2), np.int32), 0

    def add(self, number: int, point: np.ndarray) -> None:
        """The place, px, in the next frame."""
        if self._end == len(self._points):
            kept = self.line().copy()
            self._points[: len(kept)], self._end = kept, len(kept)
        self._points[self._end] = point
        self._end += 1
        self.numbers.append(number)

    def forget(self, first: int) -> None:
        """What was before frame ``first``."""
        while self.numbers and self.numbers[0] < first:
            self.numbers.popleft()

    def line(self) -> np.ndarray:
        """The places, int32 (N, 2)."""
        return self._points[self._end - len(self.numbers) : self._end]


class _Letters:
    """Text on a filled rectangle; what was written once is copied."""

    def __init__(self, text_px: int, padding: int) -> None:
        self._font: Any = font(text_px)
        self._padding = padding
        left, top, _, _ = self._font.getbbox("Tg")
        self._start = padding - left, padding - top  # of the letters in their rectangle
        self._extent = lru_cache(LABELS)(self._font.getbbox)
        self._picture = lru_cache(LABELS)(self._drawn)

    def size(self, text: str) -> tuple[int, int]:
        """Width and height of a label, px."""
        left, top, right, bottom = self._extent(text)
        return int(right - left + 2 * self._padding), int(bottom - top + 2 * self._padding)

    def write(self, canvas: np.ndarray, label: Label, colour: int) -> None:
        """Draw a label in a colour of the palette; its rectangle is a pixel wider and higher."""
        picture = self._picture(label.text, colour)
        if picture is not None:
            rows, columns = picture.shape[:2]
            view = canvas[label.y : label.y + rows, label.x : label.x + columns]
            view[:] = picture[: view.shape[0], : view.shape[1]]
            return
        room = label.height  # the letters reach over their rectangle: beside it they are mixed in
        x, y = max(label.x - room, 0), max(label.y - room, 0)
        view = canvas[y : label.y + label.height + room, x : label.x + label.width + room]
        view[:] = self._on(view, label.text, colour, label.x - x, label.y - y)

    def _drawn(self, text: str, colour: int) -> np.ndarray | None:
        """The whole label; None where letters reach over its rectangle."""
        width, height = self.size(text)
        left, top, right, bottom = self._extent(text)
        x, y = self._start
        if left + x < 0 or top + y < 0 or right + x > width + 1 or bottom + y > height + 1:
            return None
        return self._on(np.zeros((height + 1, width + 1, 3), np.uint8), text, colour, 0, 0)

    def _on(self, image: np.ndarray, text: str, colour: int, x: int, y: int) -> np.ndarray:
        """A copy of a BGR image with a label whose rectangle begins at x, y."""
        from PIL import Image, ImageDraw

        width, height = self.size(text)
        picture = Image.fromarray(image)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((x, y, x + width, y + height), fill=_COLOURS[colour])
        ink = (0, 0, 0) if _light(PALETTE[colour]) else (255, 255, 255)
        draw.text((x + self._start[0], y + self._start[1]), text, ink, self._font)
        return np.asarray(picture)


def _bgr(value: str) -> Colour:
    return int(value[5:7], 16), int(value[3:5], 16), int(value[1:3], 16)


_COLOURS = tuple(map(_bgr, PALETTE))


def _light(value: str) -> bool:
    """Whether black is read more easily than white on a colour (Rec. 709 luma)."""
    blue, green, red = _bgr(value)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 125
