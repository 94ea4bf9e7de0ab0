"""Which of many polygons is the nearest in each pixel, as machine code."""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled

Array = NDArray[np.float64]
Numbers = NDArray[np.int16]
Spans = NDArray[np.int32]


@compiled
def outline(numbers: Numbers, corners: Array) -> tuple[Spans, Array]:
    """Gives each pixel the number of the nearest polygon, from 1, that covers all of it.

    Args:
        numbers: int16 (H, W), zeros, written to.
        corners: float64 (P, C, 2), px, of convex polygons, the last the nearest; corners may be
            repeated.

    Returns:
        Of each row of each polygon its first pixel and its first within, its last within and its
        last, int32 (P, H, 4): it lies within where it is covered wholly, and reaches a px farther.
        And lines (a, b, c, 1 / a) along the sides of each polygon and of the box around it,
        float64 (P, C + 4, 4): a x + b y + c is how many px a point lies inside of one. Of a level
        one 1 / a is 0, of equal corners all is.
    """
    many, most = corners.shape[:2]
    height, width = numbers.shape
    spans, lines = np.zeros((many, height, 4), np.int32), np.zeros((many, most + 4, 4))
    for k in range(many):
        for y in range(height):
            spans[k, y, 2] = spans[k, y, 3] = -1
    for k in range(many - 1, -1, -1):
        _around(corners[k], lines[k])
        above, below = -lines[k, most + 2, 2], lines[k, most + 3, 2]
        first = ceil(min(max(above - 1.0, 0.0), float(height)))
        last = floor(max(min(below + 1.0, height - 1.0), -1.0))
        for y in range(first, last + 1):
            _cross(lines[k], y, width, spans[k, y])
            for x in range(spans[k, y, 1], spans[k, y, 2] + 1):
                if numbers[y, x] == 0:
                    numbers[y, x] = k + 1
    return spans, lines


@compiled
def _around(corners: Array, lines: Array) -> None:
    count = len(corners)
    x0 = x1 = corners[0, 0]
    y0 = y1 = corners[0, 1]
    twice = 0.0  # the area, which tells which way round they are
    for i in range(count):
        x, y = corners[i, 0], corners[i, 1]
        x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
        dx, dy = x - corners[i - 1, 0], y - corners[i - 1, 1]
        twice += (x - corners[0, 0]) * dy - (y - corners[0, 1]) * dx
    way = 1.0 if twice >= 0.0 else -1.0
    for i in range(count):
        x, y = corners[i, 0], corners[i, 1]
        dx, dy = x - corners[i - 1, 0], y - corners[i - 1, 1]
        length = way * sqrt(dx * dx + dy * dy)
        if abs(length) > 1e-9:
            a, b = -dy / length, dx / length
            lines[i, 0], lines[i, 1], lines[i, 2] = a, b, -a * x - b * y
            lines[i, 3] = 1.0 / a if abs(a) > 1e-9 else 0.0
    lines[count, 0], lines[count, 2], lines[count, 3] = 1.0, -x0, 1.0
    lines[count + 1, 0], lines[count + 1, 2], lines[count + 1, 3] = -1.0, x1, -1.0
    lines[count + 2, 1], lines[count + 2, 2] = 1.0, -y0
    lines[count + 3, 1], lines[count + 3, 2] = -1.0, y1


@compiled
def _cross(lines: Array, y: int, width: int, span: Spans) -> None:
    """Writes where row `y` crosses a polygon."""
    low, high = 0.0, width - 1.0
    inner, outer = 0.0, width - 1.0
    for i in range(len(lines)):
        inside, inverse = lines[i, 1] * y + lines[i, 2], lines[i, 3]
        if inverse > 0.0:
            inner, low = max(inner, -inside * inverse), max(low, -(inside + 1.0) * inverse)
        elif inverse < 0.0:
            outer, high = min(outer, -inside * inverse), min(high, -(inside + 1.0) * inverse)
        elif inside < 0.0:
            outer = -1.0
            if inside <= -1.0:
                high = -1.0
    # not farther outside: there may be no such whole numbers
    span[0], span[1] = ceil(min(low, float(width))), ceil(min(inner, float(width)))
    span[2], span[3] = floor(max(outer, -1.0)), floor(max(high, -1.0))
