"""Data sets and predictions of rectangles, small enough to be scored by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.evaluation.batches import BATCH, ImageBatch, image_batches
from segtrack.model.predictions import (
    FrameDetections,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)

SIZE = 100  # pixels of the square images


@dataclass(frozen=True)
class Image:
    """What evaluation reads of ``segtrack.dataset.ImageRow``."""

    image_id: int
    file_name: str
    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class HandMade:
    """What evaluation reads of ``segtrack.dataset.Dataset``."""

    names: tuple[str, ...]
    rows: list[Image]
    annotations: list[dict[str, Any]]
    visible_estimated: bool = False

    def coco(self, split: str) -> dict[str, Any]:
        images = list(self.coco_images(split))
        categories = [{"id": i, "name": name} for i, name in enumerate(self.names)]
        return {"images": images, "annotations": self.annotations, "categories": categories}

    def coco_images(
        self, split: str, images: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        for r in self.rows:
            if images is None or r.image_id in images:
                yield {
                    **{"id": r.image_id, "file_name": r.file_name},
                    **{"width": r.width, "height": r.height},
                }

    @property
    def counts(self) -> dict[str, int]:
        return dict.fromkeys(("train", "val", "test"), len(self.rows))

    def iter_annotations(
        self, split: str, images: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        rows = sorted(self.annotations, key=lambda one: int(one["image_id"]))
        return (row for row in rows if images is None or row["image_id"] in images)

    def split_fingerprint(self, split: str) -> str:
        content = [self.names, sorted(row.file_name for row in self.rows), repr(self.annotations)]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def iter_images(self, split: str) -> Iterator[Image]:
        return iter(self.rows)


@dataclass(frozen=True)
class Detection:
    """A rectangular detection: image, class, score, box x, y, w, h."""

    image: int
    class_id: int
    score: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Object:
    """A rectangular object: image, class, box x, y, w, h."""

    image: int
    class_id: int
    box: tuple[int, int, int, int]
    visible: float | None = None
    crowd: bool = False


def rectangle_rle(box: Sequence[int], size: int = SIZE) -> dict[str, Any]:
    """COCO RLE of a rectangle of whole pixels."""
    x, y, w, h = box
    mask = np.zeros((size, size), np.uint8, order="F")
    mask[y : y + h, x : x + w] = 1
    return coco_mask.encode(mask)


def hand_made(
    names: Sequence[str], images: int, objects: Sequence[Object], size: int = SIZE
) -> HandMade:
    """A data set of square images with rectangular objects; image ids count from 0."""
    annotations = [
        {
            "id": i + 1,
            "image_id": o.image,
            "category_id": o.class_id,
            "bbox": [float(v) for v in o.box],
            "area": float(o.box[2] * o.box[3]),
            "iscrowd": int(o.crowd),
            "segmentation": rectangle_rle(o.box, size),
            "visible_fraction": o.visible,
        }
        for i, o in enumerate(objects)
    ]
    rows = [Image(i, f"image {i}.png", Path(f"none/{i}.png"), size, size) for i in range(images)]
    return HandMade(tuple(names), rows, annotations)


def write_predictions(
    folder: Path, names: Sequence[str], images: int, found: Sequence[Detection], size: int = SIZE
) -> Predictions:
    """A predictions folder with rectangular masks."""
    folder.mkdir(parents=True, exist_ok=True)
    with PredictionsWriter(folder) as writer:
        for image in range(images):
            here = [f for f in found if f.image == image]
            boxes = np.array([f.box for f in here], np.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            writer.add(
                FrameDetections(
                    image,
                    np.array([f.class_id for f in here], np.int16),
                    np.array([f.score for f in here], np.float32),
                    boxes,
                    [rectangle_rle(f.box, size)["counts"] for f in here],
                )
            )
        writer.finish(PredictionsInfo(tuple(names), images, conf_floor=0.001))
    return Predictions.load(folder)


def batches(
    dataset: HandMade, predictions: Predictions, floor: float = 0.001, size: int = BATCH
) -> Iterator[ImageBatch]:
    """All images with what was found of them."""
    images, annotations = dataset.coco_images("val"), dataset.iter_annotations("val")
    return image_batches(images, annotations, predictions.frames(), floor, 300, size)


def random_scene(seed: int, names: Sequence[str], images: int) -> tuple[HandMade, list[Detection]]:
    """Objects, some of them crowds or little visible, and detections of every kind of error."""
    rng = np.random.default_rng(seed)
    objects: list[Object] = []
    found: list[Detection] = []

    def rectangle() -> tuple[int, int, int, int]:
        w, h = rng.integers(5, 40, 2)
        return int(rng.integers(0, SIZE - w)), int(rng.integers(0, SIZE - h)), int(w), int(h)

    for image in range(images):
        for _ in range(int(rng.integers(0, 8))):
            box, class_id = rectangle(), int(rng.integers(len(names)))
            visible = float(rng.uniform()) if rng.uniform() < 0.8 else None
            objects.append(Object(image, class_id, box, visible, crowd=rng.uniform() < 0.1))
            for _ in range(int(rng.integers(0, 3))):
                x, y = (int(v + d) for v, d in zip(box[:2], rng.integers(-4, 5, 2), strict=True))
                near = max(0, min(x, SIZE - box[2])), max(0, min(y, SIZE - box[3])), *box[2:]
                wrong = rng.uniform() < 0.2
                other = int(rng.integers(len(names))) if wrong else class_id
                found.append(Detection(image, other, round(float(rng.uniform(0.01, 1)), 2), near))
        for _ in range(int(rng.integers(0, 3))):
            chance = int(rng.integers(len(names)))
            found.append(Detection(image, chance, float(rng.uniform(0.01, 0.6)), rectangle()))
    return hand_made(names, images, objects), found
