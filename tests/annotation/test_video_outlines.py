"""What lies between two key frames."""

from __future__ import annotations

import numpy as np
import pytest

from segtrack.annotation.video_outlines import Between, OutlineTrack, aligned, between, gaps_of
from segtrack.base.polygons import Polygon


def box(x: float, y: float, width: float = 10.0, height: float = 8.0) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def track(*frames: int) -> OutlineTrack:
    """A box that goes 3 px to the right in each frame."""
    return OutlineTrack(1, "car", {frame: box(3.0 * frame, 5.0) for frame in frames})


def test_straight_lines_between_key_frames() -> None:
    found = list(between(track(2, 5, 6), frozenset()))
    assert [one.frame for one in found] == [3, 4]
    assert all(one.judged for one in found)
    for one in found:
        np.testing.assert_allclose(one.ring, box(3.0 * one.frame, 5.0))


def test_where_the_tracker_lost_it_nothing_is_judged() -> None:
    one = track(0, 4, 8)
    assert gaps_of(one, 1) == {(0, 4), (4, 8)}
    assert gaps_of(one, 4) == frozenset()
    found = list(between(one, frozenset({(0, 4)})))
    assert [(b.frame, b.judged) for b in found] == [
        *((1, False), (2, False), (3, False)),
        *((5, True), (6, True), (7, True)),
    ]


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("reverse", (False, True))
def test_a_ring_that_begins_or_turns_otherwise_does_not_twist(turn: int, reverse: bool) -> None:
    moved = np.roll(box(20, 9), turn, 0)
    first, second = aligned(box(0, 5), moved[::-1] if reverse else moved)
    np.testing.assert_allclose(second - first, np.full((4, 2), (20.0, 4.0)))


def test_rings_of_different_numbers_of_points() -> None:
    triangle = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 30.0]])
    split = np.insert(triangle, 1, [[10.0, 0.0], [20.0, 0.0]], axis=0)  # the same triangle
    first, second = aligned(triangle, split + np.array([6, 2]))
    assert len(first) == len(second) == 32
    # Both are divided evenly from the same corner on: 120 px / 32 = 3.75 px.
    np.testing.assert_allclose(first[1] - first[0], (3.75, 0))
    np.testing.assert_allclose(second - first, np.full((32, 2), (6.0, 2.0)), atol=1e-9)


def test_neighbours_have_nothing_between() -> None:
    assert list(between(track(3, 4, 5), frozenset())) == []
    assert isinstance(next(between(track(3, 5), frozenset())), Between)
