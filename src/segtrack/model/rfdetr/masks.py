"""Masks from the network's low-resolution logits, as COCO run lengths of the image.

rfdetr enlarges logits bilinearly to the image and keeps what lies above zero, not cut by the box.
Between pixels at or below zero nothing rises above it, so only the surroundings of positive logits
are enlarged here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from segtrack.base.rle import edges, encode_edges
from segtrack.model.ultralytics.prototypes import axis


def encode_masks(logits: np.ndarray, shape: tuple[int, int]) -> list[bytes | None]:
    """COCO RLE ``counts`` of each mask at the image's own resolution.

    Args:
        logits: float32 (N, h, w), over the whole image.
        shape: of the image, (H, W) in px.

    Returns:
        N counts; None where not a single pixel is above zero.
    """
    rows, columns = (_axis(*sizes) for sizes in zip(logits.shape[1:], shape, strict=True))
    found: list[bytes | None] = []
    for logit in logits:
        positive = logit > 0
        y1, y2 = _reached(rows, positive.any(1))
        x1, x2 = _reached(columns, positive.any(0))
        if x1 >= x2 or y1 >= y2:
            found.append(None)
            continue
        left, right = columns.span(x1, x2)
        tall = rows.enlarge(logit[:, left:right], y1, y2, 0)
        enlarged = columns.enlarge(tall.T, x1, x2, left)
        places = edges(enlarged.T, shape[0], x1, y1)
        found.append(encode_edges(places, *shape) if len(places) else None)
    return found


def _reached(line: Any, positive: np.ndarray) -> tuple[int, int]:
    """First and last + 1 of the image's pixels that depend on a positive pixel of the logits."""
    places = np.flatnonzero(positive)
    if not len(places):
        return 0, 0
    start = np.searchsorted(line.last, places[0], side="right")
    return int(start), int(np.searchsorted(line.first, places[-1], side="right"))


@lru_cache(maxsize=64)
def _axis(logits: int, image: int) -> Any:
    return axis(logits, image, 1, logits / image)
