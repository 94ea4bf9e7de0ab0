"""What is in front of what: the order of painting of upright things on the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def back_to_front(footprints: Array, eye: tuple[float, float], depths: Array) -> NDArray[np.int64]:
    """The order in which to paint.

    A thing cannot hide another if a plane along an axis has it on the one side, and the other
    and the eye on the other side. Such planes give the order; where they leave a choice, the
    farther thing comes first.

    Args:
        footprints: float64 (N, 4), x0, x1, z0, z1 on the ground, m.
        eye: Where the camera is, x and z, m.
        depths: float64 (N,), distances from the camera, m.

    Returns:
        int64 (N,), all indices, 0 to N - 1, each once.
    """
    low, high, at = footprints[:, ::2], footprints[:, 1::2], np.array(eye)
    # whether the first, of rows, cannot hide the second, of columns
    above = (low[:, None] >= high) & (at <= low)[:, None]
    below = (high[:, None] <= low) & (at >= high)[:, None]
    beyond = np.logical_or(above, below).any(axis=2)
    before: NDArray[np.bool_] = np.logical_and(beyond, ~beyond.T)
    waiting = before.sum(axis=0)
    left, order = np.argsort(-depths, kind="stable").tolist(), []
    while left:
        # only touching things make a circle, in which nothing is free
        chosen = next((i for i in left if not waiting[i]), left[0])
        left.remove(chosen)
        order.append(chosen)
        waiting -= before[chosen]
    return np.array(order, np.int64)
