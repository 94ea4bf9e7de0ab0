"""The most suspect objects: what is labelled beside what is predicted, with the reason.

The object itself is drawn solid, its neighbours are dashed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from segtrack.base.names import level
from segtrack.dataset import Dataset, ImageRow, annotations_of, images_of, read_pixels
from segtrack.model import FrameDetections
from segtrack.report import BACKGROUND, caption, contact_sheet, overlay
from segtrack.settings import SuspectSettings

PANEL = 520  # px of a panel's longer side
AROUND = 1.5  # of the object's size that is shown on every side of it
LEAST = 0.3  # of the image's longer side that is shown at least
SURE = 0.25  # score from which predictions are drawn
_COLUMNS = 2


def draw(
    dataset: Dataset,
    rows: Sequence[dict[str, Any]],
    frames: Iterator[FrameDetections],
    settings: SuspectSettings,
    folder: Path,
) -> None:
    """Draw the objects of ``rows`` into ``folder``: a JPEG each, and ``sheet.jpg`` with all.

    Args:
        rows: of ``suspects.parquet``.
        frames: predictions in the order of the images.
    """
    wanted = {row["image_id"] for row in rows}
    found = {frame.frame: frame for frame in frames if frame.frame in wanted}
    labels: dict[int, list[dict[str, Any]]] = {one: [] for one in wanted}
    for annotation in annotations_of(dataset, settings.splits):
        if annotation["image_id"] in wanted:
            labels[annotation["image_id"]].append(annotation)
    every = images_of(dataset, settings.splits)
    images = {image.image_id: image for image in every if image.image_id in wanted}
    pictures = []
    for row in rows:
        one = row["image_id"]
        picture = _picture(row, images[one], labels[one], found.get(one), dataset.names)
        name = f"{row['rank']:03d}_{row['kind']}_{level(Path(row['file_name']).stem)}.jpg"
        _save(folder / name, picture)
        pictures.append(picture)
    if pictures:
        _save(folder / "sheet.jpg", contact_sheet(pictures, _COLUMNS, 2 * PANEL))


def _picture(
    row: dict[str, Any],
    image: ImageRow,
    labels: Sequence[dict[str, Any]],
    found: FrameDetections | None,
    names: Sequence[str],
) -> np.ndarray:
    pixels = read_pixels(image.path)
    if pixels is None:  # it cannot be read any more
        pixels = np.full((image.height, image.width, 3), 128, np.uint8)
    view = _View.around(row, image)
    font = max(11, PANEL // 40)
    left = view.panel(
        pixels,
        [_mask(one["segmentation"], image) for one in labels],
        [one["category_id"] for one in labels],
        [names[one["category_id"]] for one in labels],
        [one["id"] - 1 != row["annotation_id"] for one in labels],
    )
    masks: list[np.ndarray] = []
    classes: list[int] = []
    texts: list[str] = []
    dashed: list[bool] = []
    least = SURE if row["rle"] is None else min(SURE, row["predicted_score"])
    for i in range(0 if found is None else len(found)):
        assert found is not None
        rle, score = found.rle[i], float(found.score[i])
        if rle is None or score < least:
            continue
        masks.append(coco_mask.decode({"size": [image.height, image.width], "counts": rle}))
        classes.append(int(found.class_id[i]))
        texts.append(f"{names[classes[-1]]} {score:.2f}")
        dashed.append(row["rle"] is not None and rle != row["rle"])
    right = view.panel(pixels, masks, classes, texts, dashed)
    gap = np.full((left.shape[0], 6, 3), BACKGROUND, np.uint8)
    panels = [(left, "labels"), (gap, ""), (right, "predictions")]
    both = np.hstack([caption(panel, text, font) for panel, text in panels])
    head = f"{row['rank']}. {row['kind'].replace('_', ' ')} {row['suspicion']:.2f}"
    return caption(caption(both, row["reason"], font), f"{head}: {row['file_name']}", font)


@dataclass(frozen=True)
class _View:
    """What is shown of an image: x1, y1, x2, y2 in px, and the panel's width and height."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]

    @staticmethod
    def around(row: dict[str, Any], image: ImageRow) -> _View:
        """The object in its surroundings, a square where the image has the room."""
        ends = []
        longer = max(row["x2"] - row["x1"], row["y2"] - row["y1"])
        half = max((0.5 + AROUND) * longer, LEAST * max(image.width, image.height)) / 2
        for low, high, most in (
            (row["x1"], row["x2"], image.width),
            (row["y1"], row["y2"], image.height),
        ):
            reach = min(half, most / 2)
            middle = min(max((low + high) / 2, reach), most - reach)
            start = min(int(middle - reach), most - 1)
            ends.append((start, max(start + 1, min(most, round(middle + reach)))))
        (x1, x2), (y1, y2) = ends
        scale = PANEL / max(x2 - x1, y2 - y1)
        size = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
        return _View((x1, y1, x2, y2), size)

    def panel(
        self,
        pixels: np.ndarray,
        masks: Sequence[np.ndarray],
        class_ids: Sequence[int],
        labels: Sequence[str],
        dashed: Sequence[bool],
    ) -> np.ndarray:
        """The part of the image with masks uint8 (H, W) of the whole of it."""
        cuts = [coco_mask.encode(np.asfortranarray(self._cut(m, cv2.INTER_NEAREST))) for m in masks]
        larger = self.size[0] > self.box[2] - self.box[0]
        background = self._cut(pixels, cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
        return overlay(background, cuts, class_ids, labels, dashed)

    def _cut(self, pixels: np.ndarray, how: int) -> np.ndarray:
        x1, y1, x2, y2 = self.box
        return np.asarray(cv2.resize(pixels[y1:y2, x1:x2], self.size, interpolation=how))


def _mask(segmentation: Any, image: ImageRow) -> np.ndarray:
    if isinstance(segmentation, list):
        rles = coco_mask.frPyObjects(segmentation, image.height, image.width)
        segmentation = coco_mask.merge(rles)
    return np.asarray(coco_mask.decode(segmentation))


def _save(path: Path, picture: np.ndarray) -> None:
    """JPEG, since photographs as PNG would make tens of megabytes of every run."""
    cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tofile(path)
