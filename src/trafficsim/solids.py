"""Solid things out of a few numbers, compiled: a street has many, of hundreds of corners each."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled

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


@compiled
def build(numbers: Array) -> Solid:
    """The arrays of a mesh, in the order of `Mesh`, out of the rows of a `MeshBuilder`.

    Args:
        numbers: float64 (n,), all rows one after the other.
    """
    sizes = np.zeros(5, np.int64)  # corners, faces, parts, points of hulls, hulls
    at = 0
    while at < len(numbers):
        at = _count(numbers, at, sizes)
    vertices, counts = np.empty((sizes[0], 3)), np.empty(sizes[1], np.int64)
    albedo, kinds = np.empty((sizes[1], 3)), np.zeros(sizes[1], np.int64)
    parts, centres = np.empty((sizes[2], 2), np.int64), np.empty((sizes[2], 3))
    rims, hulls = np.empty((sizes[3], 3)), np.empty(sizes[4], np.int64)
    solid = vertices, counts, albedo, kinds, parts, centres, rims, hulls
    sizes[:] = 0
    at = 0
    while at < len(numbers):
        what = int(numbers[at])
        row = numbers[at + 1 :]
        first, face, rim = sizes[0], sizes[1], sizes[3]
        if what == PART:
            _part(solid, sizes[2], row[0], face, row[1], row[2], row[3])
        elif what == FACE:
            many = int(row[0])
            counts[face], kinds[face], albedo[face] = many, int(row[1]), row[2:5]
            for i in range(3 * many):
                vertices[first + i // 3, i % 3] = row[5 + i]
        elif what == HULL:
            hulls[sizes[4]] = int(row[0])
            for i in range(3 * int(row[0])):
                rims[rim + i // 3, i % 3] = row[1 + i]
        elif what == BOX:
            _box(solid, sizes, row)
        elif what == PRISM:
            _prism(solid, sizes, row)
        else:
            _wheel(solid, sizes, row)
        at = _count(numbers, at, sizes)
    return solid


@compiled
def _count(numbers: Array, at: int, sizes: Counts) -> int:
    """Adds to `sizes` what the row that begins at `at` makes; returns where the next begins."""
    what, many = int(numbers[at]), int(numbers[at + 1])
    if what == PART:
        sizes[2] += 1
        return at + 5
    if what == FACE:
        sizes[0] += many
        sizes[1] += 1
        return at + 6 + 3 * many
    sizes[4] += 1
    if what == HULL:
        sizes[3] += many
        return at + 2 + 3 * many
    if what == BOX:
        sizes[:4] += np.array([24, 6, 1, 8])
        return at + 11
    if what == PRISM:
        sizes[:4] += np.array([6 * many, many + 2, 0, 2 * many])
        return at + 8 + 3 * many
    sizes[:4] += np.array([2 * (8 + _SPOKES + _SPOKES // 2), 8, 4, 2 * _SPOKES])
    return at + 10


@compiled
def _part(solid: Solid, part: int, layer: float, face: int, x: float, y: float, z: float) -> None:
    parts, centres = solid[4], solid[5]
    parts[part, 0], parts[part, 1] = int(layer), face
    _put(centres, part, x, y, z)


@compiled
def _put(points: Array, place: int, x: float, y: float, z: float) -> None:
    points[place, 0], points[place, 1], points[place, 2] = x, y, z


@compiled
def _box(solid: Solid, sizes: Counts, row: Array) -> None:
    vertices, counts, albedo, rims = solid[0], solid[1], solid[2], solid[6]
    first, face, rim = sizes[0], sizes[1], sizes[3]
    x, y, z = row[4:6], row[6:8], row[8:10]
    _part(solid, sizes[2], row[0], face, (x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    for i in range(8):
        _put(rims, rim + i, x[i // 4], y[i // 2 % 2], z[i % 2])
    solid[7][sizes[4]] = 8
    for side in range(6):
        counts[face + side], albedo[face + side] = 4, row[1:4]
        axis, end = side // 2, side % 2
        for corner in range(4):
            # around the side: 00, 01, 11, 10
            u, v = corner // 2, (corner + 1) // 2 % 2
            i, j, k = (end, u, v) if axis == 0 else (u, end, v) if axis == 1 else (u, v, end)
            _put(vertices, first + 4 * side + corner, x[i], y[j], z[k])


@compiled
def _prism(solid: Solid, sizes: Counts, row: Array) -> None:
    vertices, counts, albedo, rims = solid[0], solid[1], solid[2], solid[6]
    first, face, rim = sizes[0], sizes[1], sizes[3]
    many = int(row[0])
    corners = row[7 : 7 + 3 * many].reshape(-1, 3)
    solid[7][sizes[4]] = 2 * many
    for i in range(many):
        z0, y0, w0 = corners[i - 1]
        z, y, w = corners[i]
        place = first + 4 * i
        _put(vertices, place, -w0, y0, z0)
        _put(vertices, place + 1, -w, y, z)
        _put(vertices, place + 2, w, y, z)
        _put(vertices, place + 3, w0, y0, z0)
        flat = abs(y - y0) < 0.1 * abs(z - z0)
        counts[face + i], albedo[face + i] = 4, row[4:7] if flat else row[1:4]
        for k in range(2):
            side = -w if k == 0 else w
            _put(vertices, first + (4 + k) * many + i, side, y, z)
            _put(rims, rim + k * many + i, side, y, z)
    for k in range(2):
        counts[face + many + k], albedo[face + many + k] = many, row[1:4]


@compiled
def _wheel(solid: Solid, sizes: Counts, row: Array) -> None:
    """Both wheels of an axle: treads before everything else, sides last."""
    vertices, counts, albedo, rims = solid[0], solid[1], solid[2], solid[6]
    place, face, rim = sizes[0], sizes[1], sizes[3]
    tyre, hub, z, half_width, radius = row[0:3], row[3:6], row[6], row[7], row[8]
    solid[7][sizes[4]] = 2 * _SPOKES
    for k in range(2):
        side = -1.0 if k == 0 else 1.0
        x, inner = side * (half_width + 0.01), side * (half_width - 0.24)
        middle, out = side * (half_width - 0.12), x + side * 0.01
        low, high = 0.02, radius * 1.1
        _part(solid, sizes[2] + 2 * k, -1.0, face, middle, radius, z)
        for end in (-0.7, 0.7):
            ahead = z + end * radius
            _put(vertices, place, x, low, ahead)
            _put(vertices, place + 1, inner, low, ahead)
            _put(vertices, place + 2, inner, high, ahead)
            _put(vertices, place + 3, x, high, ahead)
            counts[face], albedo[face] = 4, tyre
            place, face = place + 4, face + 1
        _part(solid, sizes[2] + 2 * k + 1, 4.0, face, middle, radius, z)
        for i in range(_SPOKES):
            up, ahead = radius * sin(2 * pi * i / _SPOKES), radius * cos(2 * pi * i / _SPOKES)
            _put(vertices, place + i, x, radius + up, z + ahead)
            _put(rims, rim + i, x, radius + up, z + ahead)
            if i % 2 == 0:
                half = place + _SPOKES + i // 2
                _put(vertices, half, out, radius + 0.6 * up, z + 0.6 * ahead)
        counts[face], albedo[face] = _SPOKES, tyre
        counts[face + 1], albedo[face + 1] = _SPOKES // 2, hub
        place, face, rim = place + _SPOKES + _SPOKES // 2, face + 2, rim + _SPOKES
