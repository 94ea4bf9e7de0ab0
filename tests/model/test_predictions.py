"""A predictions folder gives back what was written, frame by frame."""

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.model.predictions import (
    ROW_GROUP,
    FrameDetections,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)


def detections(frame: int, scores: list[float]) -> FrameDetections:
    count = len(scores)
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4) + frame
    rle = [None if i % 3 == 2 else f"{frame}.{i}".encode() for i in range(count)]
    return FrameDetections(
        frame, np.arange(count, dtype=np.int16), np.array(scores, np.float32), boxes, rle
    )


def write(folder, frames, **facts):
    with PredictionsWriter(folder) as writer:
        for frame in frames:
            writer.add(frame)
        writer.finish(PredictionsInfo(names=("car", "bus"), **facts))
    return Predictions.load(folder)


def test_round_trip_sorts_by_score(tmp_path):
    given = detections(3, [0.2, 0.9, 0.5])
    loaded = write(tmp_path, [detections(1, []), given], frame_count=5, fps=12.5)
    assert loaded.info == PredictionsInfo(names=("car", "bus"), frame_count=5, fps=12.5)
    (frame,) = loaded.frames()
    assert frame.frame == 3
    assert frame.score.tolist() == pytest.approx([0.9, 0.5, 0.2])
    assert frame.class_id.tolist() == [1, 2, 0]
    assert frame.rle == [b"3.1", None, b"3.0"]
    assert frame.bbox_xyxy.tolist() == given.bbox_xyxy[[1, 2, 0]].tolist()


def test_frames_over_row_groups_stay_whole(tmp_path):
    """More rows than a group holds, and one frame that alone is larger than a group."""
    sizes = [300] * 40 + [ROW_GROUP + 10, 1, 2]
    frames = [detections(2 * i, [0.5] * size) for i, size in enumerate(sizes)]
    loaded = write(tmp_path, frames, frame_count=2 * len(sizes))
    assert [(f.frame, len(f), len(f.rle)) for f in loaded.frames()] == [
        (2 * i, size, size) for i, size in enumerate(sizes)
    ]


def test_no_detections_at_all(tmp_path):
    assert list(write(tmp_path, [], frame_count=7).frames()) == []


def test_take():
    taken = detections(0, [0.9, 0.8, 0.7]).take(np.array([True, False, True]))
    assert taken.score.tolist() == pytest.approx([0.9, 0.7])
    assert taken.rle == [b"0.0", None]


def test_folder_without_predictions(tmp_path):
    with pytest.raises(DataError, match=r"predictions.json: not readable as predictions"):
        Predictions.load(tmp_path)
