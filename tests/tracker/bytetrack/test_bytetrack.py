"""Our ByteTrack against ultralytics' and against cases worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import lap
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from segtrack.base.errors import DataError
from segtrack.model.predictions import FrameDetections
from segtrack.tracker import TrackedFrame
from segtrack.tracker.bytetrack import Association, ByteTrackSettings
from segtrack.tracker.bytetrack.bytetrack import ByteTrack, kalman, matching
from tests.base.test_rle import encoded
from tests.tracker.conftest import detections
from tests.tracker.peer import BUFFERS, MOT17, Boxes, byte_tracker, mot_detections

SEQUENCES = [f"MOT17-{number:02}-FRCNN" for number in (2, 4, 5, 9, 10, 11, 13)]
ONE_CLASS = ByteTrackSettings(class_aware=False)


def track(
    frames: Sequence[FrameDetections],
    settings: ByteTrackSettings = ONE_CLASS,
    fps: float = 30,
    height: int = 0,
    motion: Sequence[np.ndarray | None] | None = None,
) -> list[TrackedFrame]:
    tracker = ByteTrack(settings, fps, height)
    moved = motion or [None] * len(frames)
    return [tracker.update(f, motion=m) for f, m in zip(frames, moved, strict=True)]


def crowd(
    seed: int, frame_count: int, objects: int, misses: float = 0.3, classes: int = 1
) -> list[FrameDetections]:
    """Objects that walk on a narrow stage, are missed often, and are seen twice at times."""
    generator = np.random.default_rng(seed)
    place = generator.uniform(0, 400, (objects, 2))
    speed = generator.normal(0, 4, (objects, 2))
    size = generator.uniform(20, 90, (objects, 2))
    class_id = generator.integers(0, classes, objects)
    frames = []
    for t in range(frame_count):
        who = np.concatenate([np.flatnonzero(generator.random(objects) > misses)] * 2)
        who = who[: max(1, int(0.6 * len(who)))]  # a few of them for a second time
        corner = place[who] + speed[who] * t + generator.normal(0, 2, (len(who), 2))
        sizes = size[who] * generator.uniform(0.9, 1.1, (len(who), 2))
        box = np.concatenate([corner, corner + sizes], axis=1)
        score = generator.uniform(0.05, 1, len(who)).astype(np.float32)
        order = np.argsort(-score)
        frames.append(
            FrameDetections(
                t,
                class_id[who][order].astype(np.int16),
                score[order],
                box[order].astype(np.float32),
                [None] * len(who),
            )
        )
    return frames


def assert_same_trajectories(
    frames: Sequence[FrameDetections], ours: Sequence[TrackedFrame], peer: object
) -> int:
    """The same detections in the same boxes under the same ids but for their names."""
    name: dict[int, int] = {}
    objects = 0
    for frame, seen in zip(frames, ours, strict=True):
        theirs = np.asarray(peer.update(Boxes.of(frame))).reshape(-1, 8)  # type: ignore[attr-defined]
        theirs = theirs[np.argsort(theirs[:, 7])]
        order = np.argsort(seen.det_index)
        assert seen.det_index[order].tolist() == theirs[:, 7].tolist(), frame.frame
        np.testing.assert_allclose(seen.bbox_xyxy[order], theirs[:, :4], rtol=0, atol=0.01)
        for mine, their in zip(seen.track_id[order].tolist(), theirs[:, 4].tolist(), strict=True):
            assert name.setdefault(their, mine) == mine, frame.frame
        objects += len(seen)
    assert len(set(name.values())) == len(name)
    return objects


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_trajectories_of_ultralytics_on_mot17(shared_data: Path, sequence: str) -> None:
    """No exceptions: not one box or id differs."""
    frames = mot_detections(shared_data / "mot" / "MOT17-val-half" / sequence)
    buffer = BUFFERS.get(sequence, 30)
    settings = ByteTrackSettings(**MOT17, track_buffer=buffer, class_aware=False)
    assert assert_same_trajectories(frames, track(frames, settings), byte_tracker(buffer)) > 2000


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("buffer", "fuse_score"), [(0, True), (1, False), (3, True)])
def test_trajectories_of_ultralytics_in_a_crowd(seed: int, buffer: int, fuse_score: bool) -> None:
    """Rare ways of a track: found when given up, lost again after that, seen twice."""
    frames = crowd(seed, 40, 12)
    chosen = {"low_thresh": 0.2, "track_thresh": 0.45, "new_track_thresh": 0.4}
    settings = ByteTrackSettings(
        **chosen, track_buffer=buffer, fuse_score=fuse_score, class_aware=False
    )
    peer = byte_tracker(buffer, **chosen, match_thresh=0.8, fuse_score=fuse_score)
    assert assert_same_trajectories(frames, track(frames, settings), peer) > 50


@pytest.mark.parametrize("seed", range(6))
def test_classes_apart_are_trackers_apart(seed: int) -> None:
    frames = crowd(seed, 40, 16, classes=3)
    apart = ByteTrackSettings(class_aware=True)
    together = track(frames, apart)
    rows: set[tuple[int, ...]] = set()
    names: dict[tuple[int, int], int] = {}
    for class_id in range(3):
        only = [f.take(f.class_id == class_id) for f in frames]
        for frame, seen in zip(frames, track(only, apart), strict=True):
            back = np.flatnonzero(frame.class_id == class_id)[seen.det_index]
            whole = together[frame.frame]
            for track_id, index, box in zip(seen.track_id, back, seen.bbox_xyxy, strict=True):
                (row,) = np.flatnonzero(whole.det_index == index)
                key = (class_id, int(track_id))
                assert names.setdefault(key, int(whole.track_id[row])) == whole.track_id[row]
                np.testing.assert_array_equal(box, whole.bbox_xyxy[row])
                rows.add((frame.frame, int(row)))
    assert len(rows) == sum(map(len, together)) > 100
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("limit", [0.3, 0.7, 0.9])
def test_assignment_equals_lap(limit: float) -> None:
    generator = np.random.default_rng(0)
    for trial in range(150):
        n, m = generator.integers(1, 12, 2)
        cost = generator.random((n, m)).astype(np.float32)
        if trial % 3 == 0:
            cost[generator.random((n, m)) < 0.6] = 1  # no overlap
        rows, columns = generator.random(n) < 0.9, generator.random(m) < 0.9
        listed = cost < 1
        start = np.concatenate([[0], np.cumsum(listed.sum(1))])
        got = matching.match(start, np.nonzero(listed)[1], cost[listed], rows, columns, limit)
        expected = np.full(n, -1)
        if rows.any() and columns.any():
            part = np.ascontiguousarray(cost[rows][:, columns], np.float64)
            chosen = lap.lapjv(part, extend_cost=True, cost_limit=limit)[1]
            expected[rows] = np.where(chosen < 0, -1, np.flatnonzero(columns)[chosen])
        assert got.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ([[0.2]], [0]),
        ([[0.5]], [-1]),  # at the limit
        ([[0.1, 0.2], [0.15, 1.0]], [1, 0]),  # .35 for two pairs; .1 and one alone would be .6
        ([[0.1, 0.49], [0.1, 1.0]], [1, 0]),  # .59 against .1 + .5
        ([[0.1, 0.49], [0.12, 1.0]], [0, -1]),  # .61 against .1 + .5
    ],
)
def test_a_row_stays_alone_where_that_is_cheaper(
    cost: list[list[float]], expected: list[int]
) -> None:
    table = np.array(cost, np.float32)
    n, m = table.shape
    start, index = np.arange(0, n * m + 1, m), np.tile(np.arange(m), n)
    every = np.ones(n, bool), np.ones(m, bool)
    assert matching.match(start, index, table.ravel(), *every, 0.5).tolist() == expected


def test_overlaps_equal_a_table_of_all_pairs() -> None:
    generator = np.random.default_rng(1)
    low = generator.uniform(0, 300, (200, 2))
    boxes = np.concatenate([low, low + generator.exponential(25, (200, 2))], axis=1)
    a, b = boxes[:120].astype(np.float32), boxes[120:].astype(np.float32)
    b = b[np.argsort(b[:, 0])]
    class_id = generator.integers(0, 2, 200)
    for class_aware in (False, True):
        start, index, iou = matching.overlaps(a, b, class_id[:120], class_id[120:], class_aware)
        low = np.maximum(a[:, None, :2], b[None, :, :2])
        high = np.minimum(a[:, None, 2:], b[None, :, 2:])
        shared = (high - low).clip(0).prod(2)
        areas = [(x[:, 2:] - x[:, :2]).prod(1) for x in (a, b)]
        expected = shared / (areas[0][:, None] + areas[1] - shared)
        if class_aware:
            expected[class_id[:120, None] != class_id[None, 120:]] = 0
        assert index.tolist() == np.nonzero(expected)[1].tolist()
        assert np.diff(start).tolist() == (expected > 0).sum(1).tolist()
        np.testing.assert_allclose(iou, expected[expected > 0], rtol=1e-4, atol=1e-6)


def test_a_filter_of_two_parts_equals_one_of_eight() -> None:
    from ultralytics.trackers.utils.kalman_filter import KalmanFilterXYAH

    generator = np.random.default_rng(2)
    whole = KalmanFilterXYAH()
    state, book = np.zeros((1, 14)), np.zeros((1, 8), np.int64)
    book[0, 7] = -1  # ROW_BEFORE: it begins
    for t in range(30):
        measured = np.array([[100 + 3 * t, 50, 0.4, 80]]) + generator.normal(0, [2, 2, 0.02, 3])
        measured = measured.astype(np.float32)
        if t:
            book[0, 0], book[0, 7] = 1, 0  # TRACKED
            kalman.predict(state, book, 1, np.eye(2, 3))
            mean, covariance = whole.predict(mean, covariance)  # noqa: F821
            np.testing.assert_allclose(state[0, :8], mean, rtol=1e-9)
            if t % 4 == 0:
                continue
            mean, covariance = whole.update(mean, covariance, measured[0])
        else:
            mean, covariance = whole.initiate(measured[0])
        kalman.update(state, book, 1, measured)
        np.testing.assert_allclose(state[0, :8], mean, rtol=1e-9, atol=1e-12)
        for columns, axes in (((8, 9, 10), (0, 1, 3)), ((11, 12, 13), (2,))):
            for axis in axes:
                v = axis + 4
                expected = [covariance[axis, axis], covariance[axis, v], covariance[v, v]]
                np.testing.assert_allclose(state[0, list(columns)], expected, rtol=1e-9)


def test_a_camera_that_turns_zooms_and_shifts() -> None:
    """A quarter turn, twice as large, then (5, -3) further."""
    state, book = np.zeros((1, 14)), np.zeros((1, 8), np.int64)  # UNCONFIRMED: no own motion
    state[0] = [10, 20, 0.5, 40, 1, 2, 0.1, 3, 4, 0.5, 0.25, 7, 8, 9]
    kalman.predict(state, book, 1, np.array([[0.0, -2, 5], [2, 0, -3]]))
    expected = [-35, 17, 0.5, 80, -4, 2, 0.1, 6, 16, 2, 1, 7, 8, 9]
    np.testing.assert_allclose(state[0], expected)


@pytest.mark.parametrize(("known", "ids"), [(True, {1, 2}), (False, {1, 2, 3, 4})])
def test_tracks_follow_a_camera_that_jerks(known: bool, ids: set[int]) -> None:
    """The picture jumps by 60 pixels in frame 5; objects are 40 wide and a step apart."""
    shift = [0 if t < 5 else 60 for t in range(10)]
    frames = [
        detections(t, [(0, 0.9, x + dx, 50, x + dx + 40, 130) for x in (100, 300)])
        for t, dx in enumerate(shift)
    ]
    step = np.diff(shift, prepend=0)
    motion = [np.array([[1.0, 0, dx], [0, 1, 0]]) for dx in step] if known else None
    seen = track(frames, motion=motion)
    assert {i for s in seen for i in s.track_id.tolist()} == ids
    if known:
        np.testing.assert_allclose(seen[-1].bbox_xyxy, frames[-1].bbox_xyxy, atol=1e-3)


# Masks: two objects with the same boxes, the left and the right half of which they fill.


def half(side: str, x: int, rows: slice = slice(10, 50)) -> np.ndarray:
    mask = np.zeros((64, 200), bool)
    mask[rows, x : x + 20] = side == "left"
    mask[rows, x + 20 : x + 40] = side == "right"
    return mask


def halves(t: int, swap: bool, masks: bool = True) -> FrameDetections:
    """Boxes 2 px apart; where ``swap``, each object is in the other's box."""
    x = 20
    sides = ["right", "left"] if swap else ["left", "right"]
    rows = [(0, 0.9, x, 10, x + 40, 50), (0, 0.9, x + 2, 10, x + 42, 50)]
    return detections(t, rows, [encoded(half(s, x)) if masks else None for s in sides])


@pytest.mark.parametrize(
    ("association", "masks", "swapped"),
    [
        ("box", True, False),
        ("mask", True, True),
        ("box+mask", True, True),
        ("mask", False, False),
        ("box+mask", False, False),
    ],
)
def test_masks_tell_objects_apart_that_boxes_do_not(
    association: str, masks: bool, swapped: bool
) -> None:
    settings = ByteTrackSettings(association=Association[association])
    frames = [halves(t, swap=t == 6, masks=masks) for t in range(7)]
    seen = track(frames, settings, height=64)
    assert seen[5].det_index.tolist() == [0, 1]
    assert seen[6].track_id.tolist() == [1, 2]
    assert seen[6].det_index.tolist() == ([1, 0] if swapped else [0, 1])


def test_a_mask_is_moved_as_the_track_is() -> None:
    """After a gap of three frames at 30 px a frame nothing of the old place is left to compare."""
    settings = ByteTrackSettings(association=Association.mask)

    def frame(t: int, there: bool = True) -> FrameDetections:
        mask = np.zeros((64, 400), bool)
        mask[10:50, 5 + 12 * t : 45 + 12 * t] = True
        row = (0, 0.9, 5 + 12 * t, 10, 45 + 12 * t, 50)
        return detections(t, [row] if there else [], [encoded(mask)] if there else [])

    frames = [frame(t, there=t not in (15, 16, 17, 18)) for t in range(25)]
    seen = track(frames, settings, height=64)
    assert {i for s in seen for i in s.track_id.tolist()} == {1}
    assert len(seen[19]) == 1


def test_a_mask_survives_a_look_without_one() -> None:
    """The mask of frame 5 decides in frame 7, although frame 6 had boxes only."""
    settings = ByteTrackSettings(association=Association.mask)
    frames = [halves(t, swap=t == 7, masks=t != 6) for t in range(8)]
    seen = track(frames, settings, height=64)
    assert seen[7].det_index.tolist() == [1, 0]


def test_masks_of_a_video_of_unknown_height() -> None:
    settings = ByteTrackSettings(association=Association.mask)
    assert [len(s) for s in track([halves(t, False, masks=False) for t in range(2)], settings)] == [
        2,
        2,
    ]
    with pytest.raises(DataError, match=r"height is not known.*tracker\.association=box"):
        track([halves(0, False)], settings)


def test_masks_of_another_size() -> None:
    settings = ByteTrackSettings(association=Association.mask)
    with pytest.raises(DataError, match="12800 pixels in a video 63 pixels high"):
        track([halves(0, False)], settings, height=63)
    other = detections(1, [(0, 0.9, 20, 10, 60, 50)], [encoded(np.ones((64, 300), bool))])
    with pytest.raises(DataError, match="300x64 follow masks of 200x64"):
        track([halves(0, False), other], settings, height=64)


# Whatever comes in.


def test_no_detections_at_all() -> None:
    seen = track([detections(t, []) for t in range(3)])
    assert [len(s) for s in seen] == [0, 0, 0]
    assert [s.frame for s in seen] == [0, 1, 2]
    assert seen[0].bbox_xyxy.shape == (0, 4)


def test_one_frame() -> None:
    (seen,) = track([detections(0, [(0, 0.9, 10, 10, 30, 60), (0, 0.3, 50, 10, 70, 60)])])
    assert seen.track_id.tolist() == [1]
    np.testing.assert_allclose(seen.bbox_xyxy, [[10, 10, 30, 60]], atol=1e-4)


def test_a_thousand_objects() -> None:
    """A grid that walks: everything keeps its id, whatever its neighbours do."""
    corner = np.stack(np.meshgrid(np.arange(40) * 30.0, np.arange(25) * 50.0), -1).reshape(-1, 2)
    frames = []
    for t in range(5):
        moved = corner + np.array([4 * t, 2 * t])
        box = np.concatenate([moved, moved + np.array([26, 45])], axis=1).astype(np.float32)
        score = np.full(1000, 0.9, np.float32)  # equal scores too
        frames.append(FrameDetections(t, np.zeros(1000, np.int16), score, box, [None] * 1000))
    seen = track(frames)
    for s in seen:
        assert s.track_id.tolist() == list(range(1, 1001))
        assert s.det_index.tolist() == seen[0].det_index.tolist()


def test_two_videos_in_two_orders() -> None:
    videos = [crowd(seed, 20, 10) for seed in (1, 2)]
    forth = [track(video) for video in videos]
    back = [track(video) for video in videos[::-1]][::-1]
    for a, b in zip(forth, back, strict=True):
        assert_equal(a, b)


def assert_equal(a: Sequence[TrackedFrame], b: Sequence[TrackedFrame]) -> None:
    for x, y in zip(a, b, strict=True):
        assert x.track_id.tolist() == y.track_id.tolist()
        np.testing.assert_array_equal(x.bbox_xyxy, y.bbox_xyxy)
        np.testing.assert_array_equal(x.score, y.score)


@pytest.mark.parametrize("association", ["box", "mask"])
def test_broken_input_leaves_the_rest_alone(association: str) -> None:
    settings = ByteTrackSettings(association=Association[association])
    whole = [halves(t, False) for t in range(6)]
    broken = []
    for frame in whole:
        row = frame.bbox_xyxy[0]
        extra = np.array([row] * 5)
        extra[0, 1], extra[1, 2], extra[2, 2], extra[3] = np.nan, np.inf, row[0], row[[2, 3, 0, 1]]
        broken.append(
            FrameDetections(
                frame.frame,
                np.append(frame.class_id, [0] * 5).astype(np.int16),
                np.append(frame.score, [0.9, 0.9, 0.9, 0.9, np.nan]).astype(np.float32),
                np.concatenate([frame.bbox_xyxy, extra]),
                [*frame.rle, *[frame.rle[0]] * 5],
            )
        )
    assert_equal(track(whole, settings, height=64), track(broken, settings, height=64))


def permuted(frame: FrameDetections, seed: int) -> FrameDetections:
    return frame.take(np.random.default_rng([seed, frame.frame]).permutation(len(frame)))


boxes_on_a_grid = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([0.05, 0.3, 0.55, 0.9]),
            st.integers(0, 5).map(lambda x: 8.0 * x),
            st.integers(0, 5).map(lambda y: 8.0 * y),
        ),
        max_size=8,
    ),
    max_size=8,
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(video=boxes_on_a_grid, seed=st.integers(0, 99), class_aware=st.booleans())
def test_the_order_of_detections_does_not_matter(
    video: list[list[tuple[int, float, float, float]]], seed: int, class_aware: bool
) -> None:
    """Equal boxes, scores and distances included."""
    frames = [
        detections(t, [(c, s, x, y, x + 24, y + 24) for c, s, x, y in rows])
        for t, rows in enumerate(video)
    ]
    settings = ByteTrackSettings(class_aware=class_aware)
    shuffled = [permuted(frame, seed) for frame in frames]
    a, b = track(frames, settings), track(shuffled, settings)
    assert_equal(a, b)
    for before, after, x, y in zip(frames, shuffled, a, b, strict=True):
        np.testing.assert_array_equal(before.bbox_xyxy[x.det_index], after.bbox_xyxy[y.det_index])
        assert x.class_id.tolist() == before.class_id[x.det_index].tolist() == y.class_id.tolist()


@hypothesis_settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), dx=st.integers(-2000, 2000), dy=st.integers(-2000, 2000))
def test_shifting_all_boxes_shifts_all_tracks(seed: int, dx: int, dy: int) -> None:
    frames = crowd(seed, 12, 8, misses=0.2)
    offset = np.float32([dx, dy, dx, dy])
    moved = [
        FrameDetections(f.frame, f.class_id, f.score, f.bbox_xyxy + offset, f.rle) for f in frames
    ]
    for a, b in zip(track(frames), track(moved), strict=True):
        assert a.track_id.tolist() == b.track_id.tolist()
        assert a.det_index.tolist() == b.det_index.tolist()
        np.testing.assert_allclose(b.bbox_xyxy - offset, a.bbox_xyxy, atol=0.01)


def test_made_by_name(settings: Callable[..., ByteTrackSettings]) -> None:
    from segtrack.tracker import make_tracker

    assert isinstance(make_tracker(settings(), 30), ByteTrack)
