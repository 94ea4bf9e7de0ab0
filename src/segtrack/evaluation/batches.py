"""Images with their ground truth and their detections, some at a time.

Ground truth and predictions both come in ascending order of the images, so one pass over both is
enough, and only one batch's masks are decoded at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
        truth: annotation dicts of these images, copies, with ``segmentation`` as COCO RLE and an
            ``id`` that counts from 1 over the whole split (0 means "unmatched" to pycocotools) and
            the data set's own as ``annotation_id``.
        detections: one per image, best score first.
    """

    images: list[dict[str, Any]]
    truth: list[dict[str, Any]]
    detections: list[FrameDetections]


def image_batches(
    coco: dict[str, Any],
    frames: Iterable[FrameDetections],
    conf_floor: float,
    max_det: int,
    size: int = BATCH,
) -> Iterator[ImageBatch]:
    """Pair each image of a COCO data set with its detections, as a stream.

    Args:
        coco: ground truth (``images``, ``annotations``).
        frames: detections by image id, ascending; images without any may be left out.
        conf_floor: detections below are left out.
        max_det: of each image so many are kept, the best.
        size: images per batch.

    Raises:
        DataError: detections of an image that the data set does not hold.
    """
    images = sorted(coco["images"], key=lambda image: int(image["id"]))
    by_image: dict[int, list[dict[str, Any]]] = {}
    for number, annotation in enumerate(coco["annotations"], start=1):
        # Ids of COCO count from 1, those of the data set's tables from 0.
        ids = {"id": number, "annotation_id": annotation["id"] - 1}
        by_image.setdefault(annotation["image_id"], []).append(annotation | ids)
    stream = iter(frames)
    ahead = next(stream, None)
    for start in range(0, len(images), size):
        chosen = images[start : start + size]
        truth, detections = [], []
        for image in chosen:
            if ahead is not None and ahead.frame == image["id"]:
                detections.append(_best(ahead, conf_floor, max_det))
                ahead = next(stream, None)
            else:
                detections.append(_nothing(image["id"]))
            for annotation in by_image.pop(image["id"], []):
                truth.append(_with_rle(annotation, image))
        yield ImageBatch(chosen, truth, detections)
    if ahead is not None:
        raise DataError(
            f"image {ahead.frame} has predictions, but the data set has no image of that number "
            f"in this split; predict again on this data set"
        )


def detection_rles(image: dict[str, Any], detections: FrameDetections) -> list[dict[str, Any]]:
    """COCO RLE dicts of an image's detections; one without a mask gets an empty mask."""
    size = [image["height"], image["width"]]
    empty = coco_mask.encode(np.zeros(size, np.uint8, order="F"))["counts"]
    return [{"size": size, "counts": counts or empty} for counts in detections.rle]


def _with_rle(annotation: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    segmentation = annotation.get("segmentation") or []
    size = image["height"], image["width"]
    if isinstance(segmentation, list):
        rles = coco_mask.frPyObjects(segmentation, *size) if segmentation else []
        segmentation = coco_mask.merge(rles) if rles else _empty(size)
    elif isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, *size)
    crowd = int(annotation.get("iscrowd") or 0)
    return {**annotation, "segmentation": segmentation, "iscrowd": crowd}


def _empty(size: tuple[int, int]) -> dict[str, Any]:
    return dict(coco_mask.encode(np.zeros(size, np.uint8, order="F")))


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
