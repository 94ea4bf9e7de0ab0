"""Small videos' worth of detections, written as the detector writes them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from segtrack.model.predictions import (
    FrameDetections,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)
from segtrack.tracker.bytetrack import ByteTrackSettings

Row = tuple[int, float, float, float, float, float]  # class_id, score, x1, y1, x2, y2
NAMES = ("person", "car")


def detections(
    frame: int, rows: Sequence[Row], rle: list[bytes | None] | None = None
) -> FrameDetections:
    """One frame's detections."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return FrameDetections(
        frame,
        table[:, 0].astype(np.int16),
        table[:, 1].astype(np.float32),
        table[:, 2:].astype(np.float32),
        rle if rle is not None else [None] * len(table),
    )


@pytest.fixture
def settings() -> Callable[..., ByteTrackSettings]:
    """The defaults of the config group, changed by keyword."""

    def make(**changes: object) -> ByteTrackSettings:
        return ByteTrackSettings(**changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def predictions(tmp_path: Path) -> Callable[..., Predictions]:
    """Predictions of the frames given, of ``frame_count`` frames in all."""

    def make(frames: Sequence[FrameDetections], frame_count: int, **info: object) -> Predictions:
        folder = tmp_path / f"predictions-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        facts = {"names": NAMES, "width": 0, "height": 0, "fps": 30.0, **info}
        with PredictionsWriter(folder) as writer:
            for frame in frames:
                writer.add(frame)
            writer.finish(PredictionsInfo(frame_count=frame_count, **facts))  # type: ignore[arg-type]
        return Predictions.load(folder)

    return make


class Reported(dict[str, float]):
    """Takes the place of a stage's report."""

    def __call__(self, name: str, value: float, step: int = 0) -> None:
        assert name not in self
        self[name] = float(value)


@pytest.fixture
def report() -> Reported:
    return Reported()
