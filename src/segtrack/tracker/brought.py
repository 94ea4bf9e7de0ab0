"""Detections that a sequence brings along, in the form of a model's predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segtrack.dataset.sequences import Sequence
from segtrack.errors import DataError
from segtrack.metrics import Report
from segtrack.model.predictions import FrameDetections, PredictionsInfo, PredictionsWriter

COLUMNS = 7  # frame,-1,left,top,width,height,score; MOTChallenge files may have more


def read_detections(
    sequence: Sequence, class_name: str, conf_floor: float, folder: Path, report: Report
) -> None:
    """Write the rows of ``sequence.det`` as predictions into ``folder``.

    Boxes become x1, y1, x2, y2 in float32; scores that are percentages elsewhere are not guessed.

    Args:
        sequence: with ``det``, a MOTChallenge file: frame from 1, any id, left, top, width, height
            in pixels, score.
        class_name: of all rows, since the format has no class.
        conf_floor: rows with a lower score are left out.
        report: gets ``track/detections``.

    Raises:
        DataError: the file cannot be read, or a row is malformed; with its line.
    """
    assert sequence.det is not None
    rows = _rows(sequence.det)
    rows = rows[rows[:, 6] >= conf_floor]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    frame = rows[:, 0].astype(np.int64) - 1
    box = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)
    score = rows[:, 6].astype(np.float32)
    count = max(sequence.frame_count, int(frame[-1]) + 1 if len(frame) else 0)
    writer = PredictionsWriter(folder)
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    ends = np.flatnonzero(np.diff(frame, append=-1)) + 1
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        part = slice(start, end)
        n = end - start
        none: list[bytes | None] = [None] * n
        writer.add(
            FrameDetections(int(frame[start]), np.zeros(n, np.int16), score[part], box[part], none)
        )
    size = (sequence.width, sequence.height)
    writer.finish(PredictionsInfo((class_name,), count, *size, sequence.fps, conf_floor=conf_floor))
    report("track/detections", len(rows))


def _rows(path: Path) -> np.ndarray:
    """float64 (N, 7+)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error
    if not text.strip():
        return np.empty((0, COLUMNS))
    try:
        rows = np.loadtxt(text.splitlines(), delimiter=",", ndmin=2)
        if rows.shape[1] >= COLUMNS and _is_good(rows).all():
            return rows
    except ValueError:
        pass  # which row it was is found below
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            _check(path, number, line)
    raise DataError(f"{path}: its rows have different numbers of columns")


def _is_good(rows: np.ndarray) -> np.ndarray:
    used = rows[:, [0, 2, 3, 4, 5, 6]]
    whole: np.ndarray = (rows[:, 0] >= 1) & (rows[:, 0] == np.floor(rows[:, 0]))
    good: np.ndarray = whole & np.isfinite(used).all(axis=1)
    return good


def _check(path: Path, number: int, line: str) -> None:
    what = "a row is  frame,id,left,top,width,height,score  with the frame from 1"
    values = line.split(",")
    try:
        row = np.array([[float(value) for value in values]])
    except ValueError as error:
        raise DataError(f"{path}:{number}: {line.strip()!r}: {error}; {what}") from error
    if len(values) < COLUMNS or not _is_good(row).all():
        raise DataError(f"{path}:{number}: {line.strip()!r} is malformed; {what}")
