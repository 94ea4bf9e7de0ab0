"""Ground truth of reviewed trajectories: the rows of the files, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.annotation.video_matching import compare_tracks
from segtrack.annotation.video_outlines import OutlineTrack
from segtrack.annotation.video_sent import SentVideo
from segtrack.annotation.video_truth import true_tracks, write_truth
from segtrack.base.polygons import Polygon
from segtrack.dataset import VideoSequence

NAMES = ("person", "car", "bus")
WIDTH, HEIGHT = 40, 30


def video(frames: int = 10, every: int = 1) -> SentVideo:
    size = (WIDTH, HEIGHT, 10.0, frames)
    return SentVideo("clip", "clip.mp4", "", "clip.mp4", "a" * 64, *size, every, (), "", "")


def box(x: float, y: float, width: float = 10.0, height: float = 8.0) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def written(
    folder: Path,
    sent: list[OutlineTrack],
    back: list[OutlineTrack],
    every: int = 1,
    only: int = 1,
    scores: dict[tuple[int, int], float] | None = None,
) -> VideoSequence:
    review = compare_tracks(sent, back, (WIDTH, HEIGHT))
    known = {(one.track_id, f): 0.9 for one in sent for f in one.outlines}
    tracks = true_tracks(sent, back, review, NAMES, every, scores or known)
    return write_truth(video(every=every), tracks, NAMES, folder, only)


def rows(sequence: VideoSequence) -> list[str]:
    assert sequence.gt is not None
    return sequence.gt.read_text().splitlines()


def masks(sequence: VideoSequence) -> dict[tuple[int, int, int], int]:
    """Pixels by frame, id and class."""
    assert sequence.mots is not None
    found = {}
    for line in sequence.mots.read_text().splitlines():
        frame, track_id, class_id, height, width, text = line.split()
        assert (height, width) == (str(HEIGHT), str(WIDTH))
        rle = {"size": [HEIGHT, WIDTH], "counts": text.encode()}
        found[int(frame), int(track_id), int(class_id)] = int(coco_mask.area(rle))
    return found


def test_the_rows(tmp_path: Path) -> None:
    car = OutlineTrack(4, "car", {0: box(1, 2), 1: box(3, 2)})
    bus = OutlineTrack(0, "bus", {1: box(20, 15, 6, 5)})
    sequence = written(tmp_path, [car], [car, bus])
    assert rows(sequence) == [
        "1,4,1.00,2.00,10.00,8.00,1,3,-1",  # MOTChallenge's car is class 3
        "2,4,3.00,2.00,10.00,8.00,1,3,-1",
        "2,5,20.00,15.00,6.00,5.00,1,14,-1",  # drawn by a person: the next free id
    ]
    assert masks(sequence) == {(0, 2004, 2): 80, (1, 2004, 2): 80, (1, 3005, 3): 30}
    assert sequence.gt_classes == ((1, "person"), (3, "car"), (14, "bus"), (8, "distractor"))
    assert sequence.mots_classes == ((1, "person"), (2, "car"), (3, "bus"), (10, "ignore"))
    assert (sequence.frame_count, sequence.fps, sequence.gt_format) == (10, 10.0, "mot17")


def test_what_the_tracker_lost_is_not_judged_what_people_drew_is(tmp_path: Path) -> None:
    lost = OutlineTrack(1, "car", {0: box(1, 2), 3: box(7, 2)})
    drawn = OutlineTrack(0, "person", {0: box(20, 15), 2: box(24, 15)})
    sequence = written(tmp_path, [lost], [lost, drawn])
    assert rows(sequence) == [
        "1,1,1.00,2.00,10.00,8.00,1,3,-1",
        "1,2,20.00,15.00,10.00,8.00,1,1,-1",
        "2,1,3.00,2.00,10.00,8.00,0,8,-1",
        "2,2,22.00,15.00,10.00,8.00,1,1,-1",
        "3,1,5.00,2.00,10.00,8.00,0,8,-1",
        "3,2,24.00,15.00,10.00,8.00,1,1,-1",
        "4,1,7.00,2.00,10.00,8.00,1,3,-1",
    ]
    ignored = {key[0]: n for key, n in masks(sequence).items() if key[2] == 10}
    assert ignored == {1: 80, 2: 80}


def test_a_gap_that_somebody_filled_is_judged(tmp_path: Path) -> None:
    lost = OutlineTrack(1, "car", {0: box(1, 2), 4: box(9, 2)})
    filled = OutlineTrack(0, "car", {0: box(1, 2), 2: box(5, 2), 4: box(9, 2)})
    sequence = written(tmp_path, [lost], [filled])
    assert [row.split(",")[6:8] for row in rows(sequence)] == [["1", "3"]] * 5


def test_overlaps_go_to_people_then_to_the_higher_score(tmp_path: Path) -> None:
    low = OutlineTrack(1, "car", {0: box(0, 0)})
    high = OutlineTrack(2, "car", {0: box(5, 0)})
    drawn = OutlineTrack(0, "person", {0: box(10, 0)})
    scores = {(1, 0): 0.5, (2, 0): 0.8}
    sequence = written(tmp_path, [low, high], [low, high, drawn], scores=scores)
    assert masks(sequence) == {(0, 2001, 2): 40, (0, 2002, 2): 40, (0, 1003, 1): 80}


def test_every_second_frame(tmp_path: Path) -> None:
    """The end of a trajectory that lies on no judged frame is not judged."""
    one = OutlineTrack(1, "car", {0: box(1, 2), 2: box(5, 2), 4: box(9, 2), 5: box(11, 2)})
    whole = written(tmp_path / "all", [one], [one], every=2)
    assert [row.split(",")[0] for row in rows(whole)] == ["1", "2", "3", "4", "5", "6"]
    assert rows(whole)[1] == "2,1,3.00,2.00,10.00,8.00,1,3,-1"  # thinned, not lost
    judged = written(tmp_path / "judged", [one], [one], every=2, only=2)
    assert rows(judged) == [
        "1,1,1.00,2.00,10.00,8.00,1,3,-1",
        "2,1,5.00,2.00,10.00,8.00,1,3,-1",
        "3,1,9.00,2.00,10.00,8.00,1,3,-1",
    ]
    assert (judged.frame_count, judged.fps) == (5, 5.0)


def test_ids(tmp_path: Path) -> None:
    """The tracker's id goes where most of it is; each once, others are numbered on."""
    sent = [
        OutlineTrack(3, "car", {f: box(1, 2) for f in range(10)}),
        OutlineTrack(7, "car", {f: box(20, 15) for f in range(4)}),
    ]
    back = [
        OutlineTrack(0, "car", {f: box(1, 2) for f in range(3)}),
        OutlineTrack(1, "car", {f: box(1, 2) for f in range(3, 10)}),
        OutlineTrack(2, "person", {0: box(25, 1)}),
        OutlineTrack(3, "car", {f: box(20, 15) for f in range(4)}),
    ]
    review = compare_tracks(sent, back, (WIDTH, HEIGHT))
    found = true_tracks(sent, back, review, NAMES, 1, {})
    assert [(one.track_id, one.class_id) for one in found] == [(8, 1), (3, 1), (9, 0), (7, 1)]


def test_frames_before_the_first_object_count(tmp_path: Path) -> None:
    """MOTSChallenge's masks count from 1: a file of its name that begins there would shift."""
    one = OutlineTrack(1, "car", {1: box(1, 2)})
    sequence = written(tmp_path, [one], [one])
    assert masks(sequence) == {(0, 10_000_000_000, 10): 0, (1, 2001, 2): 80}
