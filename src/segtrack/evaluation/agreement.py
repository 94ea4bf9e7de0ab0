"""How far two networks find the same: detections of one that the other has too, and how near."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.model import FrameDetections, Predictions

SAME = 0.5  # IoU of boxes from which two detections of a class may be one


@dataclass(frozen=True)
class Agreement:
    """What was found by both.

    Attributes:
        found: detections of the one at or above the score.
        missing: those among them that the other has not, at whatever score.
        mask_iou: float (M,), of the masks of those that both have.
        box_px: float (M,), the largest difference of a side of their boxes.
        score: float (M,), the difference of their scores.
    """

    found: int
    missing: int
    mask_iou: np.ndarray
    box_px: np.ndarray
    score: np.ndarray

    def metrics(self) -> dict[str, float]:
        """By name; of masks, boxes and scores only where there is a detection that both have."""
        values: dict[str, float] = {"detections": self.found, "missing": self.missing}
        if len(self.mask_iou):
            values["mask_iou_median"] = float(np.median(self.mask_iou))
            values["mask_iou_min"] = float(self.mask_iou.min())
            values["box_px_median"] = float(np.median(self.box_px))
            values["box_px_max"] = float(self.box_px.max())
            values["score_max"] = float(self.score.max())
        return values


def agreement(
    one: Predictions, other: Predictions, sizes: Iterable[tuple[int, int, int]], score: float
) -> Agreement:
    """Compare predictions of the same images.

    Args:
        one: whose detections are looked for.
        other: with scores from well below ``score`` on.
        sizes: id of each image, its height and width in px, in the order of their ids.
        score: of the detections of ``one`` that count.
    """
    rows: list[tuple[float, float, float]] = []
    found = 0
    ones, others = _by_number(one), _by_number(other)
    for number, *size in sizes:
        first, second = ones(number), others(number)
        if first is None:
            continue
        wanted = first.take(first.score >= score)
        found += len(wanted)
        if second is not None:
            rows += _pairs(wanted, second, (size[0], size[1]))
    table = np.array(rows, float).reshape(-1, 3)
    return Agreement(found, found - len(rows), *table.T)


def _by_number(predictions: Predictions) -> Callable[[int], FrameDetections | None]:
    """The detections of an image, asked for in the order of ids; None where there are none."""
    frames = iter(predictions.frames())
    coming = next(frames, None)

    def take(number: int) -> FrameDetections | None:
        nonlocal coming
        if coming is None or coming.frame != number:
            return None
        found, coming = coming, next(frames, None)
        return found

    return take


def _pairs(
    first: FrameDetections, second: FrameDetections, size: tuple[int, int]
) -> list[tuple[float, float, float]]:
    """Of each detection of ``first`` that ``second`` has: IoU of masks, px, difference of scores.

    The best score chooses first, the box that overlaps most.
    """
    if not len(first) or not len(second):
        return []
    iou = _box_iou(first.bbox_xyxy, second.bbox_xyxy)
    iou[first.class_id[:, None] != second.class_id] = 0
    found = []
    for i in range(len(first)):
        j = int(iou[i].argmax())
        if iou[i, j] < SAME:
            continue
        iou[:, j] = 0
        masks = [{"size": list(size), "counts": rle} for rle in (first.rle[i], second.rle[j])]
        overlap = coco_mask.iou(masks[:1], masks[1:], [0])[0, 0]
        px = np.abs(first.bbox_xyxy[i] - second.bbox_xyxy[j]).max()
        found.append((float(overlap), float(px), float(abs(first.score[i] - second.score[j]))))
    return found


def _box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, M) of boxes (N, 4) and (M, 4), x1 y1 x2 y2."""
    low = np.maximum(first[:, None, :2], second[:, :2])
    high = np.minimum(first[:, None, 2:], second[:, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - common
    return np.asarray(common / np.maximum(union, 1e-9))
