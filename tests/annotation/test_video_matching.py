"""What became of trajectories, by hand-made cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from segtrack.annotation.video_matching import TrackOutcome, compare_tracks
from segtrack.annotation.video_outlines import OutlineTrack
from segtrack.base.polygons import Polygon

SIZE = (200, 100)


def box(x: float, y: float, width: float = 20.0, height: float = 16.0) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def track(
    track_id: int, frames: Iterable[int], y: float = 10.0, name: str = "car", dx: float = 0.0
) -> OutlineTrack:
    """A box that goes 2 px to the right in each frame, ``dx`` beside its place."""
    return OutlineTrack(track_id, name, {f: box(5 + 2.0 * f + dx, y) for f in frames})


def kinds(sent: Sequence[OutlineTrack], back: Sequence[OutlineTrack]) -> list[tuple[object, ...]]:
    review = compare_tracks(sent, back, SIZE)
    return [(one.kind, one.track_id, one.became) for one in review.outcomes]


TEN = range(10)
LEFT, RIGHT = range(5), range(5, 10)
CASES = {
    "as it was": ([track(7, TEN)], [track(0, TEN)], [("accepted", 7, (0,))]),
    "rounded to whole px": ([track(7, TEN)], [track(0, TEN, dx=0.4)], [("accepted", 7, (0,))]),
    "moved": ([track(7, TEN)], [track(0, TEN, dx=5)], [("corrected", 7, (0,))]),
    "gone": ([track(7, TEN)], [], [("deleted", 7, ())]),
    "elsewhere": (
        [track(7, TEN)],
        [track(0, TEN, y=60)],
        [("deleted", 7, ()), ("added", None, (0,))],
    ),
    "cut short": ([track(7, TEN)], [track(0, LEFT)], [("corrected", 7, (0,))]),
    "made longer": ([track(7, LEFT)], [track(0, TEN)], [("corrected", 7, (0,))]),
    "another class": (
        [track(7, TEN)],
        [track(0, TEN, name="bus")],
        [("corrected", 7, (0,))],
    ),
    "split": (
        [track(7, TEN)],
        [track(0, LEFT), track(1, RIGHT)],
        [("split", 7, (0, 1))],
    ),
    "joined": (
        [track(7, LEFT), track(9, RIGHT)],
        [track(0, TEN)],
        [("joined", 7, (0,)), ("joined", 9, (0,))],
    ),
    "two that had changed places": (
        # The tracker's 1 was on the upper object first, then on the lower one; 2 the other way.
        [
            OutlineTrack(1, "car", {f: box(5, 10 if f < 5 else 60) for f in TEN}),
            OutlineTrack(2, "car", {f: box(5, 60 if f < 5 else 10) for f in TEN}),
        ],
        [
            OutlineTrack(0, "car", {f: box(5, 10) for f in TEN}),
            OutlineTrack(1, "car", {f: box(5, 60) for f in TEN}),
        ],
        [("split", 1, (0, 1)), ("split", 2, (0, 1))],
    ),
    "split, and its later part moved": (
        [track(7, range(20))],
        [
            OutlineTrack(0, "car", dict(track(7, range(12)).outlines)),
            OutlineTrack(1, "car", {
                f: box(5 + 2.0 * f, 70 if f < 12 else 13) for f in range(20)
            }),
        ],
        [("split", 7, (0, 1))],
    ),
    "drawn beside one that stays": (
        [track(7, TEN)],
        [track(0, TEN), track(1, TEN, y=60)],
        [("accepted", 7, (0,)), ("added", None, (1,))],
    ),
    "one of two on the same object goes": (
        [track(7, TEN), track(8, TEN, dx=1)],
        [track(0, TEN)],
        [("accepted", 7, (0,)), ("deleted", 8, ())],
    ),
    "touched in passing": (
        # The second crosses the first in one frame, where both were moved: no link comes of it.
        [track(7, TEN), OutlineTrack(8, "car", {f: box(5 + 2.0 * f, 91 - 10.0 * f) for f in TEN})],
        [track(0, TEN, dx=4), OutlineTrack(1, "car", {f: box(5 + 2.0 * f, 91 - 10.0 * f)
                                                      for f in TEN})],
        [("corrected", 7, (0,)), ("accepted", 8, (1,))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    sent, back, expected = CASES[name]
    assert kinds(sent, back) == expected


def test_outlines_are_counted() -> None:
    sent = [track(7, TEN)]
    outlines = dict(track(0, TEN).outlines)
    outlines[3] = box(14, 12)  # moved
    del outlines[4], outlines[5]  # removed
    outlines |= {10: box(25, 10), 11: box(27, 10), 12: box(29, 10)}  # added
    review = compare_tracks(sent, [OutlineTrack(0, "bus", outlines)], SIZE)
    assert review.outcomes == (TrackOutcome("corrected", "car", 7, (0,), 7, 1, 2, 3, "bus"),)
    assert review.parts == {0: (0,)}


def test_what_was_added_to_joined_ones_counts_once() -> None:
    sent = [track(7, range(4)), track(9, range(6, 10))]
    review = compare_tracks(sent, [track(0, TEN)], SIZE)
    assert [(one.untouched, one.added) for one in review.outcomes] == [(4, 2), (4, 0)]
    assert review.parts == {0: (0, 1)}


def test_every_outline_moved_of_both() -> None:
    """Nothing is left as it was: overlap alone says which is which."""
    sent = [track(7, TEN), track(9, TEN, y=22)]
    back = [track(0, TEN, y=23, dx=2), track(1, TEN, y=11, dx=2)]
    assert kinds(sent, back) == [("corrected", 7, (1,)), ("corrected", 9, (0,))]


def test_a_review_of_nothing() -> None:
    assert compare_tracks([], [], SIZE).outcomes == ()
