"""What is in front of what: the order of painting of upright things on the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled

Array = NDArray[np.float64]


@compiled
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
    count = len(footprints)
    before = np.zeros((count, count), np.bool_)
    waiting = np.zeros(count, np.int64)
    for i in range(count):
        for j in range(count):
            before[j, i] = _beyond(footprints[j], footprints[i], eye) and not _beyond(
                footprints[i], footprints[j], eye
            )
            waiting[i] += before[j, i]
    left = np.ones(count, np.bool_)
    order = np.empty(count, np.int64)
    for place in range(count):
        chosen, free = -1, False
        for i in range(count):
            if not left[i]:
                continue
            # only touching things make a circle, in which nothing is free
            better = chosen < 0 or depths[i] > depths[chosen]
            if (waiting[i] == 0) > free or ((waiting[i] == 0) == free and better):
                chosen, free = i, waiting[i] == 0
        order[place] = chosen
        left[chosen] = False
        for i in range(count):
            waiting[i] -= before[chosen, i]
    return order


@compiled
def _beyond(far: Array, near: Array, eye: tuple[float, float]) -> bool:
    """Whether `far` cannot hide `near`."""
    for axis in range(2):
        low, high = near[2 * axis], near[2 * axis + 1]
        if far[2 * axis] >= high and eye[axis] <= far[2 * axis]:
            return True
        if far[2 * axis + 1] <= low and eye[axis] >= far[2 * axis + 1]:
            return True
    return False
