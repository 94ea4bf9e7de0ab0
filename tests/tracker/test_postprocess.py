"""After the association: filters, votes, gaps and disjoint masks, against plain references."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from segtrack.tracker.postprocess import Tally, disjoint, interpolated, kept
from segtrack.tracker.tracks import TrackRows, TrackSummary


def rows(
    frame: int,
    ids: list[int],
    boxes: list[list[float]] | None = None,
    score: list[float] | None = None,
    rle: list[bytes | None] | None = None,
) -> TrackRows:
    """The tracker's own estimate lies 100 px to the right of each box."""
    n = len(ids)
    box = np.array(boxes or [[0, 0, 10, 20]] * n, np.float32).reshape(-1, 4)
    return TrackRows(
        frame,
        np.array(ids, np.int64),
        np.zeros(n, np.int16),
        np.array(score or [0.5] * n, np.float32),
        box,
        rle or [None] * n,
        np.zeros(n, bool),
        box + np.float32([100, 0, 100, 0]),
    )


@pytest.mark.parametrize(
    ("box", "min_area", "limit", "stays"),
    [
        ([0, 0, 10, 10], 0, None, True),
        ([0, 0, 10, 10], 99, None, True),
        ([0, 0, 10, 10], 100, None, False),  # the area itself has to be larger
        ([5, 5, 15, 25], 199, None, True),
        ([0, 0, 16, 10], 0, 1.6, True),  # exactly the limit stays
        ([0, 0, 17, 10], 0, 1.6, False),
        ([0, 0, 17, 10], 0, None, True),
        ([0, 0, 0, 10], 0, None, False),  # no area
        ([10, 10, 0, 0], 0, None, False),  # inside out, although w * h = 100
        ([np.nan, 0, 10, 10], 0, None, False),
    ],
)
def test_boxes_that_stay(
    box: list[float], min_area: float, limit: float | None, stays: bool
) -> None:
    assert kept(np.array([box], np.float32), min_area, limit).tolist() == [stays]


def test_a_ledger_by_hand() -> None:
    """Track 7 (3 rows, one of another class), 2 (2 rows, from frame 1) and 5 (1 row)."""
    tally = Tally(3)
    tally.add(0, np.array([7]), np.array([1]), np.float32([0.5]))
    tally.add(1, np.array([2, 7]), np.array([0, 2]), np.float32([0.25, 1.0]))
    tally.add(2, np.array([], np.int64), np.array([], np.int16), np.float32([]))
    tally.add(3, np.array([2, 5, 7]), np.array([2, 1, 1]), np.float32([0.5, 0.75, 0.75]))
    settled = tally.settle(1)
    assert settled.tracks == [
        TrackSummary(1, 1, 0, 3, 3, 0.75),
        TrackSummary(2, 2, 1, 3, 2, 0.375),  # a tie of votes: the class with more score
        TrackSummary(3, 1, 3, 3, 1, 0.75),
    ]
    assert (settled.rows, settled.flips) == (6, 2)
    told: list[tuple[int, int, int]] = []
    apart = [rows(3, [2, 5, 7], [[i] * 4 for i in (2, 5, 7)])]
    (made,) = settled.apply(apart, lambda *flip: told.append(flip))
    assert told == [(3, 1, 0), (3, 2, 0), (3, 3, 0)]  # all three were detected as class 0
    assert made.track_id.tolist() == [1, 2, 3]  # the oldest track has the lowest id
    assert made.class_id.tolist() == [
        1,
        2,
        1,
    ]  # of all their rows
    assert made.bbox_xyxy[:, 0].tolist() == [7, 2, 5]
    longer = tally.settle(2)
    assert [track.track_id for track in longer.tracks] == [1, 2]
    assert (longer.rows, longer.flips) == (5, 2)
    told.clear()
    frames = longer.apply([rows(0, [7]), rows(3, [5])], lambda *flip: told.append(flip))
    assert [r.frame for r in frames] == [0]
    assert told == [(0, 1, 0)]  # what is dropped flips nothing


@pytest.mark.parametrize(
    ("votes", "winner", "flips"),
    [
        ([(0, 0.9), (0, 0.9), (1, 0.9)], 0, 1),  # the majority
        ([(0, 0.3), (0, 0.3), (1, 0.9)], 1, 2),  # one that is sure against two that are not
        ([(0, 0.5), (1, 0.25), (1, 0.25)], 1, 1),  # equal sums: the more rows
        ([(1, 0.5), (0, 0.5)], 0, 1),  # equal in both: the lower class
        ([(2, 0.5)], 2, 0),
    ],
)
def test_a_track_has_the_class_of_the_highest_sum_of_scores(
    votes: list[tuple[int, float]], winner: int, flips: int
) -> None:
    tally = Tally(3)
    for frame, (class_id, score) in enumerate(votes):
        tally.add(frame, np.array([4]), np.array([class_id]), np.float32([score]))
    settled = tally.settle(1)
    assert [track.class_id for track in settled.tracks] == [winner]
    assert settled.flips == flips


def test_no_track_at_all() -> None:
    settled = Tally(2).settle(1)
    assert (settled.tracks, settled.rows, settled.flips) == ([], 0, 0)


def test_a_gap_filled_by_hand() -> None:
    """Track 1 is away in frames 1-3; track 2 is there all the time."""
    given_rows = [
        rows(0, [1, 2], [[0, 0, 10, 20], [50, 50, 60, 60]], [0.8, 0.9], [b"a", b"b"]),
        *(rows(t, [2], [[50, 50, 60, 60]], [0.9], [b"b"]) for t in (1, 2, 3)),
        rows(4, [1, 2], [[8, 4, 22, 20], [50, 50, 60, 60]], [0.6, 0.9], [b"c", b"b"]),
    ]
    made = list(interpolated(given_rows, 3))
    assert [r.frame for r in made] == [0, 1, 2, 3, 4]
    assert all(r.track_id.tolist() == [1, 2] for r in made)
    assert [r.bbox_xyxy[0].tolist() for r in made[1:4]] == [
        [2, 1, 13, 20],
        [4, 2, 16, 20],
        [6, 3, 19, 20],
    ]
    for r in made[1:4]:
        assert (r.tracker_bbox_xyxy - r.bbox_xyxy).tolist() == [[100, 0, 100, 0]] * 2
        assert r.interpolated.tolist() == [True, False]
        assert r.score.tolist() == pytest.approx([0.7, 0.9])
        assert r.rle == [None, b"b"]
    assert not made[0].interpolated.any()
    assert not made[4].interpolated.any()
    # One frame too long to be filled.
    assert [len(r) for r in interpolated(given_rows, 2)] == [2, 1, 1, 1, 2]


def test_a_gap_in_frames_that_are_empty() -> None:
    made = list(interpolated([rows(3, [1], [[0, 0, 4, 4]]), rows(5, [1], [[2, 0, 6, 4]])], 1))
    assert [r.frame for r in made] == [3, 4, 5]
    assert made[1].bbox_xyxy.tolist() == [[1, 0, 5, 4]]


@settings(max_examples=80, deadline=None)
@given(
    seen=st.lists(st.sets(st.integers(1, 4)), max_size=25),
    longest=st.integers(1, 6),
)
def test_gaps_of_any_video(seen: list[set[int]], longest: int) -> None:
    """Against the whole table at once; rows that were there stay, frames and ids ascend."""
    frames = [
        rows(t, sorted(ids), [[t * i, t, t * i + 9, t + 9] for i in sorted(ids)])
        for t, ids in enumerate(seen)
        if ids
    ]
    expected: dict[tuple[int, int], bool] = {}
    for i in range(1, 5):
        there = [t for t, ids in enumerate(seen) if i in ids]
        expected |= {(t, i): False for t in there}
        for a, b in pairwise(there):
            if b - a - 1 <= longest:
                expected |= {(t, i): True for t in range(a + 1, b)}
    made = list(interpolated(frames, longest))
    keys = [(r.frame, i) for r in made for i in r.track_id.tolist()]
    assert keys == sorted(expected)
    marks = [bool(x) for r in made for x in r.interpolated]
    assert marks == [expected[key] for key in keys]
    for r in made:  # everything here moves on straight lines
        for i, box in zip(r.track_id.tolist(), r.bbox_xyxy, strict=True):
            x, y = r.frame * i, r.frame
            np.testing.assert_allclose(box, [x, y, x + 9, y + 9], atol=1e-4)


def test_only_a_few_frames_are_held() -> None:
    """With gaps of up to 3 frames, frame t is out as soon as frame t + 3 has come."""
    taken = []

    def frames() -> object:
        for t in range(50):
            taken.append(t)
            yield rows(t, [1])

    for r in interpolated(frames(), 3):  # type: ignore[arg-type]
        assert taken[-1] <= min(r.frame + 3, 49)


def encoded(mask: np.ndarray) -> bytes:
    return bytes(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"])


def decoded(counts: bytes | None, shape: tuple[int, int]) -> np.ndarray:
    if counts is None:
        return np.zeros(shape, bool)
    return coco_mask.decode({"size": list(shape), "counts": counts}).astype(bool)


def test_two_masks_by_hand() -> None:
    left, right, hidden = np.zeros((3, 6, 8), bool)
    left[1:5, 0:5] = True
    right[2:6, 3:8] = True
    hidden[2:4, 3:5] = True
    frame = rows(0, [1, 2, 3, 4], None, [0.5, 0.9, 0.7, 0.8], None)
    frame.rle[:] = [encoded(left), encoded(right), encoded(hidden), None]
    (made,) = disjoint([frame], 6, 8)
    assert made.rle[1] == encoded(right)
    assert made.rle[0] == encoded(left & ~right)
    assert made.rle[2] is None  # nothing is left, the row stays
    assert made.rle[3] is None
    assert len(made) == 4


@settings(max_examples=80, deadline=None)
@given(
    masks=arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 12), st.integers(1, 12))),
    data=st.data(),
)
def test_masks_of_any_frame(masks: np.ndarray, data: st.DataObject) -> None:
    n, shape = len(masks), (masks.shape[1], masks.shape[2])
    scores = data.draw(st.lists(st.sampled_from([0.25, 0.5, 0.75]), min_size=n, max_size=n))
    frame = rows(0, list(range(1, n + 1)), None, scores, [encoded(mask) for mask in masks])
    (made,) = disjoint([frame], *shape)
    claimed = np.zeros(shape, bool)
    for i in sorted(range(n), key=lambda i: -scores[i]):  # stable: the lower id first
        own = masks[i] & ~claimed
        claimed |= masks[i]
        np.testing.assert_array_equal(decoded(made.rle[i], shape), own)
        if not (masks[i] & ~own).any():
            assert made.rle[i] == frame.rle[i]
