"""One number for an image from those of its objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TEMPERATURE = 0.1  # cleanlab's


def pooled(
    values: NDArray[np.float64],
    owner: NDArray[np.int64],
    count: int,
    temperature: float = TEMPERATURE,
) -> NDArray[np.float64]:
    """Softmax-weighted mean of each image's values: near the largest, and more if others are small.

    One minus it is ObjectLab's pooled quality of the qualities 1 - value (Tkachenko, Thyagarajan
    and Mueller 2023, "ObjectLab", section 3; ``softmin1d`` of cleanlab).

    Args:
        values: float64 (N,), 0..1. owner: int64 (N,), image of each, 0 to ``count - 1``.

    Returns:
        float64 (count,), 0 for an image without objects.
    """
    largest = np.zeros(count)
    np.maximum.at(largest, owner, values)
    weight = np.exp((values - largest[owner]) / temperature)
    total = np.bincount(owner, weight, count)
    summed = np.bincount(owner, weight * values, count)
    return np.divide(summed, total, out=np.zeros(count), where=total > 0)
