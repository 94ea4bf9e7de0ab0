"""Whether a polygon has nothing odd, compiled: of millions nearly all are such."""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled


@compiled
def plain(points: np.ndarray, width: float, height: float, longest: float) -> bool:
    """Whether a polygon can be used as it is; False says that it has to be looked at.

    True: at least three points, none repeats the one before, all lie in the image, the outline is
    shorter than ``longest`` times the image, and no two edges that are not neighbours share a point
    (see ``geometry.self_intersects``, which rounds alike).

    Args:
        points: finite float64 (n, 2), contiguous. width, height: of the image.
    """
    n = len(points)
    length = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        x, y = points[i]
        if x < 0 or y < 0 or x > width or y > height:
            return False
        if x == points[j, 0] and y == points[j, 1]:
            return False
        length += abs(points[j, 0] - x) / width + abs(points[j, 1] - y) / height
    if n < 3 or length > longest:
        return False
    for i in range(n - 2):
        ax, ay = points[i]
        bx, by = points[i + 1]
        for j in range(i + 2, n if i else n - 1):
            cx, cy = points[j]
            dx, dy = points[j + 1] if j + 1 < n else points[0]
            if min(ax, bx) > max(cx, dx) or min(cx, dx) > max(ax, bx):
                continue
            if min(ay, by) > max(cy, dy) or min(cy, dy) > max(ay, by):
                continue
            side_a = (dx - cx) * (ay - cy) - (dy - cy) * (ax - cx)
            side_b = (dx - cx) * (by - cy) - (dy - cy) * (bx - cx)
            if (side_a > 0 and side_b > 0) or (side_a < 0 and side_b < 0):
                continue
            side_c = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            side_d = (bx - ax) * (dy - ay) - (by - ay) * (dx - ax)
            if not ((side_c > 0 and side_d > 0) or (side_c < 0 and side_d < 0)):
                return False
    return True
