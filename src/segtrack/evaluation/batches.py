"""Images with their ground truth and their detections, some at a time.

Images, ground truth and predictions all come in ascending order of the images, so one pass over the
three is enough, and only one batch's labels and masks are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError
from segtrack.model import FrameDetections

BATCH = 200  # images whose masks are in memory together


@dataclass(frozen=True)
class ImageBatch:
    """Images with their ground truth and detections.

    Attributes:
        images: COCO's image dicts, ascending ``id``.
        truth: annotation dicts of these images, copies, in the order of the images, with
            ``segmentation`` as COCO RLE and the data set's own id as ``annotation_id``.
        detections: one per image, best score first.
    """

    images: list[dict[str, Any]]
    truth: list[dict[str, Any]]
    detections: list[FrameDetections]

    @cached_property
    def truth_by_image(self) -> list[list[dict[str, Any]]]:
        """The ground truth of each image."""
        found: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in self.images}
        for one in self.truth:
            found[one["image_id"]].append(one)
        return list(found.values())

    @cached_property
    def rles(self) -> list[list[dict[str, Any]]]:
        """Of each image the masks of its detections; see ``detection_rles``."""
        return [
            detection_rles(image, found)
            for image, found in zip(self.images, self.detections, strict=True)
        ]

    @cached_property
    def mask_iou(self) -> list[np.ndarray]:
        """Of each image float64 (D, G), IoU of masks; with a crowd the share that lies in it."""
        return [
            _iou(rles, [one["segmentation"] for one in truth], truth)
            for rles, truth in zip(self.rles, self.truth_by_image, strict=True)
        ]

    @cached_property
    def box_iou(self) -> list[np.ndarray]:
        """The same of boxes."""
        return [
            _iou(xywh(found), np.array([one["bbox"] for one in truth], np.float64), truth)
            for found, truth in zip(self.detections, self.truth_by_image, strict=True)
        ]


def image_batches(
    images: Iterable[dict[str, Any]],
    annotations: Iterable[dict[str, Any]],
    frames: Iterable[FrameDetections],
    conf_floor: float,
    max_det: int,
    size: int = BATCH,
) -> Iterator[ImageBatch]:
    """Pair each image of a COCO data set with its annotations and detections, as a stream.

    Args:
        images: COCO's image dicts, ascending ``id``.
        annotations: COCO's annotation dicts in the order of the images.
        frames: detections by image id, ascending; images without any may be left out.
        conf_floor: detections below are left out.
        max_det: of each image so many are kept, the best.
        size: images per batch.

    Raises:
        DataError: detections of an image that the data set does not hold.
    """
    rows, found = iter(annotations), iter(frames)
    row, ahead = next(rows, None), next(found, None)
    every = iter(images)
    while chosen := list(islice(every, size)):
        truth, detections = [], []
        for image in chosen:
            if ahead is not None and ahead.frame == image["id"]:
                detections.append(_best(ahead, conf_floor, max_det))
                ahead = next(found, None)
            else:
                detections.append(_nothing(image["id"]))
            while row is not None and row["image_id"] <= image["id"]:
                if row["image_id"] == image["id"]:
                    # Ids of COCO count from 1, those of the data set's tables from 0.
                    truth.append(_with_rle(row | {"annotation_id": row["id"] - 1}, image))
                row = next(rows, None)
        yield ImageBatch(chosen, truth, detections)
    if ahead is not None:
        raise unknown_image(ahead.frame)


def unknown_image(number: int) -> DataError:
    """What is said of predictions for an image that is not there."""
    return DataError(
        f"image {number} has predictions, but the data set has no image of that number "
        f"in this split; predict again on this data set"
    )


def detection_rles(image: dict[str, Any], detections: FrameDetections) -> list[dict[str, Any]]:
    """COCO RLE dicts of an image's detections; one without a mask gets an empty mask."""
    size = [image["height"], image["width"]]
    return [
        {"size": size, "counts": counts or _empty(image["height"], image["width"])["counts"]}
        for counts in detections.rle
    ]


def xywh(detections: FrameDetections) -> np.ndarray:
    """Boxes as COCO has them: left, top, width, height, float64 (N, 4)."""
    box = detections.bbox_xyxy.astype(np.float64)
    box[:, 2:] -= box[:, :2]
    return box


def _iou(found: Any, objects: Any, truth: list[dict[str, Any]]) -> np.ndarray:
    if not len(found) or not len(objects):
        return np.zeros((len(found), len(objects)))
    return np.asarray(coco_mask.iou(found, objects, [one["iscrowd"] for one in truth]))


def _with_rle(annotation: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    segmentation = annotation.get("segmentation") or []
    size = image["height"], image["width"]
    if isinstance(segmentation, list):
        rles = coco_mask.frPyObjects(segmentation, *size) if segmentation else []
        # A single one would come out of the merging as it went in.
        segmentation = coco_mask.merge(rles) if len(rles) > 1 else rles[0] if rles else None
        segmentation = segmentation or _empty(*size)
    elif isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, *size)
    crowd = int(annotation.get("iscrowd") or 0)
    return {**annotation, "segmentation": segmentation, "iscrowd": crowd}


def _empty(height: int, width: int) -> dict[str, Any]:
    return dict(coco_mask.encode(np.zeros((height, width), np.uint8, order="F")))


def _best(frame: FrameDetections, conf_floor: float, max_det: int) -> FrameDetections:
    kept = np.flatnonzero(frame.score >= conf_floor)
    return frame.take(kept[np.argsort(-frame.score[kept], kind="stable")][:max_det])


def _nothing(image_id: int) -> FrameDetections:
    return FrameDetections(
        image_id,
        np.zeros(0, np.int16),
        np.zeros(0, np.float32),
        np.zeros((0, 4), np.float32),
        [],
    )
