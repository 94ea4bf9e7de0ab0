"""Masks of polygons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]  # (n, 2), px, x and y; an open ring


def mask_iou(
    first: Sequence[Polygon], second: Sequence[Polygon], size: tuple[int, int]
) -> NDArray[np.float64]:
    """IoU of the masks of polygons, float64 (len(first), len(second)).

    Args:
        size: width and height of the image in px.
    """
    from pycocotools import mask as coco_mask

    if not first or not second:
        return np.zeros((len(first), len(second)))
    width, height = size
    a, b = (
        [coco_mask.frPyObjects([p.reshape(-1).tolist()], height, width)[0] for p in polygons]
        for polygons in (first, second)
    )
    iou: NDArray[np.float64] = np.asarray(coco_mask.iou(a, b, [0] * len(b)), float)
    return iou.reshape(len(a), len(b))
