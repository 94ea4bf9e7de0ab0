"""The most suspect images on their way to people: their labels as they are, and why to look.

Labels travel as predictions do; their score says how little suspect they are, so that the
platform's filter by confidence shows the suspect ones first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from segtrack.annotation import RECHECKED, labels_by_image
from segtrack.curation.suspects import read_suspects, read_worst
from segtrack.dataset import Dataset, ImageRow, annotations_of, images_of, outlines
from segtrack.model import FrameDetections, Predictions, PredictionsInfo, PredictionsWriter

LONGEST = 400  # characters of a remark


@dataclass(frozen=True)
class Why:
    """A reason to look at an image.

    Attributes:
        row: of ``suspects.parquet``. text: for people.
        position: of the label among those of its image, None where nothing is labelled.
        outline: float64 (n, 2), px x and y, of where to look.
    """

    image: ImageRow
    row: dict[str, Any]
    text: str
    position: int | None
    outline: NDArray[np.float64]


@dataclass(frozen=True)
class Recheck:
    """What is to be looked at again.

    Attributes:
        images: in the order of their ids.
        reasons: the most urgent first; every image has one.
        kept_back: images of the test split that would have been among them.
    """

    images: list[ImageRow]
    reasons: list[Why]
    kept_back: int


def to_recheck(dataset: Dataset, folder: Path, count: int, least: float) -> Recheck:
    """The ``count`` most suspect images with labels, without those of the test split.

    Args:
        folder: of the stage's result.
        least: suspicion of an object from which it is named; the worst of an image always is.
    """
    ranked = [row for row in read_worst(folder) if row["kind"] is not None]
    chosen = [row["image_id"] for row in ranked if row["split"] in RECHECKED][:count]
    last = max((row["rank"] for row in ranked if row["image_id"] in chosen[-1:]), default=0)
    kept_back = sum(row["split"] not in RECHECKED and row["rank"] < last for row in ranked)
    wanted = set(chosen)
    images = {row.image_id: row for row in images_of(dataset, RECHECKED) if row.image_id in wanted}
    position = {
        label["id"] - 1: i
        for labels in labels_by_image(dataset, wanted).values()
        for i, label in enumerate(labels)
    }
    reasons: list[Why] = []
    named: set[int] = set()
    for row in read_suspects(folder):
        one = row["image_id"]
        if one in wanted and (row["suspicion"] >= least or one not in named):
            named.add(one)
            at = position.get(row["annotation_id"])
            reasons.append(Why(images[one], row, _text(row), at, _outline(row, images[one])))
    return Recheck([images[one] for one in sorted(images)], reasons, kept_back)


def write_labels(
    dataset: Dataset, recheck: Recheck, folder: Path, suspects: Path, floor: float
) -> Predictions:
    """The images' labels as predictions, in ``folder``, which is there.

    Args:
        suspects: folder of the stage's result.
        floor: score of the most suspect label; 1 is that of one that is not suspect at all.
    """
    suspicion = {
        row["annotation_id"]: row["suspicion"]
        for row in read_suspects(suspects)
        if row["annotation_id"] is not None
    }
    images = {row.image_id: row for row in recheck.images}
    with PredictionsWriter(folder) as writer:
        for image, labels in _by_image(dataset, images):
            rle: list[bytes | None] = [_counts(label["segmentation"], image) for label in labels]
            doubt = np.array([suspicion.get(label["id"] - 1, 0.0) for label in labels])
            box = np.array([label["bbox"] for label in labels], np.float32).reshape(-1, 4)
            box[:, 2:] += box[:, :2]
            classes = np.array([label["category_id"] for label in labels], np.int16)
            score = (floor + (1 - floor) * (1 - doubt)).astype(np.float32)
            writer.add(FrameDetections(image.image_id, classes, score, box, rle))
        writer.finish(PredictionsInfo(dataset.names, len(images), conf_floor=floor))
    return Predictions.load(folder)


def _by_image(
    dataset: Dataset, images: dict[int, ImageRow]
) -> Iterator[tuple[ImageRow, list[dict[str, Any]]]]:
    labels: dict[int, list[dict[str, Any]]] = {one: [] for one in images}
    for label in annotations_of(dataset, RECHECKED):
        if label["image_id"] in images and not label["iscrowd"]:
            labels[label["image_id"]].append(label)
    for one in sorted(images):
        yield images[one], labels[one]


def _counts(segmentation: Any, image: ImageRow) -> bytes:
    if isinstance(segmentation, list):
        rings = coco_mask.frPyObjects(segmentation, image.height, image.width)
        return bytes(coco_mask.merge(rings)["counts"])
    return bytes(segmentation["counts"].encode())


def _text(row: dict[str, Any]) -> str:
    return f"{row['kind'].replace('_', ' ')} ({row['suspicion']:.2f}): {row['reason']}"[:LONGEST]


def _outline(row: dict[str, Any], image: ImageRow) -> NDArray[np.float64]:
    """Of what was overlooked its outline, of a label its box."""
    x1, y1, x2, y2 = (row[name] for name in ("x1", "y1", "x2", "y2"))
    box = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)
    if row["rle"] is None:
        return box
    rings: Sequence[NDArray[np.float64]] = outlines(
        {"size": [image.height, image.width], "counts": row["rle"]}
    )
    return max(rings, key=len) if rings else box
