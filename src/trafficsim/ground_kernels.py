"""The ground's loops over corners and pixels, compiled."""

from __future__ import annotations

from math import floor, hypot

import numpy as np

from segtrack.base.compiled import ZERO, compiled
from trafficsim.camera import NEAR

SIDE = 512
"""Cells across and along a tile, after which it repeats."""

_BITS = 20  # of the fractions of cells
_ONE = 1 << _BITS


@compiled
def outlines(
    corners: np.ndarray,
    counts: np.ndarray,
    eye: np.ndarray,
    rotation: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
    least: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where polygons on the ground are in the image.

    Args:
        corners: float64 (N, 2), x and z, m, of all polygons, one after the other.
        counts: int64 (P,), the corners of each.
        eye: float64 (3,), m. rotation: float64 (3, 3). focal, centre, size: px, of a ``Camera``.
        least: what is thinner, px, is left out.

    Returns:
        Of those that are seen, cut at the near plane: px, float64 (M, 2), the corners of each,
        int64 (Q,), and their numbers, int64 (Q,).
    """
    pixels = np.empty((len(corners) + len(counts), 2))  # the cut adds a corner at most
    lengths, numbers = np.empty(len(counts), np.int64), np.empty(len(counts), np.int64)
    last = begin = seen = ZERO
    for k in range(len(counts)):
        first, last = last, last + counts[k]
        end = begin
        x0, z0 = corners[last - 1, 0] - eye[0], corners[last - 1, 1] - eye[2]
        before = x0 * rotation[2, 0] - eye[1] * rotation[2, 1] + z0 * rotation[2, 2]
        for i in range(first, last):
            x1, z1 = corners[i, 0] - eye[0], corners[i, 1] - eye[2]
            depth = x1 * rotation[2, 0] - eye[1] * rotation[2, 1] + z1 * rotation[2, 2]
            for cut in range(2):  # where the edge crosses the near plane, and its end
                x, z, far = x1, z1, depth
                if cut == 0:
                    if (before >= NEAR) == (depth >= NEAR):
                        continue
                    share = (NEAR - before) / (depth - before)
                    x, z, far = x0 + share * (x1 - x0), z0 + share * (z1 - z0), NEAR
                elif depth < NEAR:
                    continue
                right = x * rotation[0, 0] - eye[1] * rotation[0, 1] + z * rotation[0, 2]
                down = x * rotation[1, 0] - eye[1] * rotation[1, 1] + z * rotation[1, 2]
                pixels[end, 0] = centre[0] + focal * right / far
                pixels[end, 1] = centre[1] + focal * down / far
                end += 1
            x0, z0, before = x1, z1, depth
        if _shows(pixels, begin, end, size, least):
            lengths[seen], numbers[seen] = end - begin, k
            seen += 1
            begin = end
    return pixels[:begin], lengths[:seen], numbers[:seen]


@compiled
def _shows(pixels: np.ndarray, begin: int, end: int, size: tuple[int, int], least: float) -> bool:
    """Whether an outline reaches into the image and is `least` px thick."""
    if end - begin < 3:
        return False
    left = right = pixels[begin, 0]
    top = bottom = pixels[begin, 1]
    twice = 0.0  # its area
    for i in range(begin + 1, end):
        x, y = pixels[i, 0], pixels[i, 1]
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
        twice += (pixels[i - 1, 0] - pixels[begin, 0]) * (y - pixels[begin, 1])
        twice -= (x - pixels[begin, 0]) * (pixels[i - 1, 1] - pixels[begin, 1])
    if right < -1.0 or left > size[0] or bottom < -1.0 or top > size[1]:
        return False
    return abs(twice) >= 2.0 * least * hypot(right - left, bottom - top)


@compiled
def light_up(
    image: np.ndarray,
    top: int,
    eye: np.ndarray,
    rotation: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    tiles: np.ndarray,
    first: tuple[float, float],
    shares: tuple[np.ndarray, np.ndarray],
    origin: tuple[float, float],
    gains: np.ndarray,
) -> None:
    """Multiplies the ground by grain, stains and light, in one pass over the image.

    Light and stains are soft: they are worked out on every fourth pixel of every second row. A row
    is a straight line on the ground, since the camera does not roll.

    Args:
        image: uint8 (H, W, 3). top: its first row that shows the ground.
        eye: float64 (3,), m. rotation: float64 (3, 3). focal, centre: px, of a ``Camera``.
        tiles: int8 (2, 512, 512), grain and stains, 400 for as bright again.
        first: where in the tiles (x, z) = (0, 0) lies, cells.
        shares: uint8, of sun (4 cells per m) and of lamp light (one), 255 for all of it, rows along
            z. origin: x and z of their first cells, m.
        gains: float64 (3, 3), BGR of the light from all sides, of the sun and of the lamps; what
            has none of blue is not looked up.
    """
    height, width = image.shape[:2]
    n = (width + 3) // 4 + 1
    soft, stains = np.zeros((2, n), np.float32), np.empty(n, np.float32)
    lights, grain = np.empty((2, 12 * n), np.float32), np.empty(width, np.float32)
    step = 1.0 / focal
    pairs = (height - top + 1) // 2
    for k in range(pairs + 1):
        if k < pairs:  # between the rows 2k and 2k + 1 below the top
            y = (top + 2 * k + 0.5 - centre[1]) * step
            x, z, dx, dz, _ = _line(eye, rotation, y, (-0.5 - centre[0]) * step, 4.0 * step)
            _lay(stains, tiles[1], 14 * x + first[1], 6 * z + first[0], 14 * dx, 6 * dz, 1.0)
            x, z = x - origin[0], z - origin[1]
            for i in range(2):
                if gains[i + 1, 0] > 0.0:
                    per = 4 - 3 * i
                    _shine(soft[i], shares[i], per * x, per * z, per * dx, per * dz)
            _widen(lights[k % 2], soft, stains, gains)
        above, below = lights[(k + 1) % 2], lights[k % 2]
        if k == 0:
            above = below
        elif k == pairs:
            below = above
        for row in range(max(top + 2 * k - 1, top), min(top + 2 * k + 1, height)):
            y = (row - centre[1]) * step
            x, z, dx, dz, depth = _line(eye, rotation, y, -centre[0] * step, step)
            fade = min(max(18.0 / depth - 0.25, 0.0), 1.0)
            _lay(grain, tiles[0], 48 * x + first[0], 48 * z + first[1], 48 * dx, 48 * dz, fade)
            share = np.float32(0.25 if row < top + 2 * k else 0.75)
            _multiply(image[row].reshape(3 * width), above, below, share, grain)


@compiled
def _line(
    eye: np.ndarray, rotation: np.ndarray, y: float, x: float, step: float
) -> tuple[float, float, float, float, float]:
    """Where pixels at height `y` lie, from `x` on in steps, all in focal lengths.

    Returns:
        The ground's x and z there, m, what they grow by per step, and the depth, m.
    """
    depth = -eye[1] / min(y * rotation[1, 1] + rotation[2, 1], -1e-4)
    right, ahead = depth * rotation[0, 0], depth * rotation[0, 2]
    x0 = eye[0] + depth * (y * rotation[1, 0] + rotation[2, 0]) + right * x
    z0 = eye[2] + depth * (y * rotation[1, 2] + rotation[2, 2]) + ahead * x
    return x0, z0, right * step, ahead * step, depth


@compiled
def _lay(
    row: np.ndarray, tile: np.ndarray, x: float, z: float, dx: float, dz: float, strength: float
) -> None:
    """Fills `row`, float32 (n,), with factors of the nearest cells, from cell (x, z) on."""
    one, share = np.float32(1.0), np.float32(strength / 400.0)
    if strength <= 0.0:
        for j in range(len(row)):
            row[j] = one
        return
    across, along = _phase(x), _phase(z)
    right, up = int(dx * _ONE), int(dz * _ONE)
    for j in range(len(row)):
        c, r = (
            ((across + j * right) >> _BITS) & (SIDE - 1),
            ((along + j * up) >> _BITS) & (SIDE - 1),
        )
        row[j] = one + share * np.float32(tile[r, c])


@compiled
def _phase(cells: float) -> int:
    """Cells within a period, and a half so that cutting off rounds, with `_BITS` of fraction."""
    return int((cells + 0.5 - SIDE * floor(cells / SIDE)) * _ONE)


@compiled
def _shine(row: np.ndarray, plane: np.ndarray, x: float, z: float, dx: float, dz: float) -> None:
    """Fills `row`, float32 (n,), with a plane (h, w) between its cells, from (x, z) on."""
    right, top = plane.shape[1] - 1.001, plane.shape[0] - 1.001
    for j in range(len(row)):
        across, along = min(max(x + j * dx, 0.0), right), min(max(z + j * dz, 0.0), top)
        c, r = int(across), int(along)
        u, v = across - c, along - r
        low = plane[r, c] * (1.0 - u) + plane[r, c + 1] * u
        high = plane[r + 1, c] * (1.0 - u) + plane[r + 1, c + 1] * u
        row[j] = (low + v * (high - low)) / 255.0


@compiled
def _widen(wide: np.ndarray, soft: np.ndarray, stains: np.ndarray, gains: np.ndarray) -> None:
    """Light times stains, of every fourth pixel (n,), on the pixels between: float32 (12 n,)."""
    for channel in range(3):
        ambient, sun = np.float32(gains[0, channel]), np.float32(gains[1, channel])
        lamp = np.float32(gains[2, channel])
        before = (ambient + sun * soft[0, 0] + lamp * soft[1, 0]) * stains[0]
        for j in range(1, len(stains)):
            here = (ambient + sun * soft[0, j] + lamp * soft[1, j]) * stains[j]
            for i in range(4):
                share = np.float32(0.125 + 0.25 * i)
                wide[12 * j - 12 + 3 * i + channel] = before + share * (here - before)
            before = here


@compiled
def _multiply(
    pixels: np.ndarray, above: np.ndarray, below: np.ndarray, share: np.float32, grain: np.ndarray
) -> None:
    """Multiplies a row, uint8 (3 width,), by light between two rows of it and by grain (width,)."""
    for j in range(len(grain)):
        for i in range(3 * j, 3 * j + 3):
            light = above[i] + share * (below[i] - above[i])
            value = np.float32(pixels[i]) * light * grain[j] + np.float32(0.5)
            pixels[i] = np.uint8(min(np.int32(value), np.int32(255)))
