"""Polygons against hand-computed values and slow, independent references."""

from fractions import Fraction
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask

from segtrack.dataset.geometry import (
    clip,
    filled_area,
    outlines,
    self_intersects,
    signed_area,
    without_repeats,
)

Points = list[tuple[int, int]]


def polygon(points: Any) -> np.ndarray:
    return np.array(points, np.float64)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([(0, 0), (4, 0), (4, 3), (0, 3)], 12.0),  # x turns towards y
        ([(0, 3), (4, 3), (4, 0), (0, 0)], -12.0),  # the other way round
        ([(0, 0), (4, 0), (0, 3)], 6.0),
        ([(0, 0), (2, 2), (2, 0), (0, 2)], 0.0),  # a bow tie: halves of opposite sign
        ([(0, 0), (5, 0), (9, 0)], 0.0),  # a line
        ([(1e6, 1e6), (1e6 + 1, 1e6), (1e6 + 1, 1e6 + 1)], 0.5),  # far from the origin
    ],
)
def test_signed_area(points: Points, area: float) -> None:
    assert signed_area(polygon(points)) == area


def test_filled_area_of_a_bow_tie_counts_both_halves() -> None:
    # Two triangles of base 100 and height 50.
    points = polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    assert filled_area(points, (200.0, 100.0)) == pytest.approx(5000, rel=0.005)


def test_without_repeats_looks_around_the_corner() -> None:
    points = polygon([(0, 0), (0, 0), (1, 0), (1, 1), (1, 1), (0, 0)])
    assert without_repeats(points).tolist() == [[1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        # a square that hangs over the upper left corner
        ([(-2, -2), (3, -2), (3, 3), (-2, 3)], [(0, 0), (3, 0), (3, 3), (0, 3)]),
        # a triangle that sticks out to the right: cut at x = 10
        ([(8, 2), (12, 4), (8, 6)], [(8, 2), (10, 3), (10, 5), (8, 6)]),
        ([(-9, 1), (-5, 1), (-5, 4)], []),  # all outside
        ([(1, 1), (9, 1), (9, 9)], [(1, 1), (9, 1), (9, 9)]),  # all inside
    ],
)
def test_clip(points: Points, expected: Points) -> None:
    clipped = clip(polygon(points), (10.0, 10.0))
    assert {tuple(p) for p in clipped.tolist()} == {(float(x), float(y)) for x, y in expected}
    assert len(clipped) == len(expected)


coordinate = st.integers(-20, 30)
some_polygon = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9)


@given(some_polygon)
def test_clip_stays_inside_and_halves_add_up(points: Points) -> None:
    whole = clip(polygon(points), (10.0, 10.0))
    assert ((whole >= 0) & (whole <= 10)).all()
    # Signed area is additive over any division of the plane, for crossing outlines too.
    left = clip(polygon(points), (4.0, 10.0))
    right = clip(polygon(points) - (4, 0), (6.0, 10.0))
    halves = sum(signed_area(part) for part in (left, right) if len(part))
    assert halves == pytest.approx(signed_area(whole) if len(whole) else 0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0, 0), (4, 0), (4, 4)], False),
        ([(0, 0), (4, 0), (4, 4), (0, 4)], False),
        ([(0, 0), (4, 4), (4, 0), (0, 4)], True),  # bow tie
        ([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)], True),  # a corner touches an edge
        ([(0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4)], True),  # a corner twice
        ([(0, 0), (6, 0), (6, 1), (4, 0), (2, 0), (2, 1)], True),  # edges overlap
        ([(0, 0), (9, 0), (9, 9), (5, 1), (0, 9)], False),  # concave
    ],
)
def test_self_intersects(points: Points, expected: bool) -> None:
    assert self_intersects(polygon(points)) is expected


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=8))
def test_self_intersects_equals_exact_arithmetic(points: Points) -> None:
    points = [tuple(p) for p in without_repeats(polygon(points)).astype(int).tolist()]
    assert self_intersects(polygon(points).reshape(-1, 2)) is _crosses(points)


def test_self_intersects_of_many_points_goes_in_portions() -> None:
    angle = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert not self_intersects(circle)
    circle[[100, 2000]] = circle[[2000, 100]]
    assert self_intersects(circle)


@given(st.integers(0, 10_000))
def test_outlines_cover_exactly_the_mask(seed: int) -> None:
    noise = np.random.default_rng(seed).random((30, 40)).astype(np.float32)
    pixels = (cv2.GaussianBlur(noise, (0, 0), 1 + seed % 3) > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(pixels)
    cv2.drawContours(filled, contours, -1, 1, -1)  # holes are filled
    polygons = outlines(mask.encode(np.asfortranarray(pixels)))
    flat = [p.reshape(-1).tolist() for p in polygons]
    back = mask.decode(mask.merge(mask.frPyObjects(flat, 30, 40))) if flat else 0 * filled
    assert np.array_equal(back, filled)
    assert sum(abs(signed_area(p)) for p in polygons) == filled.sum()


def test_outlines_of_one_pixel_is_its_border() -> None:
    pixels = np.zeros((5, 6), np.uint8, order="F")
    pixels[2, 3] = 1
    (square,) = outlines(mask.encode(pixels))
    assert sorted(square.tolist()) == [[3, 2], [3, 3], [4, 2], [4, 3]]


def _crosses(points: Points) -> bool:
    """Every pair of edges that are not neighbours, by solving for the crossing in fractions."""
    n = len(points)
    edges = [(points[i], points[(i + 1) % n]) for i in range(n)]
    return any(
        _meet(*edges[i], *edges[j])
        for i, j in combinations(range(n), 2)
        if j - i > 1 and j - i < n - 1
    )


def _meet(a: Any, b: Any, c: Any, d: Any) -> bool:
    r, s = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1])
    offset = (c[0] - a[0], c[1] - a[1])
    determinant = r[0] * s[1] - r[1] * s[0]
    if determinant:
        t = Fraction(offset[0] * s[1] - offset[1] * s[0], determinant)
        u = Fraction(offset[0] * r[1] - offset[1] * r[0], determinant)
        return 0 <= t <= 1 and 0 <= u <= 1
    if offset[0] * r[1] - offset[1] * r[0]:
        return False  # parallel
    axis = 0 if r[0] else 1
    low, high = sorted((a[axis], b[axis]))
    return max(low, min(c[axis], d[axis])) <= min(high, max(c[axis], d[axis]))
