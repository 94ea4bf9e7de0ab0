"""Suppression of boxes that cover one another, as ``torchvision.ops.batched_nms`` does it."""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled

FEW = 1000  # boxes, up to which the groups are moved apart, by that function's own number


def batched_nms(
    boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, iou: float
) -> np.ndarray:
    """Positions of the boxes that no better one of their group covers, best first.

    Args:
        boxes: float32 (N, 4), xyxy. scores: float32 (N,). groups: int64 (N,).
        iou: above which a box covers another one.
    """
    if 0 < len(boxes) <= FEW:  # its arithmetic, to the last digit
        boxes = boxes + (groups.astype(np.float32) * (boxes.max() + np.float32(1)))[:, None]
    order = np.argsort(-scores, kind="stable")
    kept: np.ndarray = order[_stay(boxes[order], groups[order], iou)]
    return kept


@compiled
def _stay(boxes: np.ndarray, groups: np.ndarray, iou: float) -> np.ndarray:
    """bool (N,), of boxes whose best one comes first."""
    count = len(boxes)
    stay = np.ones(count, np.bool_)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    none = np.float32(0)
    for i in range(count):
        if not stay[i]:
            continue
        for j in range(i + 1, count):
            if stay[j] and groups[i] == groups[j]:
                width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
                height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
                shared = max(none, width) * max(none, height)
                union = areas[i] + areas[j] - shared
                if union > 0 and shared / union > iou:
                    stay[j] = False
    return stay
