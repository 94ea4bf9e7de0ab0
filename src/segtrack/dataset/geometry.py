"""Polygons: areas, clipping, self-intersection, outlines of masks.

Units are those of the caller: px, or shares of the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segtrack.dataset.labels import Polygon

EDGE_TOLERANCE = 1e-3  # share of a side by which rounding may put a point outside of the image
GRID = 1024  # cells per side where an area has no closed form
_PAIRS_AT_ONCE = 1 << 18
_SMALL = 64  # up to so many points the pairs of edges are kept


def signed_area(points: Polygon) -> float:
    """Area by the shoelace formula, float64 (n, 2); positive where x turns towards y."""
    x, y = (points - points[0]).T  # relative, so that a small polygon far out keeps its digits
    return float(x[:-1] @ y[1:] - y[:-1] @ x[1:]) / 2  # the closing edge ends at 0, 0


def filled_area(points: Polygon, size: tuple[float, float]) -> float:
    """Area that a self-intersecting outline covers, by counting the cells of a fine grid.

    Args:
        points: float64 (n, 2) inside of ``size``.
        size: width and height of the image.
    """
    from pycocotools import mask

    scale = GRID / np.asarray(size)
    rle = mask.frPyObjects([(points * scale).reshape(-1).tolist()], GRID, GRID)
    return float(mask.area(rle)[0]) * size[0] * size[1] / GRID**2


def without_repeats(points: Polygon) -> Polygon:
    """The points without those that equal the one before (around the corner too)."""
    same = (points == _previous(points)).all(axis=1)
    return points[~same] if same.any() else points


def clip(points: Polygon, size: tuple[float, float]) -> Polygon:
    """The part of a polygon inside of ``[0, width] x [0, height]``, float64 (m, 2), m may be 0.

    Sutherland and Hodgman, "Reentrant polygon clipping", CACM 17 (1974): parts of a concave polygon
    stay joined by edges along the border.
    """
    for axis in (0, 1):
        points = _clip_side(points, axis, 0.0, keep_above=True)
        points = _clip_side(points, axis, float(size[axis]), keep_above=False)
    return without_repeats(points) if len(points) else points


def turned(points: Polygon, pivot: ArrayLike, degrees: float) -> Polygon:
    """Points turned around ``pivot``, from x towards y: clockwise as seen, y runs down."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    away = points - np.asarray(pivot)
    return np.asarray(away @ np.array([[c, s], [-s, c]]) + np.asarray(pivot))


def self_intersects(points: Polygon) -> bool:
    """Whether two edges that are not neighbours share a point.

    Touching counts, as in the OGC definition of a valid ring; ``points`` has no repeats.
    """
    n = len(points)
    following = _following(points)
    low, high = np.minimum(points, following), np.maximum(points, following)
    for first, second in _edge_pairs(n):
        near = ((low[first] <= high[second]) & (low[second] <= high[first])).all(-1)
        if near.any():
            i, j = first[near], second[near]
            if _segments_meet(points[i], following[i], points[j], following[j]):
                return True
    return False


def outlines(rle: dict[str, Any]) -> list[Polygon]:
    """Polygons of a mask, float64 (n, 2) each, in px; they run along the borders of pixels.

    Holes are filled: the training format has none.
    """
    import cv2
    from pycocotools import mask

    pixels = mask.decode(rle)
    x, y, w, h = (int(v) for v in mask.toBbox(rle))
    if not w or not h:
        return []
    # A contour runs through pixel centres. At twice the size every point of it lies in the half of
    # its pixel that faces the border, which rounding then finds.
    part = np.kron(pixels[y : y + h, x : x + w], np.ones((2, 2), np.uint8))
    found, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    corner = np.array([x, y], np.float64)
    polygons = [_corners(((c[:, 0] + 1) // 2).astype(np.float64)) for c in found]
    return [p + corner for p in polygons if len(p) > 2]


def _corners(points: Polygon) -> Polygon:
    """Without repeats and without points on a straight line between their neighbours."""
    points = without_repeats(points)
    turn = _side(_previous(points), points, _following(points)) != 0
    return np.asarray(points[turn])


def _clip_side(points: Polygon, axis: int, limit: float, keep_above: bool) -> Polygon:
    if not len(points):
        return points
    value = points[:, axis] - limit if keep_above else limit - points[:, axis]
    inside = value >= 0
    if inside.all():
        return points
    before, value_before, inside_before = (np.roll(a, 1, axis=0) for a in (points, value, inside))
    result: list[NDArray[np.float64]] = []
    for i in range(len(points)):
        if inside[i] != inside_before[i]:
            share = value_before[i] / (value_before[i] - value[i])
            cut = before[i] + share * (points[i] - before[i])
            cut[axis] = limit
            result.append(cut)
        if inside[i]:
            result.append(points[i])
    return np.array(result, np.float64).reshape(-1, 2)


_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def _edge_pairs(n: int) -> Iterator[_Pairs]:
    """Pairs of edges of an n-gon that are not neighbours, in portions."""
    if n <= _SMALL:
        yield _small_edge_pairs(n)
        return
    rows = max(1, _PAIRS_AT_ONCE // n)
    for start in range(0, n, rows):
        first, second = np.nonzero(
            np.arange(n) > np.arange(start, min(start + rows, n))[:, None] + 1
        )
        first += start
        apart = second - first < n - 1
        yield first[apart], second[apart]


@lru_cache(maxsize=_SMALL)
def _small_edge_pairs(n: int) -> _Pairs:
    first, second = np.triu_indices(n, 2)
    apart = second - first < n - 1
    return first[apart], second[apart]


def _previous(points: Polygon) -> Polygon:
    return np.concatenate((points[-1:], points[:-1]))  # np.roll costs several times as much


def _following(points: Polygon) -> Polygon:
    return np.concatenate((points[1:], points[:1]))


def _segments_meet(a: Polygon, b: Polygon, c: Polygon, d: Polygon) -> bool:
    """Whether any segment a-b meets its segment c-d; arrays (k, 2) whose boxes meet."""
    side_a, side_b = _side(c, d, a), _side(c, d, b)
    side_c, side_d = _side(a, b, c), _side(a, b, d)
    # With meeting boxes, opposite or zero sides on both lines are enough: collinear ones overlap.
    return bool(((side_a * side_b <= 0) & (side_c * side_d <= 0)).any())


def _side(start: Polygon, end: Polygon, point: Polygon) -> NDArray[np.float64]:
    along, off = end - start, point - start
    return np.sign(along[:, 0] * off[:, 1] - along[:, 1] * off[:, 0])
