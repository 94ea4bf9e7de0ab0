"""One batch's detections and objects as flat arrays, and what matching makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.evaluation.assignment import MOST, Assigned, Cells, assign
from segtrack.evaluation.batches import ImageBatch, xywh

if TYPE_CHECKING:
    from segtrack.evaluation.matching import Kind

_AREAS_AT_ONCE = 200  # of more than 255 masks pycocotools' area overflows (numpy 2)


@dataclass(frozen=True)
class BatchLists:
    """D detections and G objects of N images, in the order of the images.

    Attributes:
        batch: what they are of.
        found_image, truth_image: int64 (D,), (G,), position of the image in the batch.
        found_key, truth_key: int64, class times N plus that position: which cell it is in.
        place: int64 (D,), among the detections of the image. column: int64 (G,), likewise.
        score: float32 (D,). masked: bool (D,), it has a mask.
        area: float64 (G,), px². crowd: bool (G,).
        begin: int64 (N + 1,), where the IoUs of each image begin in the flat list of all.
    """

    batch: ImageBatch
    found_image: np.ndarray
    truth_image: np.ndarray
    found_key: np.ndarray
    truth_key: np.ndarray
    place: np.ndarray
    column: np.ndarray
    score: np.ndarray
    masked: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    begin: np.ndarray

    @staticmethod
    def of(batch: ImageBatch) -> BatchLists:
        """The lists of a batch."""
        images = np.arange(len(batch.images))
        found = np.array([len(one) for one in batch.detections], np.int64)
        truth = np.array([len(one) for one in batch.truth_by_image], np.int64)
        rows = [row for rows in batch.truth_by_image for row in rows]
        class_id = np.array([row["category_id"] for row in rows], np.int64)
        found_class = [one.class_id for one in batch.detections]
        found_image, truth_image = np.repeat(images, found), np.repeat(images, truth)
        return BatchLists(
            batch,
            found_image,
            truth_image,
            np.concatenate([class_id[:0], *found_class]).astype(np.int64) * len(images)
            + found_image,
            class_id * len(images) + truth_image,
            _counted(found),
            _counted(truth),
            np.concatenate(
                [np.empty(0, np.float32), *(one.score for one in batch.detections)]
            ).astype(np.float32),
            np.array([rle is not None for one in batch.detections for rle in one.rle], bool),
            np.array([row["area"] for row in rows], np.float64),
            np.array([row["iscrowd"] for row in rows], bool),
            np.append(0, np.cumsum(found * truth)),
        )

    @cached_property
    def truth(self) -> list[dict[str, Any]]:
        """The annotations of the objects."""
        return [row for rows in self.batch.truth_by_image for row in rows]

    def overlaps(self, kind: Kind) -> np.ndarray:
        """IoUs of each image, one row after the other, float64."""
        each = self.batch.mask_iou if kind == "mask" else self.batch.box_iou
        return np.concatenate([np.empty(0), *(iou.reshape(-1) for iou in each)])

    def rows(self) -> np.ndarray:
        """Where the row of each detection begins among ``overlaps``, int64 (D,)."""
        width = np.bincount(self.truth_image, minlength=len(self.batch.images))
        return np.asarray(self.begin[self.found_image] + self.place * width[self.found_image])

    def matched(self, kind: Kind, key: np.ndarray) -> tuple[Cells, Assigned]:
        """What is in each cell, and what took what in it.

        Args:
            key: int64 (C,), of the cells, ascending.
        """
        there = np.flatnonzero(self.masked) if kind == "mask" else np.arange(len(self.score))
        found = there[np.argsort(self.found_key[there], kind="stable")]
        place = _counted(np.unique(self.found_key[found], return_counts=True)[1])
        found = found[place < MOST[-1]]
        objects = np.argsort(self.truth_key, kind="stable")
        cells = Cells(
            found,
            np.append(np.searchsorted(self.found_key[found], key), len(found)),
            objects,
            np.append(np.searchsorted(self.truth_key[objects], key), len(objects)),
        )
        area = self._mask_areas() if kind == "mask" else self._box_areas()
        assigned = assign(
            cells, self.overlaps(kind), self.rows(), self.column, (area, self.area), self.crowd
        )
        return cells, assigned

    def _mask_areas(self) -> np.ndarray:
        rles = [rle for rles in self.batch.rles for rle in rles]
        parts = [
            coco_mask.area(rles[i : i + _AREAS_AT_ONCE])
            for i in range(0, len(rles), _AREAS_AT_ONCE)
        ]
        return np.concatenate([np.empty(0), *parts]).astype(np.float64)

    def _box_areas(self) -> np.ndarray:
        boxes = np.concatenate([np.zeros((0, 4)), *map(xywh, self.batch.detections)])
        return np.asarray(boxes[:, 2] * boxes[:, 3])


def _counted(counts: np.ndarray) -> np.ndarray:
    """0, 1, ... within each of some lists of these lengths, int64."""
    starts = np.cumsum(counts) - counts
    return np.asarray(np.arange(counts.sum()) - np.repeat(starts, counts), np.int64)
