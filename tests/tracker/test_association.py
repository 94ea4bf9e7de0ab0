"""From predictions to trajectories on disk, and back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from segtrack.base.errors import DataError
from segtrack.base.frame_times import FrameTimes
from segtrack.base.rle import encode_box
from segtrack.model.predictions import Predictions
from segtrack.settings import TrackerSettings, TracksSettings
from segtrack.tracker import Tracks, associate, read_flips
from segtrack.tracker.tracks import SCHEMA, TrackRows, TracksInfo, TracksWriter, write_info

from .conftest import NAMES, Reported, detections

Make = Callable[..., TrackerSettings]
Predict = Callable[..., Predictions]
INFO = TracksInfo(NAMES, 10, 640, 480, 30.0, {"name": "bytetrack"})


def test_the_frames_times_are_kept(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    found = predictions([detections(t, [(1, 0.75, 10, 20, 50, 40)]) for t in range(4)], 4)
    FrameTimes(30.0, np.array([0, 0.1, 0.15, 2.0])).save(found.folder)
    associate(found, settings(), TracksSettings(), tmp_path, report)
    times = Tracks.load(tmp_path).times
    assert [times.seconds(i) for i in range(4)] == [0, 0.1, 0.15, 2.0]


def test_trajectories_of_two_objects(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    """A car in frames 0-5, a person in 2-4 (ByteTrack shows a new track from its second frame)."""
    frames = []
    for t in range(6):
        rows = [(1, 0.75, 10 + t, 20, 50 + t, 40)]
        if 2 <= t <= 4:
            rows.append((0, 0.8, 100, 20, 120, 80))
        frames.append(detections(t, rows, [b"car", b"person"][: len(rows)]))
    associate(
        predictions(frames, 8, width=640, height=480),
        settings(),
        TracksSettings(),
        tmp_path,
        report,
    )
    tracks = Tracks.load(tmp_path)
    assert tracks.info.names == NAMES
    assert tracks.info.frame_count == 8
    assert tracks.info.tracker["new_track_thresh"] == pytest.approx(0.6)
    assert [
        (t.track_id, t.class_id, t.first_frame, t.last_frame, t.frames_seen, round(t.mean_score, 6))
        for t in tracks.summary()
    ] == [(1, 1, 0, 5, 6, 0.75), (2, 0, 3, 4, 2, 0.8)]
    rows = list(tracks.frames())
    assert [r.frame for r in rows] == [0, 1, 2, 3, 4, 5]
    assert [r.track_id.tolist() for r in rows] == [[1], [1], [1], [1, 2], [1, 2], [1]]
    assert rows[3].class_id.tolist() == [1, 0]
    assert rows[3].rle == [b"car", b"person"]  # each object's own mask
    assert not rows[3].interpolated.any()
    assert pq.read_schema(tmp_path / "tracks.parquet").equals(SCHEMA)
    assert sorted(f.name for f in tmp_path.glob("[rt]*")) == ["tracks.json", "tracks.parquet"]
    assert report.pop("speed/associate_ms") > 0
    assert report == {
        "track/tracks": 2,
        "track/objects": 8,
        "track/count/person": 1,
        "track/count/car": 1,
        "track/class_flips": 0,
    }


@pytest.mark.parametrize(
    ("class_aware", "counts"), [(False, {"person": 0, "car": 1}), (True, {"person": 1, "car": 1})]
)
def test_an_object_called_now_this_now_that_is_counted_once(
    settings: Make,
    predictions: Predict,
    report: Reported,
    tmp_path: Path,
    class_aware: bool,
    counts: dict[str, int],
) -> None:
    """Five frames a car, then three a person, then a car again."""
    called = [1] * 5 + [0] * 3 + [1] * 4
    frames = [
        detections(t, [(class_id, 0.9, 100 + t, 50, 140 + t, 110)])
        for t, class_id in enumerate(called)
    ]
    chosen = {} if not class_aware else {"class_aware": True}
    associate(predictions(frames, 12), settings(**chosen), TracksSettings(), tmp_path, report)
    assert {name: report[f"track/count/{name}"] for name in NAMES} == counts
    if not class_aware:
        (track,) = Tracks.load(tmp_path).summary()
        assert (track.class_id, track.frames_seen) == (1, 12)
        assert report["track/class_flips"] == 3 / 12
        flips = read_flips(tmp_path / "flips.parquet")
        assert flips == [(frame, 1, NAMES[0]) for frame in (5, 6, 7)]


def test_a_row_has_the_box_of_its_detection_and_that_of_the_tracker(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    """It jumps by 10 px, which the filter takes for less."""
    boxes = [(100, 50, 160, 110)] * 3 + [(110, 50, 170, 110)]
    frames = [detections(t, [(1, 0.9, *box)]) for t, box in enumerate(boxes)]
    associate(predictions(frames, 4), settings(), TracksSettings(), tmp_path, report)
    rows = list(Tracks.load(tmp_path).frames())
    assert [row.bbox_xyxy[0].tolist() for row in rows] == [list(box) for box in boxes]
    left = [float(row.tracker_bbox_xyxy[0, 0]) for row in rows]
    assert left[:3] == pytest.approx([100] * 3) and 101 < left[3] < 110


@pytest.mark.parametrize(
    ("min_length", "kept"), [(1, [6, 2, 4]), (2, [6, 2, 4]), (3, [6, 4]), (5, [6]), (7, [])]
)
def test_short_tracks_are_dropped_and_ids_have_no_gaps(
    settings: Make,
    predictions: Predict,
    report: Reported,
    tmp_path: Path,
    min_length: int,
    kept: list[int],
) -> None:
    frames = [
        detections(
            t,
            [(1, 0.9, 10, 20, 50, 40)] * (t < 6)
            + [(1, 0.9, 200, 20, 250, 40)] * (2 <= t <= 4)
            + [(0, 0.9, 400, 20, 420, 80)] * (5 <= t <= 9),
        )
        for t in range(10)
    ]
    associate(
        predictions(frames, 10), settings(), TracksSettings(min_length=min_length), tmp_path, report
    )
    tracks = Tracks.load(tmp_path)
    assert [t.frames_seen for t in tracks.summary()] == kept
    assert [t.track_id for t in tracks.summary()] == list(range(1, len(kept) + 1))
    seen = [i for rows in tracks.frames() for i in rows.track_id.tolist()]
    assert [seen.count(i + 1) for i in range(len(kept))] == kept
    assert report["track/tracks"] == len(kept)
    assert report["track/objects"] == sum(kept)
    # Classes that were detected are counted even where nothing of them is left.
    assert {"track/count/person", "track/count/car"} <= set(report)


@pytest.mark.parametrize(
    ("votes", "winner", "flips"),
    [
        ([(0, 0.9), (0, 0.9), (1, 0.9)], 0, 1 / 3),
        ([(0, 0.7), (1, 0.9), (1, 0.7)], 1, 1 / 3),
        ([(0, 0.7), (0, 0.7), (1, 0.9), (1, 0.9)], 1, 1 / 2),  # a tie: the higher sum of scores
        ([(1, 0.9), (1, 0.9), (0, 0.9), (0, 0.9)], 0, 1 / 2),  # a full tie: the lower class
    ],
)
def test_a_track_has_one_class(
    settings: Make,
    predictions: Predict,
    report: Reported,
    tmp_path: Path,
    votes: list[tuple[int, float]],
    winner: int,
    flips: float,
) -> None:
    frames = [
        detections(t, [(class_id, score, 100, 50, 160, 110)])
        for t, (class_id, score) in enumerate(votes)
    ]
    associate(
        predictions(frames, len(frames)),
        settings(class_aware=False),
        TracksSettings(),
        tmp_path,
        report,
    )
    tracks = Tracks.load(tmp_path)
    assert [t.class_id for t in tracks.summary()] == [winner]
    assert {c for rows in tracks.frames() for c in rows.class_id.tolist()} == {winner}
    assert report[f"track/count/{NAMES[winner]}"] == 1
    assert report[f"track/count/{NAMES[1 - winner]}"] == 0
    assert report["track/class_flips"] == pytest.approx(flips)
    assert len(read_flips(tmp_path / "flips.parquet")) == pytest.approx(flips * len(votes))


def test_small_and_wide_boxes_are_dropped_before_tracks_are_counted(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    """A standing person of 20x50 px; one who lies, 50x20 px; one of 8x12 = 96 px²; one of 8x20 px
    who shrinks to 4x10 in frame 2: the two rows that are left of that one are too few."""
    frames = [
        detections(
            t,
            [
                (0, 0.9, 10, 10, 30, 60),
                (0, 0.9, 100, 10, 108, 22),
                (0, 0.9, 200, 10, 250, 30),
                (0, 0.9, *((300, 10, 308, 30) if t < 2 else (302, 15, 306, 25))),
            ],
        )
        for t in range(6)
    ]
    chosen = settings(match_thresh=0.99)
    after = TracksSettings(min_area=100, max_aspect_ratio=1.6, min_length=3)
    associate(predictions(frames, 6), chosen, after, tmp_path, report)
    tracks = Tracks.load(tmp_path)
    assert [(t.track_id, t.frames_seen) for t in tracks.summary()] == [(1, 6)]
    assert {tuple(r.track_id.tolist()) for r in tracks.frames()} == {(1,)}
    assert report["track/objects"] == 6
    assert tracks.info.tracker["min_area"] == 100
    folder = tmp_path / "all"
    folder.mkdir()
    after = TracksSettings(min_area=100, max_aspect_ratio=1.6)
    associate(predictions(frames, 6), chosen, after, folder, Reported())
    assert [t.frames_seen for t in Tracks.load(folder).summary()] == [6, 2]


def test_gaps_are_filled_and_marked(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    """A person who stands and is hidden in frames 4-6, and a car that is hidden for too long."""
    frames = []
    for t in range(12):
        rows = [(0, 0.75, 10, 10, 30, 60)] * (t not in (4, 5, 6))
        rows += [(1, 0.5 + 0.25 * (t > 6), 100, 10, 180, 60)] * (t not in (3, 4, 5, 6))
        frames.append(detections(t, rows, [b"mask"] * len(rows)))
    chosen, after = settings(track_thresh=0.4), TracksSettings(interpolate=3)
    associate(predictions(frames, 12), chosen, after, tmp_path, report)
    tracks = Tracks.load(tmp_path)
    rows = list(tracks.frames())
    assert [r.frame for r in rows] == list(range(12))
    assert [r.track_id.tolist() for r in rows[2:9]] == [[1, 2], [1], [1], [1], [1], [1, 2], [1, 2]]
    assert [bool(r.interpolated[0]) for r in rows] == [4 <= t <= 6 for t in range(12)]
    for r in rows[4:7]:
        np.testing.assert_allclose(r.bbox_xyxy, [[10, 10, 30, 60]], atol=0.5)
        assert r.score.tolist() == [0.75]
        assert r.rle == [None]
    assert [t.frames_seen for t in tracks.summary()] == [9, 8]  # what was detected
    assert report["track/interpolated"] == 3
    assert report["track/objects"] == 17


def test_masks_of_a_frame_are_disjoint(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    """Two cars of 40x20 px that overlap by 10 columns: the one with the higher score keeps them.
    A short track, which is dropped, takes no pixels with it."""
    near, far, brief = (encode_box(np.ones((20, 40), bool), 60, 200, (x, 10)) for x in (10, 40, 60))
    frames = [
        detections(
            t,
            [(1, 0.9, 10, 10, 50, 30), (1, 0.8, 40, 10, 80, 30)]
            + [(0, 0.95, 60, 10, 100, 30)] * (t == 0),
            [near, far] + [brief] * (t == 0),
        )
        for t in range(3)
    ]
    after = TracksSettings(disjoint_masks=True, min_length=2)
    made = predictions(frames, 3, width=200, height=60)
    associate(made, settings(), after, tmp_path, report)
    for rows in Tracks.load(tmp_path).frames():
        by_score = np.argsort(-rows.score)
        masks = [rows.mask(i, 60) for i in by_score.tolist()]
        assert [(m.sum(), x, y) for m, x, y in masks if m is not None] == [  # type: ignore[misc]
            (800, 10, 10),
            (600, 50, 10),
        ]
        assert rows.rle[by_score[0]] == near


def test_motion_of_another_video(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    made = predictions([], 3)
    with pytest.raises(DataError, match=r"motion is known for 2 frames, .* have 3"):
        associate(
            made,
            settings(),
            TracksSettings(),
            tmp_path,
            report,
            motion=np.stack([np.eye(2, 3)] * 2),
        )


def test_a_moving_camera(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path
) -> None:
    """The picture jumps by a box's width in frame 3: with the camera's motion the id stays."""
    frames = [
        detections(t, [(1, 0.9, x, 20, x + 40, 60)]) for t, x in enumerate([90] * 3 + [50] * 3)
    ]
    motion = np.stack([np.eye(2, 3)] * 6)
    motion[3, 0, 2] = -40
    ids = []
    for given_motion in (None, motion):
        folder = tmp_path / f"{given_motion is None}"
        folder.mkdir()
        associate(
            predictions(frames, 6),
            settings(),
            TracksSettings(),
            folder,
            Reported(),
            motion=given_motion,
        )
        ids.append([r.track_id.tolist() for r in Tracks.load(folder).frames()])
    assert ids == [[[1]] * 3 + [[2]] * 2, [[1]] * 6]


@pytest.mark.parametrize("frame_count", [0, 5])
def test_nothing_detected(
    settings: Make, predictions: Predict, report: Reported, tmp_path: Path, frame_count: int
) -> None:
    associate(predictions([], frame_count), settings(), TracksSettings(), tmp_path, report)
    tracks = Tracks.load(tmp_path)
    assert list(tracks.frames()) == []
    assert tracks.summary() == ()
    assert tracks.info.frame_count == frame_count
    assert report["track/tracks"] == report["track/objects"] == 0


def test_remains_of_a_killed_attempt_do_not_matter(
    settings: Make, predictions: Predict, tmp_path: Path
) -> None:
    frames = [detections(t, [(1, 0.9, 10 + t, 20, 50 + t, 40)]) for t in range(6)]
    made = predictions(frames, 6)
    clean, littered = tmp_path / "clean", tmp_path / "littered"
    clean.mkdir()
    littered.mkdir()
    (littered / "raw").mkdir()
    (littered / "raw" / "tracks.parquet").write_bytes(b"PAR1 cut short")
    (littered / "tracks.parquet").write_bytes(b"")
    for folder in (clean, littered):
        associate(made, settings(), TracksSettings(), folder, Reported())
    for name in ("tracks.parquet", "tracks.json"):
        assert (clean / name).read_bytes() == (littered / name).read_bytes()
    assert not (littered / "raw").exists()


@pytest.mark.parametrize("content", [None, "", '{"tracks": []}'])
def test_a_folder_without_trajectories(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tracks.json").write_text(content)
    with pytest.raises(DataError, match=r"tracks\.json"):
        Tracks.load(tmp_path)


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(counts=st.lists(st.integers(0, 7), max_size=30), group=st.integers(1, 9))
def test_frames_come_back_whole_from_any_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: list[int], group: int
) -> None:
    """A frame is read as one even where the table's row groups cut it in two."""
    monkeypatch.setattr("segtrack.tracker.tracks.ROW_GROUP", group)
    generator = np.random.default_rng(len(counts))
    written = [
        TrackRows(
            frame,
            np.arange(1, count + 1),
            np.zeros(count, np.int16),
            generator.random(count).astype(np.float32),
            generator.random((count, 4)).astype(np.float32),
            [b"%d" % frame if i % 2 else None for i in range(count)],
            np.zeros(count, bool),
            generator.random((count, 4)).astype(np.float32),
        )
        for frame, count in enumerate(counts)
    ]
    with TracksWriter(tmp_path / "whole.parquet") as writer:
        for rows in written:
            writer.add(rows)
    whole = pq.read_table(tmp_path / "whole.parquet")
    pq.write_table(whole, tmp_path / "tracks.parquet", row_group_size=group)
    write_info(tmp_path, INFO, [])
    read = list(Tracks.load(tmp_path).frames())
    expected = [rows for rows in written if len(rows)]
    assert [rows.frame for rows in read] == [rows.frame for rows in expected]
    for ours, theirs in zip(read, expected, strict=True):
        assert ours.track_id.tolist() == theirs.track_id.tolist()
        np.testing.assert_array_equal(ours.bbox_xyxy, theirs.bbox_xyxy)
        np.testing.assert_array_equal(ours.tracker_bbox_xyxy, theirs.tracker_bbox_xyxy)
        np.testing.assert_array_equal(ours.score, theirs.score)
        assert ours.rle == theirs.rle
