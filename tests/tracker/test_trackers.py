"""ByteTrack behind our door: ids, classes, buffer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import SettingsError
from segtrack.settings import TrackerSettings, TracksSettings
from segtrack.tracker import Tracks, associate, make_tracker
from segtrack.tracker.association import resolved
from segtrack.tracker.bytetrack import Association
from segtrack.tracker.cascade import buffer_frames, new_track_thresh

from .conftest import Reported, detections

Make = Callable[..., TrackerSettings]


@pytest.mark.parametrize(
    ("fps", "buffer", "frames"),
    [
        (30, 30, 30),
        (15, 30, 15),
        (10, 30, 10),
        (25, 14, 11),  # 11.67
        (60, 30, 60),
        (14.999, 30, 14),  # the rule truncates
        (29.97, 30, 29),
        (1, 20, 0),
        (30, 0, 0),
        (0, 30, 30),  # not known
    ],
)
def test_buffer_scales_with_the_frame_rate(fps: float, buffer: int, frames: int) -> None:
    assert buffer_frames(buffer, fps) == frames


@pytest.mark.parametrize(
    ("track_thresh", "given", "result"),
    [(0.5, None, 0.6), (0.95, None, 1.0), (0.5, 0.5, 0.5), (0.5, 0.9, 0.9)],
)
def test_new_track_threshold(
    settings: Make, track_thresh: float, given: float | None, result: float
) -> None:
    chosen = settings(track_thresh=track_thresh, new_track_thresh=given)
    assert new_track_thresh(chosen) == pytest.approx(result)


def test_resolved_settings_say_what_applied(settings: Make) -> None:
    chosen = settings(association=Association["box+mask"])
    assert resolved(chosen, TracksSettings(min_length=3), 10) == {
        "name": "bytetrack",
        "track_thresh": 0.5,
        "low_thresh": 0.1,
        "new_track_thresh": 0.6,
        "match_thresh": 0.8,
        "track_buffer": 30,
        "fuse_score": True,
        "class_aware": False,
        "track_buffer_frames": 10,
        "min_length": 3,
        "min_area": 0,
        "max_aspect_ratio": None,
        "interpolate": 0,
        "disjoint_masks": False,
        "association": "box+mask",
        "camera_motion": False,
    }


def test_unknown_tracker(settings: Make) -> None:
    with pytest.raises(SettingsError, match=r"tracker\.name=sort.*bytetrack"):
        make_tracker(settings(name="sort"), 30)


def test_trackers_that_live_at_once_share_nothing(settings: Make) -> None:
    def walk(frame: int, x: float) -> list[tuple[int, float, float, float, float, float]]:
        return [(0, 0.9, x + frame, 50, x + frame + 20, 100)]

    alone = make_tracker(settings(), 30)
    expected = [alone.update(detections(t, walk(t, 10))) for t in range(10)]
    first, second = make_tracker(settings(), 30), make_tracker(settings(), 30)
    for t in range(10):
        a = first.update(detections(t, walk(t, 10)))
        b = second.update(detections(t, walk(t, 10) + walk(t, 200)))
        assert a.track_id.tolist() == [1]
        assert b.track_id.tolist() == [1, 2]
        np.testing.assert_array_equal(a.bbox_xyxy, expected[t].bbox_xyxy)
        np.testing.assert_array_equal(b.bbox_xyxy[:1], expected[t].bbox_xyxy)


def test_a_tracked_frame_points_back_at_its_detections(settings: Make) -> None:
    rows = [
        (1, 0.3, 300, 10, 340, 40),  # starts no track
        (0, 0.9, 10, 10, 30, 60),
        (0, 0.05, 10, 10, 30, 60),  # below both thresholds
        (1, 0.8, 100, 10, 140, 40),
    ]
    seen = make_tracker(settings(class_aware=False), 30).update(detections(0, rows))
    assert seen.frame == 0
    assert seen.track_id.tolist() == [1, 2]
    assert seen.det_index.tolist() == [1, 3]
    assert seen.class_id.tolist() == [0, 1]
    np.testing.assert_array_equal(seen.score, np.float32([0.9, 0.8]))
    np.testing.assert_allclose(seen.bbox_xyxy, [rows[1][2:], rows[3][2:]], atol=1e-3)
    assert [a.dtype for a in (seen.track_id, seen.det_index, seen.bbox_xyxy)] == [
        np.int64,
        np.int64,
        np.float32,
    ]


def test_broken_detections_are_passed_over(settings: Make) -> None:
    rows = [
        (0, np.nan, 10, 10, 30, 60),
        (0, 0.9, np.nan, 10, 30, 60),
        (0, 0.9, 10, 10, np.inf, 60),
        (0, 0.9, 10, 10, 10, 60),  # no width
        (0, 0.9, 30, 60, 10, 10),  # inside out
        (0, 0.9, 50, 50, 70, 90),
        (0, np.inf, 10, 10, 30, 60),
        (0, -0.5, 10, 10, 30, 60),
        (0, 1.5, 150, 50, 170, 90),  # counts as 1
    ]
    seen = make_tracker(settings(), 30).update(detections(0, rows))
    assert seen.det_index.tolist() == [8, 5]  # the best score comes first
    np.testing.assert_array_equal(seen.score, np.float32([1, 0.9]))


def test_crossing_objects_of_two_classes(settings: Make) -> None:
    """A car drives past a person, whom it hides for a while: both keep their ids."""
    tracker = make_tracker(settings(), 30)
    by_class: dict[int, set[int]] = {0: set(), 1: set()}
    for t in range(31):
        person = (0, 0.9, 150 + t, 50, 190 + t, 110)
        car = (1, 0.8, 4 + 10 * t, 52, 44 + 10 * t, 112)
        seen = tracker.update(detections(t, [car] if 15 <= t < 19 else [person, car]))
        for class_id, track_id in zip(seen.class_id.tolist(), seen.track_id.tolist(), strict=True):
            by_class[class_id].add(track_id)
    assert by_class == {0: {1}, 1: {2}}


@pytest.mark.parametrize(("class_aware", "ids"), [(True, {1, 2}), (False, {1})])
def test_an_object_that_turns_into_another_class(
    settings: Make, class_aware: bool, ids: set[int]
) -> None:
    tracker = make_tracker(settings(class_aware=class_aware), 30)
    seen: set[int] = set()
    for t in range(20):
        frame = detections(t, [(int(t >= 10), 0.9, 100, 50, 140, 110)])
        seen.update(tracker.update(frame).track_id.tolist())
    assert seen == ids


def test_a_class_that_comes_late_is_not_trusted_at_once(settings: Make) -> None:
    """Only in the video's first frame does one look make a track; every class obeys that."""
    tracker = make_tracker(settings(), 30)
    person, car = (0, 0.9, 10, 10, 30, 60), (1, 0.9, 100, 10, 140, 40)
    seen = [
        tracker.update(detections(t, [person] if t < 3 else [person, car])).track_id.tolist()
        for t in range(5)
    ]
    assert seen == [[1], [1], [1], [1], [1, 2]]


@pytest.mark.parametrize(("gap", "ids"), [(10, {1}), (11, {1}), (12, {1, 2})])
def test_empty_frames_age_tracks(
    settings: Make,
    predictions: Callable[..., object],
    report: Reported,
    tmp_path: Path,
    gap: int,
    ids: set[int],
) -> None:
    """At 10 fps a buffer of 30 is 10 frames: a standing object does not come back under its id
    after 12 frames without it, although no frame of the gap is in the table. After 11 it does:
    the reference implementation forgets a track only in the frame after it has given it up."""
    row = (1, 0.9, 100, 100, 160, 140)
    back = 5 + gap
    frames = [detections(t, [row]) for t in [*range(5), *range(back, back + 5)]]
    made = predictions(frames, frame_count=back + 5, fps=10.0)
    associate(made, settings(), TracksSettings(), tmp_path, report)  # type: ignore[arg-type]
    tracks = Tracks.load(tmp_path)
    assert {track.track_id for track in tracks.summary()} == ids
