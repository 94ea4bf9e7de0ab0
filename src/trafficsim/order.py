"""What is in front of what: the order of painting of upright things on the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def back_to_front(footprints: Array, eye: tuple[float, float], depths: Array) -> list[int]:
    """The order in which to paint.

    A thing cannot hide another if a plane along an axis has it on the one side, and the other
    and the eye on the other side. Such planes give the order; where they leave a choice, the
    farther thing comes first.

    Args:
        footprints: float64 (N, 4), x0, x1, z0, z1 on the ground, m.
        eye: Where the camera is, x and z, m.
        depths: float64 (N,), distances from the camera, m.

    Returns:
        All indices, 0 to N - 1, each once.
    """
    count = len(footprints)
    harmless = np.zeros((count, count), bool)
    for axis, at in ((0, eye[0]), (2, eye[1])):
        low, high = footprints[:, axis], footprints[:, axis + 1]
        # [j, i]: j lies beyond i, seen from the eye
        harmless |= (low[:, None] >= high[None, :]) & (at <= low[:, None])
        harmless |= (high[:, None] <= low[None, :]) & (at >= high[:, None])
    before = harmless & ~harmless.T
    waiting = before.sum(axis=0)
    far = np.asarray(depths, dtype=np.float64).copy()
    order: list[int] = []
    for _ in range(count):
        free = np.where(waiting == 0, far, -np.inf)
        chosen = int(free.argmax())
        if free[chosen] == -np.inf:  # a circle, which only touching things can make
            chosen = int(far.argmax())
        order.append(chosen)
        far[chosen] = -np.inf
        waiting[chosen] = count + 1
        waiting -= before[chosen]
    return order
