"""Crossings of a line: ways whose crossings were counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from segtrack.counting.lines import Crossing, crossings
from segtrack.counting.paths import settled
from tests.counting.conftest import SIDE, way

# From left to right: one who stands at (50, 100) and looks to (150, 100) has the upper part of the
# picture on the left hand. So upwards is in.
LINE = np.array([[50.0, 100.0], [150.0, 100.0]])
HYSTERESIS = 0.1  # of boxes 20 px high: 2 px


def found(feet: list[tuple[float, float]], hysteresis: float = HYSTERESIS) -> list[Crossing]:
    return crossings(way(feet), "main", LINE, hysteresis)


def said(feet: list[tuple[float, float]], hysteresis: float = HYSTERESIS) -> list[tuple[int, str]]:
    return [(one.frame, one.direction) for one in found(feet, hysteresis)]


@pytest.mark.parametrize(
    ("ys", "expected"),
    [
        ([130, 110, 90, 70], [(2, "in")]),
        ([70, 90, 110, 130], [(2, "out")]),
        ([130, 70], [(1, "in")]),  # however far a step leads
        ([130, 110, 105], []),
        ([130, 110, 99, 98.5, 110, 130], []),  # never 2 px beyond the line
        ([130, 101, 99, 101, 99, 101, 70], [(6, "in")]),  # jitter; the last time counts
        ([130, 101, 99, 101, 99, 99.5, 70], [(4, "in")]),
        ([130, 70, 130], [(1, "in"), (2, "out")]),
        ([130, 70, 130, 70], [(1, "in"), (2, "out"), (3, "in")]),
        ([101, 99, 101, 99], []),  # never surely on a side
        ([99, 70, 130], [(2, "out")]),
        ([101, 99, 70], []),  # began at the line: it came from nowhere
        ([130, 100, 100, 70], [(1, "in")]),  # a point on the line belongs to the upper side
        ([70, 100, 100, 130], [(3, "out")]),
        ([], []),
        ([130], []),
    ],
)
def test_ways_across(ys: list[float], expected: list[tuple[int, str]]) -> None:
    assert said([(100, y) for y in ys]) == expected


def test_without_hysteresis_each_change_of_side_counts() -> None:
    ys = [130, 101, 99, 101, 99]
    assert said([(100, y) for y in ys], 0) == [(2, "in"), (3, "out"), (4, "in")]


@pytest.mark.parametrize(
    ("feet", "expected"),
    [
        ([(160, 130), (160, 70)], []),  # beside the line
        ([(150, 130), (150, 70)], [(1, "in")]),  # over its very end
        ([(140, 130), (180, 70)], []),  # over the straight line at x = 160
        ([(120, 130), (160, 70)], [(1, "in")]),  # at x = 140
        # Round the end of the line, and back over it.
        ([(100, 130), (160, 130), (160, 70), (100, 70), (100, 130)], [(4, "out")]),
        # Along the line within the band, and over it beyond its end.
        ([(140, 130), (140, 101), (170, 101), (170, 70)], []),
        # Beyond the end twice within the band, and then over the line.
        ([(160, 130), (160, 99), (160, 101), (100, 101), (100, 70)], [(4, "in")]),
    ],
)
def test_only_between_its_ends(
    feet: list[tuple[float, float]], expected: list[tuple[int, str]]
) -> None:
    assert said(feet) == expected


def test_what_a_crossing_says() -> None:
    (one,) = found([(80, 130), (100, 110), (120, 90), (140, 70)])
    assert one == Crossing("main", 2, 0.2, 1, "car", "in", 110.0, 100.0)


def test_the_direction_is_that_of_the_line() -> None:
    path = way([(100, 130), (100, 70)])
    turned = LINE[::-1].copy()
    assert [c.direction for c in crossings(path, "main", turned, HYSTERESIS)] == ["out"]
    upright = np.array(
        [[100.0, 150.0], [100.0, 50.0]]
    )  # looks up: in is to the left of the picture
    path = way([(130, 100), (70, 100)])
    assert [c.direction for c in crossings(path, "main", upright, HYSTERESIS)] == ["in"]


def test_a_gap_is_bridged() -> None:
    path = way([(100, 130), (100, 120), (100, 80)])
    path.frame[:] = [3, 4, 40]
    path.time_s[:] = path.frame / 10
    (one,) = crossings(path, "main", LINE, HYSTERESIS)
    assert (one.frame, one.time_s) == (40, 4.0)


steps = st.lists(st.tuples(st.integers(0, 200), st.integers(60, 140)), min_size=1, max_size=30)
bands = st.sampled_from([0.0, 0.05, 0.1, 0.5])
WIDE = np.array([[-1000.0, 100.25], [1000.0, 100.25]])  # nobody stands on it or goes round it


def net(feet: list[tuple[int, int]], line: np.ndarray, band: float) -> tuple[int, int]:
    directions = [one.direction for one in crossings(way(feet), "main", line, band)]
    return directions.count("in"), directions.count("out")


@settings(deadline=None)
@given(steps, bands)
def test_who_returns_has_gone_in_as_often_as_out(feet: list[tuple[int, int]], band: float) -> None:
    begin = (100, 140)  # surely on a side
    entered, left = net([begin, *feet, begin], WIDE, band)
    assert entered == left


@settings(deadline=None)
@given(steps, bands)
def test_backwards_in_time_in_and_out_change_places(
    feet: list[tuple[int, int]], band: float
) -> None:
    line = LINE + np.array([0.0, 0.25])
    assert net(feet[::-1], line, band) == net(feet, line, band)[::-1]


@settings(deadline=None)
@given(steps, bands)
def test_a_line_turned_round_changes_in_and_out(feet: list[tuple[int, int]], band: float) -> None:
    line = LINE + np.array([0.0, 0.25])
    assert net(feet, line[::-1].copy(), band) == net(feet, line, band)[::-1]


@settings(deadline=None)
@given(steps, bands)
def test_more_hysteresis_never_counts_more(feet: list[tuple[int, int]], band: float) -> None:
    assert sum(net(feet, WIDE, band + 0.1)) <= sum(net(feet, WIDE, band))


@settings(deadline=None)
@given(steps)
def test_equal_to_supervisions_line_zone(feet: list[tuple[int, int]]) -> None:
    """Without hysteresis, of ways that stay between the line's ends: in and out as it has them."""
    zone = sv.LineZone(
        sv.Point(-1000, 100.25),
        sv.Point(1000, 100.25),
        triggering_anchors=[sv.Position.BOTTOM_CENTER],
    )
    for x, y in feet:
        box = np.array([[x - SIDE / 2, y - SIDE, x + SIDE / 2, y]], np.float64)
        zone.trigger(sv.Detections(xyxy=box, tracker_id=np.array([1]), class_id=np.array([0])))
    assert net(feet, WIDE, 0.0) == (zone.in_count, zone.out_count)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        ([5, 1, -1, -5], [1, 1, -1, -1]),
        ([5, -1, 1, -1, 5], [1, 1, 1, 1, 1]),
        ([1, 5, -5, -1], [1, 1, -1, -1]),  # before the first and after the last sure point
        ([1, -1, 1], [0, 0, 0]),
        ([-5, 1, -1, 1, 5], [-1, -1, -1, 1, 1]),
        ([-5, 5], [-1, 1]),
    ],
)
def test_sides_settle(distance: list[float], expected: list[int]) -> None:
    values = np.array(distance, np.float64)
    assert settled(values, np.full(len(values), 2.0)).tolist() == expected
