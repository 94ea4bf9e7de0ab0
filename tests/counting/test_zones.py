"""Visits to a zone: ways whose visits were counted by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtrack.counting.zones import occupancy, signed_distance, visits
from tests.counting.conftest import way

SQUARE = np.array([[40.0, 40.0], [80.0, 40.0], [80.0, 80.0], [40.0, 80.0]])
# A square without its right quarter, whose notch reaches to the middle.
NOTCHED = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 50.0], [100.0, 100.0], [0.0, 100.0]])
# first, last frame, entered, left, seconds of a visit
Told = tuple[int, int, bool, bool, float]


def told(xs: list[float], hysteresis: float = 0.1) -> list[Told]:
    found = visits(way([(x, 60) for x in xs]), "z", SQUARE, hysteresis)
    return [
        (v.first_frame, v.last_frame, v.entered, v.left, pytest.approx(v.dwell_s)) for v in found
    ]


@pytest.mark.parametrize(
    ("xs", "expected"),
    [
        ([20, 30, 50, 60, 70, 90], [(2, 4, True, True, 0.3)]),
        ([50, 60, 90], [(0, 1, False, True, 0.2)]),
        ([20, 50, 60], [(1, 2, True, False, 0.1)]),
        ([50, 50, 50], [(0, 2, False, False, 0.2)]),
        ([20, 30, 39, 41, 39, 30, 20], []),  # less than 2 px inside
        ([20, 50, 39, 41, 50, 20], [(1, 4, True, True, 0.4)]),  # less than 2 px outside
        ([20, 50, 20, 50, 20], [(1, 1, True, True, 0.1), (3, 3, True, True, 0.1)]),
        ([39, 41, 50, 20], [(0, 2, False, True, 0.3)]),  # began at the border, and was inside then
        ([41, 39], []),
    ],
)
def test_visits(xs: list[float], expected: list[Told]) -> None:
    assert told(xs) == expected


def test_who_is_not_seen_is_where_he_was() -> None:
    path = way([(20, 60), (50, 60), (60, 60), (90, 60)])
    path.frame[:] = [0, 2, 3, 30]
    path.time_s[:] = path.frame / 10
    (one,) = visits(path, "z", SQUARE, 0.1)
    assert (one.first_frame, one.last_frame, one.left) == (2, 29, True)
    assert one.dwell_s == pytest.approx(2.8)


def test_how_many_there_are() -> None:
    there = [
        *visits(way([(20, 60), (50, 60), (60, 60), (90, 60)]), "z", SQUARE, 0.1),
        *visits(way([(60, 60)] * 5), "z", SQUARE, 0.1),
    ]
    assert occupancy(there, 6).tolist() == [1, 2, 2, 1, 1, 0]
    assert occupancy([], 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((20, 50), 20.0),
        ((50, 20), 20.0),  # to the upper side; the notch is farther
        ((45, 50), 5.0),
        ((60, 50), -(50**0.5)),  # in the notch, to both of its sides
        ((-30, -40), -50.0),
        ((0, 50), 0.0),
    ],
)
def test_distance_to_a_border(point: tuple[float, float], expected: float) -> None:
    (got,) = signed_distance(np.array([point], np.float64), NOTCHED)
    assert abs(got) == pytest.approx(abs(expected), abs=1e-9) and got * expected >= 0


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=3, max_size=8, unique=True
    ),
    st.lists(st.tuples(st.integers(-10, 60), st.integers(-10, 60)), min_size=1, max_size=20),
)
def test_distance_equal_to_opencvs(
    corners: list[tuple[int, int]], points: list[tuple[int, int]]
) -> None:
    """Also of outlines that cross themselves: both judge by the even-odd rule."""
    polygon = np.array(corners, np.float64)
    expected = [
        cv2.pointPolygonTest(polygon.astype(np.float32)[:, None], (float(x), float(y)), True)
        for x, y in points
    ]
    got = signed_distance(np.array(points, np.float64), polygon)
    assert got == pytest.approx(np.array(expected), abs=1e-4)


@settings(deadline=None)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=40))
def test_who_begins_and_ends_outside_has_entered_as_often_as_left(xs: list[int]) -> None:
    found = told([0, *map(float, xs), 0])
    assert all(entered and left for _, _, entered, left, _ in found)
    turned = told([0, *map(float, xs[::-1]), 0])
    assert len(found) == len(turned)
