"""Trajectories as video_json: the exact file, what is left out, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.annotation.labellerr.video_json import VideoJson, write_video_json
from segtrack.base.errors import DataError, StageError
from segtrack.tracker.tracks import Tracks

from .videos import HEIGHT, WIDTH, blob, rectangle, write_tracks

CAR, PERSON = 1, 0


def corners(x: int, y: int, width: int = 10, height: int = 8) -> list[dict[str, float]]:
    """The outline of ``rectangle``: a quarter of a pixel inside of it."""
    left, top, right, bottom = x + 0.25, y + 0.25, x + width - 0.25, y + height - 0.25
    ring = [(left, top), (left, bottom), (right, bottom), (right, top)]
    return [{"x": px, "y": py} for px, py in ring]


@pytest.fixture
def crossing(tmp_path: Path) -> Tracks:
    """A car in frames 0 to 2, and a person in 1 to 3 of whom frame 2 was filled in."""
    masks = {
        1: {0: rectangle(2, 3), 1: rectangle(4, 3), 2: rectangle(6, 3)},
        2: {1: rectangle(30, 20, 5, 12), 2: None, 3: rectangle(34, 20, 5, 12)},
    }
    return write_tracks(tmp_path / "tracks", masks, {1: CAR, 2: PERSON})


def test_the_whole_file(crossing: Tracks, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert write_video_json(crossing, "a.mp4", path) == VideoJson(path, 2, 5, 1, (2, 1))

    def frame(number: int, ring: list[dict[str, float]]) -> dict[str, Any]:
        return {"frame": number, "answer": ring, "timestamp": number / 10}

    person = {
        "startFrame": 1,
        "frames": {"1": frame(1, corners(30, 20, 5, 12)), "3": frame(3, corners(34, 20, 5, 12))},
    }
    car = {"startFrame": 0, "frames": {str(n): frame(n, corners(2 + 2 * n, 3)) for n in range(3)}}
    assert json.loads(path.read_text()) == [
        {
            "file_name": "a.mp4",
            "annotations": [
                {"question_name": "person", "question_type": "polygon", "answer": [person]},
                {"question_name": "car", "question_type": "polygon", "answer": [car]},
            ],
        }
    ]
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.json"]
    again = tmp_path / "b.json"
    write_video_json(crossing, "a.mp4", again)
    assert again.read_bytes() == path.read_bytes()  # the ledger knows a file by its content


def test_outlines_are_the_masks(tmp_path: Path) -> None:
    """Back from JSON: every track with its class, its frames, and masks that overlap them."""
    rng = np.random.default_rng(3)
    masks = {i: {f: blob(rng) for f in range(i, i + 6)} for i in range(1, 5)}
    class_of = {1: CAR, 2: PERSON, 3: CAR, 4: PERSON}
    tracks = write_tracks(tmp_path / "tracks", masks, class_of)
    written = write_video_json(tracks, "a.mp4", tmp_path / "a.json")
    assert written is not None and (written.tracks, written.outlines) == (4, 24)
    found = {
        (annotation["question_name"], position): track
        for annotation in json.loads(written.path.read_text())[0]["annotations"]
        for position, track in enumerate(annotation["answer"])
    }
    places = {("person", 0): 2, ("person", 1): 4, ("car", 0): 1, ("car", 1): 3}
    assert found.keys() == places.keys()
    for place, track_id in places.items():
        frames = found[place]["frames"]
        assert [int(n) for n in frames] == list(masks[track_id])
        for number, frame in frames.items():
            ring = [v for p in frame["answer"] for v in (p["x"], p["y"])]
            drawn = coco_mask.decode(coco_mask.frPyObjects([ring], HEIGHT, WIDTH)[0]).astype(bool)
            mask = masks[track_id][int(number)]
            assert (drawn & mask).sum() / (drawn | mask).sum() >= 0.95


def test_without_masks_there_is_no_file(tmp_path: Path) -> None:
    tracks = write_tracks(tmp_path / "tracks", {1: {0: None, 1: None}}, {1: CAR})
    assert write_video_json(tracks, "a.mp4", tmp_path / "a.json") is None
    assert [p.name for p in tmp_path.iterdir()] == ["tracks"]


@pytest.fixture
def long(tmp_path: Path) -> Tracks:
    """Two tracks of 60 and 41 frames."""
    masks = {
        1: {f: rectangle(f % 40, 3) for f in range(60)},
        2: {f: rectangle(5, 30) for f in range(7, 48)},
    }
    return write_tracks(tmp_path / "tracks", masks, {1: CAR, 2: CAR})


@pytest.mark.parametrize(
    ("limit", "every"), [(14000, 1), (9000, 2), (5000, 4), (2000, 12), (1500, 20), (1000, 59)]
)
def test_a_file_that_would_be_too_large_has_every_nth_frame(
    long: Tracks, tmp_path: Path, limit: int, every: int
) -> None:
    def chosen(n: int) -> list[list[int]]:
        """Frames that n divides, and the first and last one of each track."""
        return [
            [f for f in range(a, b + 1) if f in (a, b) or f % n == 0] for a, b in ((0, 59), (7, 47))
        ]

    written = write_video_json(long, "a.mp4", tmp_path / "a.json", limit=limit)
    assert written is not None
    assert (written.every, written.tracks) == (every, 2)
    assert written.path.stat().st_size <= limit
    (annotation,) = json.loads(written.path.read_text())[0]["annotations"]
    frames = [[int(n) for n in track["frames"]] for track in annotation["answer"]]
    assert frames == chosen(every)
    assert written.outlines == sum(map(len, frames))
    # A smaller n would not have fitted: the frames alone are larger than what is left for them.
    whole = write_video_json(long, "a.mp4", tmp_path / "whole.json")
    assert whole is not None
    lines = [line for line in whole.path.read_text().splitlines() if line.startswith('"')]
    sizes = [dict(enumerate(map(len, lines[:60]))), dict(enumerate(map(len, lines[60:]), 7))]
    for n in range(1, every):
        pairs = zip(sizes, chosen(n), strict=True)
        assert sum(of[f] for of, kept in pairs for f in kept) > limit - 450


def test_a_video_of_too_many_tracks(long: Tracks, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.mp4: .* each of its 2 tracks alone pass .* limit of"):
        write_video_json(long, "a.mp4", tmp_path / "a.json", limit=500)
    assert [p.name for p in tmp_path.iterdir()] == ["tracks"]


def test_names_in_any_script_count_by_their_bytes(tmp_path: Path) -> None:
    names = ("😀" * 200, 'a "car" \\')
    masks = {1: {0: rectangle(2, 3)}, 2: {0: rectangle(20, 3)}}
    tracks = write_tracks(tmp_path / "tracks", masks, {1: 0, 2: 1}, names)
    written = write_video_json(tracks, "ü.mp4", tmp_path / "a.json")
    assert written is not None
    (video,) = json.loads(written.path.read_text())
    assert video["file_name"] == "ü.mp4"
    assert tuple(a["question_name"] for a in video["annotations"]) == names
    size = written.path.stat().st_size
    with pytest.raises(DataError, match="pass Labellerr's limit"):
        write_video_json(tracks, "ü.mp4", tmp_path / "b.json", limit=size - 1)


def test_nowhere_to_write(crossing: Tracks, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="could not be written"):
        write_video_json(crossing, "a.mp4", tmp_path / "none" / "a.json")
