"""results.json 1.0 and the benchmark formats beside it."""

import copy
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError, StageError
from segtrack.base.frame_times import FrameTimes
from segtrack.dataset.sequences import VideoSequence
from segtrack.model.predictions import PredictionsInfo
from segtrack.tracker import Tracks, validate_results, write_results
from segtrack.tracker.motfiles import mots_ids, mots_lines
from segtrack.tracker.results import results_schema
from segtrack.tracker.tracks import TrackRows, TracksInfo, TrackSummary, TracksWriter, write_info

NAMES = ("person", "voiture à cheval")
SEQUENCE = VideoSequence("street [1]", None, "ab" * 32, 8, 6, 10.0, 3)
PREDICTED = PredictionsInfo(NAMES, 3, 8, 6, 10.0, "yolov8n-seg", "cd" * 32, 640, 0.05)
TRACKER = {"name": "bytetrack", "track_thresh": 0.5, "class_aware": True}
RUN = {
    "mlflow_run_id": "0123",
    "config_hash": "4567",
    "git_commit": None,
    "created_at": "2026-01-02T03:04:05+00:00",
}


LAG = 0.5  # px, between a detection and what the tracker makes of it


def encoded(mask: np.ndarray) -> bytes:
    return bytes(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"])


def decoded(counts: bytes, height: int, width: int) -> np.ndarray:
    stack = coco_mask.decode([{"size": [height, width], "counts": counts}])
    return np.asarray(stack[..., 0], dtype=bool)


def rectangle(x1: int, y1: int, x2: int, y2: int, height: int = 6, width: int = 8) -> bytes:
    mask = np.zeros((height, width), bool)
    mask[y1:y2, x1:x2] = True
    return encoded(mask)


def rows_of(
    frame: int, objects: list[tuple[int, int, float, list[float], bytes | None]]
) -> TrackRows:
    """Objects as (track_id, class_id, score, box, rle)."""
    return TrackRows(
        frame,
        np.array([o[0] for o in objects], np.int64),
        np.array([o[1] for o in objects], np.int16),
        np.array([o[2] for o in objects], np.float32),
        np.array([o[3] for o in objects], np.float32).reshape(-1, 4),
        [o[4] for o in objects],
        np.zeros(len(objects), bool),
        np.array([o[3] for o in objects], np.float32).reshape(-1, 4) + np.float32(LAG),
    )


def tracks_of(
    folder: Path, frames: Iterable[TrackRows], tracks: list[TrackSummary], **info: Any
) -> Tracks:
    facts = {"names": NAMES, "frame_count": 3, "width": 8, "height": 6, "fps": 10.0, **info}
    with TracksWriter(folder / "tracks.parquet") as writer:
        for rows in frames:
            writer.add(rows)
    write_info(folder, TracksInfo(tracker=TRACKER, **facts), tracks)
    return Tracks.load(folder)


@pytest.fixture
def small(tmp_path: Path) -> Tracks:
    """Two objects that overlap in one pixel column; the second reaches over the border."""
    folder = tmp_path / "tracks"
    folder.mkdir()
    frames = [
        rows_of(
            0,
            [
                (1, 0, 0.91, [1, 1, 4.25, 5], rectangle(1, 1, 4, 5)),
                (2, 1, 0.5, [3, -2, 9.5, 7], rectangle(3, 0, 8, 6)),
            ],
        ),
        rows_of(2, [(1, 0, 0.7, [1, 1, 4, 5.5], None)]),
    ]
    tracks = [TrackSummary(1, 0, 0, 2, 2, 0.8050000071525574), TrackSummary(2, 1, 0, 0, 1, 0.5)]
    return tracks_of(folder, frames, tracks)


EXPECTED = r"""{
"schema_version": "2.0",
"video": {"name": "street [1]", "sha256": "SHA_VIDEO", "width": 8, "height": 6, "fps": 10.0, "frame_count": 3},
"model": {"name": "yolov8n-seg", "weights_sha256": "SHA_WEIGHTS", "imgsz": 640, "classes": {"0": "person", "1": "voiture à cheval"}},
"tracker": {"name": "bytetrack", "track_thresh": 0.5, "class_aware": true},
"run": {"mlflow_run_id": "0123", "config_hash": "4567", "git_commit": null, "created_at": "2026-01-02T03:04:05+00:00"},
"objects": [
{"frame": 0, "time_s": 0.0, "track_id": 1, "class_id": 0, "class_name": "person", "score": 0.91, "bbox_xyxy": [1.0, 1.0, 4.25, 5.0], "tracker_bbox_xyxy": [1.5, 1.5, 4.75, 5.5], "interpolated": false, "segmentation": {"size": [6, 8], "counts": "742000g0"}},
{"frame": 0, "time_s": 0.0, "track_id": 2, "class_id": 1, "class_name": "voiture à cheval", "score": 0.5, "bbox_xyxy": [3.0, 0.0, 8.0, 6.0], "tracker_bbox_xyxy": [3.5, -1.5, 10.0, 7.5], "interpolated": false, "segmentation": {"size": [6, 8], "counts": "b0n0"}},
{"frame": 2, "time_s": 0.2, "track_id": 1, "class_id": 0, "class_name": "person", "score": 0.7, "bbox_xyxy": [1.0, 1.0, 4.0, 5.5], "tracker_bbox_xyxy": [1.5, 1.5, 4.5, 6.0], "interpolated": false, "segmentation": null}
],
"tracks": [
{"track_id": 1, "class_id": 0, "class_name": "person", "first_frame": 0, "last_frame": 2, "frames_seen": 2, "mean_score": 0.805},
{"track_id": 2, "class_id": 1, "class_name": "voiture à cheval", "first_frame": 0, "last_frame": 0, "frames_seen": 1, "mean_score": 0.5}
]
}
""".replace("SHA_VIDEO", "ab" * 32).replace("SHA_WEIGHTS", "cd" * 32)  # noqa: E501


def test_results_to_the_letter(small: Tracks, tmp_path: Path) -> None:
    write_results(small, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == EXPECTED
    validate_results(tmp_path / "results.json")
    assert sorted(f.name for f in tmp_path.iterdir() if f.is_file()) == [
        "mot.txt",
        "mots.txt",
        "results.json",
    ]


def test_mot_and_mots_to_the_letter(small: Tracks, tmp_path: Path) -> None:
    """mot.txt keeps boxes that reach over the border; in mots.txt the column that both masks share
    belongs to the higher score."""
    write_results(small, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    assert (tmp_path / "mot.txt").read_text() == (
        "1,1,1.5,1.5,3.25,4.0,0.91,-1,-1,-1\n"
        "1,2,3.5,-1.5,6.5,9.0,0.5,-1,-1,-1\n"
        "3,1,1.5,1.5,3.0,4.5,0.7,-1,-1,-1\n"
    )
    rest = np.zeros((6, 8), bool)
    rest[:, 3:] = True
    rest[1:5, 3] = False
    assert (tmp_path / "mots.txt").read_text() == (
        f"0 1001 1 6 8 {rectangle(1, 1, 4, 5).decode()}\n0 2002 2 6 8 {encoded(rest).decode()}\n"
    )


def test_detections_that_were_brought_along(small: Tracks, tmp_path: Path) -> None:
    write_results(small, SEQUENCE, PredictionsInfo(NAMES, 3), TRACKER, RUN, tmp_path)
    validate_results(tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["model"] is None


def test_a_video_without_objects(tmp_path: Path) -> None:
    empty = tracks_of(tmp_path, [], [], fps=0.0)
    write_results(empty, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    validate_results(tmp_path / "results.json")
    document = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert document["objects"] == document["tracks"] == []
    assert (tmp_path / "mot.txt").read_text() == (tmp_path / "mots.txt").read_text() == ""


def test_each_object_has_its_frames_own_time(tmp_path: Path) -> None:
    box = [1.0, 1.0, 2.0, 2.0]
    frames = [rows_of(frame, [(1, 0, 0.5, box, None)]) for frame in (0, 2, 3)]
    made = tracks_of(tmp_path, frames, [TrackSummary(1, 0, 0, 3, 3, 0.5)], frame_count=4)
    FrameTimes(10.0, np.array([0, 0.0333333333, 0.4, 61.25])).save(tmp_path)
    write_results(made, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    validate_results(tmp_path / "results.json")
    objects = json.loads((tmp_path / "results.json").read_text("utf-8"))["objects"]
    assert [found["time_s"] for found in objects] == [0.0, 0.4, 61.25]


def test_values_survive_the_round_trip(tmp_path: Path) -> None:
    """Scores and boxes read back as the same float32."""
    generator = np.random.default_rng(0)
    frames = []
    for frame in range(50):
        low = generator.uniform(0, 900, (4, 2))
        boxes = np.concatenate([low, low + generator.uniform(1, 100, (4, 2))], axis=1)
        scores = generator.random(4)
        frames.append(
            rows_of(frame, [(i + 1, 0, scores[i], list(boxes[i]), None) for i in range(4)])
        )
    tracks = [TrackSummary(i + 1, 0, 0, 49, 50, 0.5) for i in range(4)]
    made = tracks_of(tmp_path, frames, tracks, width=1000, height=1000, frame_count=50, fps=14.999)
    write_results(made, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    objects = json.loads((tmp_path / "results.json").read_text("utf-8"))["objects"]
    assert len(objects) == 200
    rows = [(r, i) for r in frames for i in range(4)]
    for found, (row, i) in zip(objects, rows, strict=True):
        assert (found["frame"], found["track_id"]) == (row.frame, i + 1)
        assert found["time_s"] == pytest.approx(row.frame / 14.999, abs=1e-6)
        assert np.float32(found["score"]) == row.score[i]
        np.testing.assert_array_equal(np.float32(found["bbox_xyxy"]), row.bbox_xyxy[i])
        estimate = np.float32(found["tracker_bbox_xyxy"])
        np.testing.assert_array_equal(estimate, row.tracker_bbox_xyxy[i])
    mot = np.loadtxt(tmp_path / "mot.txt", delimiter=",")
    np.testing.assert_array_equal(mot[:, 0], np.repeat(np.arange(1, 51), 4))
    sizes = np.concatenate(
        [r.tracker_bbox_xyxy[:, 2:] - r.tracker_bbox_xyxy[:, :2] for r in frames]
    )
    np.testing.assert_array_equal(mot[:, 4:6].astype(np.float32), sizes)


def changed(path: str, value: Any) -> dict[str, Any]:
    document = json.loads(EXPECTED)
    spot: Any = document
    *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for parent in parents:
        spot = spot[parent]
    if value is KeyError:
        del spot[last]
    else:
        spot[last] = value
    return copy.deepcopy(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("extra", 1),
        ("model", {}),
        ("run", KeyError),
        ("run.user", "me"),
        ("video.frame_count", -1),
        ("video.sha256", "ab"),
        ("video.fps", "10"),
        ("tracker", {"track_thresh": 0.5}),
        ("objects.0.frame", 0.5),
        ("objects.0.track_id", 0),
        ("objects.0.bbox_xyxy", [1, 2, 3]),
        ("objects.0.tracker_bbox_xyxy", [1, 2, 3]),
        ("objects.0.tracker_bbox_xyxy", KeyError),
        ("schema_version", "1.0"),
        ("objects.0.segmentation", {"size": [6], "counts": ""}),
        ("objects.0.segmentation.counts", KeyError),
        ("objects.0.colour", "red"),
        ("objects.2.interpolated", None),
        ("tracks.0.frames_seen", 0),
        ("tracks.1.class_name", KeyError),
    ],
)
def test_the_schema_is_closed(tmp_path: Path, path: str, value: Any) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(changed(path, value)))
    with pytest.raises(DataError, match=r"results\.json: not a results\.json 2\.0: at \$"):
        validate_results(file)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(results_schema())


def test_not_json(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(DataError, match="not readable as JSON"):
        validate_results(tmp_path / "results.json")


def test_nothing_is_left_of_a_write_that_failed(
    small: Tracks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.json").write_text("an earlier one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segtrack.tracker.results.mots_lines", full)
    with pytest.raises(StageError, match="No space left on device"):
        write_results(small, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    assert [f.name for f in tmp_path.iterdir() if f.is_file()] == ["results.json"]
    assert (tmp_path / "results.json").read_text() == "an earlier one"


@pytest.mark.parametrize(
    ("per_class", "expected"),
    [
        ({0: [1, 2], 1: [3]}, {1: 1001, 2: 1002, 3: 2003}),
        ({0: [999, 1000], 1: [5]}, {5: 2000, 999: 1000, 1000: 1001}),
    ],
)
def test_mots_ids(per_class: dict[int, list[int]], expected: dict[int, int]) -> None:
    tracks = [
        TrackSummary(track_id, class_id, 0, 0, 1, 1.0)
        for class_id, ids in per_class.items()
        for track_id in ids
    ]
    assert mots_ids(tuple(sorted(tracks, key=lambda t: t.track_id))) == expected


def test_more_tracks_than_mots_can_number(tmp_path: Path) -> None:
    tracks = [TrackSummary(i + 1, 0, 0, 0, 1, 0.5) for i in range(1001)]
    many = tracks_of(tmp_path, [], tracks)
    with pytest.warns(UserWarning, match=r"mots\.txt is not written"):
        write_results(many, SEQUENCE, PREDICTED, TRACKER, RUN, tmp_path)
    assert not (tmp_path / "mots.txt").exists()
    validate_results(tmp_path / "results.json")


@settings(max_examples=60, deadline=None)
@given(
    masks=arrays.arrays(bool, st.tuples(st.integers(0, 5), st.just(7), st.just(9))),
    seed=st.integers(0, 9),
)
def test_disjoint_masks_share_no_pixel_and_lose_none(masks: np.ndarray, seed: int) -> None:
    count = len(masks)
    scores = np.random.default_rng(seed).permutation(count) / 10
    rows = rows_of(
        0, [(i + 1, 0, scores[i], [0, 0, 1, 1], encoded(masks[i])) for i in range(count)]
    )
    ids = {i + 1: 1001 + i for i in range(count)}
    lines = [line.split() for line in mots_lines(rows, ids, 7, 9)]
    result = {int(line[1]) - 1001: line[5].encode() for line in lines}
    owner = (
        np.where(masks.any(0), (masks * (scores[:, None, None] + 1)).argmax(0), -1)
        if count
        else None
    )
    for i in range(count):
        counts = result.get(i)
        got = decoded(counts, 7, 9) if counts else np.zeros((7, 9), bool)
        np.testing.assert_array_equal(got, owner == i)
        assert (counts is None) == (not got.any())


def test_memory_does_not_grow_with_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3,000 frames need what 750 need, and less than the file that comes out."""
    monkeypatch.setattr("segtrack.tracker.tracks.ROW_GROUP", 1024)
    noise = np.random.default_rng(0).random((30, 45)) > 0.4
    objects = []
    for i in range(3):
        mask = np.zeros((360, 640), bool)
        mask[100:130, 60 * i : 60 * i + 45] = noise
        objects.append((i + 1, 0, 0.5, [1, 1, 4, 5], encoded(mask)))
    peaks = []
    for frame_count in (750, 3000):
        folder = tmp_path / str(frame_count)
        folder.mkdir()
        tracks = [TrackSummary(i + 1, 0, 0, frame_count - 1, frame_count, 0.5) for i in range(3)]
        frames = (rows_of(frame, objects) for frame in range(frame_count))
        made = tracks_of(folder, frames, tracks, width=640, height=360, frame_count=frame_count)
        tracemalloc.start()
        write_results(made, SEQUENCE, PREDICTED, TRACKER, RUN, folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    size = (folder / "results.json").stat().st_size
    assert size > 7e6
    assert peaks[1] < size / 3
    assert peaks[1] < 1.2 * peaks[0]
