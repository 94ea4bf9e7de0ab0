"""Solid things out of a few numbers, compiled: a street has many, of hundreds of corners each."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import ZERO, compiled

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Solid = tuple[Array, Counts, Array, Counts, Counts, Array, Array, Counts]

PART, FACE, HULL, BOX, PRISM, WHEEL = range(6)
"""What a row of numbers begins with:

- PART: layer, centre (3)
- FACE: corners, kind, colour (3), points (n, 3)
- HULL: points, points (n, 3)
- BOX: layer, colour (3), x0, x1, y0, y1, z0, z1
- PRISM: corners, colour (3), colour of what looks up (3), z, y and half width of each (n, 3)
- WHEEL: colour of the tyre (3), of the hub (3), z, half width of the axle, radius
"""

_SPOKES = 14
"""Corners of a wheel; its hub has half as many."""

_SIDES = ((4, 2, 1), (2, 4, 1), (1, 4, 2))
_RING = ((0, 0), (0, 1), (1, 1), (1, 0))
_BOX = np.array([a * end + b * u + c * v for a, b, c in _SIDES for end in (0, 1) for u, v in _RING])
"""The corners of a box side after side, each 4, 2 and 1 for the far end of x, y and z."""


def build(numbers: Array) -> Solid:
    """The arrays of a mesh, in the order of `Mesh`, out of the rows of a `MeshBuilder`.

    Args:
        numbers: float64 (n,), all rows one after the other.
    """
    # room enough: a wheel makes the most of its row, 6 corners of each number
    n = len(numbers)
    points, rims = np.empty((6 * n, 3)), np.empty((3 * n, 3))
    albedo, centres = np.empty((n, 3)), np.empty((n, 3))
    counts, kinds, hulls = np.empty(n, np.int64), np.zeros(n, np.int64), np.empty(n, np.int64)
    parts = np.empty((n, 2), np.int64)
    used, faces, many, rim, hull = _build(
        numbers, points, counts, albedo, kinds, parts, centres, rims, hulls
    )
    return (
        points[:used], counts[:faces], albedo[:faces], kinds[:faces],
        parts[:many], centres[:many], rims[:rim], hulls[:hull],
    )  # fmt: skip


@compiled
def _build(
    numbers: Array, vertices: Array, counts: Counts, albedo: Array, kinds: Counts, parts: Counts,
    centres: Array, rims: Array, hulls: Counts,
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """Writes what the rows make and returns how many corners, faces, parts, points of hulls, hulls.

    One function, since each takes its time to compile.
    """
    at = place = face = part = rim = hull = ZERO
    while at < len(numbers):
        what, row, many = numbers[at], at + 1, int(numbers[at + 1])
        if what == PART:
            parts[part, 0], parts[part, 1] = many, face
            _copy(centres, part, numbers, row + 1)
            part, at = part + 1, row + 4
        elif what == FACE:
            counts[face], kinds[face] = many, int(numbers[row + 1])
            _copy(albedo, face, numbers, row + 2)
            for i in range(many):
                _copy(vertices, place + i, numbers, row + 5 + 3 * i)
            place, face, at = place + many, face + 1, row + 5 + 3 * many
        elif what == HULL:
            for i in range(many):
                _copy(rims, rim + i, numbers, row + 1 + 3 * i)
            hulls[hull] = many
            hull, rim, at = hull + 1, rim + many, row + 1 + 3 * many
        elif what == BOX:
            parts[part, 0], parts[part, 1] = many, face
            for axis in range(3):
                limits = row + 4 + 2 * axis
                centres[part, axis] = (numbers[limits] + numbers[limits + 1]) / 2
                for i in range(8):
                    rims[rim + i, axis] = numbers[limits + (i >> (2 - axis) & 1)]
                for i in range(24):
                    vertices[place + i, axis] = numbers[limits + (_BOX[i] >> (2 - axis) & 1)]
            for i in range(6):
                counts[face + i] = 4
                _copy(albedo, face + i, numbers, row + 1)
            hulls[hull] = 8
            place, face, part, rim = place + 24, face + 6, part + 1, rim + 8
            hull, at = hull + 1, row + 10
        elif what == PRISM:
            for i in range(many + 2):
                colour, corners = row + 1, many
                if i < many:
                    one, other = row + 7 + 3 * i, row + 7 + 3 * ((i + many - 1) % many)
                    z, y, w = numbers[one], numbers[one + 1], numbers[one + 2]
                    z0, y0, w0 = numbers[other], numbers[other + 1], numbers[other + 2]
                    _put(vertices, place + 4 * i, -w0, y0, z0)
                    _put(vertices, place + 4 * i + 1, -w, y, z)
                    _put(vertices, place + 4 * i + 2, w, y, z)
                    _put(vertices, place + 4 * i + 3, w0, y0, z0)
                    for k in range(2):
                        _put(vertices, place + (4 + k) * many + i, w * (2 * k - 1), y, z)
                        _put(rims, rim + k * many + i, w * (2 * k - 1), y, z)
                    corners = 4
                    if abs(y - y0) < 0.1 * abs(z - z0):
                        colour = row + 4
                counts[face + i] = corners
                _copy(albedo, face + i, numbers, colour)
            hulls[hull] = 2 * many
            place, face, rim = place + 6 * many, face + many + 2, rim + 2 * many
            hull, at = hull + 1, row + 7 + 3 * many
        else:  # both wheels of an axle: treads before everything else, sides last
            z, half_width, radius = numbers[row + 6], numbers[row + 7], numbers[row + 8]
            hulls[hull] = 2 * _SPOKES
            for k in range(2):
                side = 2.0 * k - 1.0
                x, inner = side * (half_width + 0.01), side * (half_width - 0.24)
                for i in range(2):
                    parts[part + i, 0], parts[part + i, 1] = 5 * i - 1, face + 2 * i
                    _put(centres, part + i, side * (half_width - 0.12), radius, z)
                    ahead = z + (1.4 * i - 0.7) * radius
                    for j in range(4):
                        across, up = x if j % 3 == 0 else inner, 0.02 if j < 2 else radius * 1.1
                        _put(vertices, place + 4 * i + j, across, up, ahead)
                    counts[face + i] = 4
                    counts[face + 2 + i] = _SPOKES >> i
                    _copy(albedo, face + i, numbers, row)
                    _copy(albedo, face + 2 + i, numbers, row + 3 * i)
                place, part, face = place + 8, part + 2, face + 4
                for i in range(_SPOKES):
                    up, ahead = sin(2 * pi * i / _SPOKES), cos(2 * pi * i / _SPOKES)
                    up, ahead = radius * up, radius * ahead
                    _put(vertices, place + i, x, radius + up, z + ahead)
                    _put(rims, rim + i, x, radius + up, z + ahead)
                    if i % 2 == 0:
                        out = x + side * 0.01
                        half = place + _SPOKES + i // 2
                        _put(vertices, half, out, radius + 0.6 * up, z + 0.6 * ahead)
                place, rim = place + _SPOKES + _SPOKES // 2, rim + _SPOKES
            hull, at = hull + 1, row + 9
    return place, face, part, rim, hull


@compiled
def _put(points: Array, place: int, x: float, y: float, z: float) -> None:
    points[place, 0], points[place, 1], points[place, 2] = x, y, z


@compiled
def _copy(points: Array, place: int, numbers: Array, at: int) -> None:
    for k in range(3):
        points[place, k] = numbers[at + k]
