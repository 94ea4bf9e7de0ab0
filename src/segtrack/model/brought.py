"""Detections that a sequence brings along, in the form of a model's predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segtrack.base.metrics import Report
from segtrack.base.saying import say
from segtrack.dataset import VideoSequence, frames_of
from segtrack.formats import read_mot
from segtrack.model.predictions import FrameDetections, PredictionsInfo, PredictionsWriter


def read_detections(
    sequence: VideoSequence, class_name: str, conf_floor: float, folder: Path, report: Report
) -> None:
    """Write the rows of ``sequence.det`` as predictions into ``folder``.

    Boxes become x1, y1, x2, y2 in float32; scores beyond 0 to 1 are said, and taken as they are.

    Args:
        sequence: with ``det``, a MOTChallenge file: frame from 1, any id, left, top, width, height
            in pixels, score.
        class_name: of all rows, since the format has no class.
        conf_floor: rows with a lower score are left out.
        report: gets ``track/detections``.

    Raises:
        DataError: the file cannot be read, a row is malformed (with its line), or is of a frame
            that the sequence does not have.
    """
    assert sequence.det is not None
    table = read_mot(sequence.det, tracks=False, first=0)
    if len(table.conf) and (table.conf.min() < 0 or table.conf.max() > 1):
        low, high = table.conf.min(), table.conf.max()
        say(
            f"warning: {sequence.det}: scores from {low:g} to {high:g} are no probabilities, and "
            "are compared with the tracker's thresholds and model.conf_floor as they are (bring "
            "them to 0 to 1, or choose thresholds for them)",
            error=True,
        )
    frames = frames_of(
        table.frame, 1, sequence.image_numbers, sequence.frame_count, sequence.det
    ).frame
    kept = np.flatnonzero((table.conf >= conf_floor) & (frames >= 0))
    kept = kept[np.argsort(frames[kept], kind="stable")]
    frame, left_top = frames[kept], table.bbox_xywh[kept, :2]
    right_bottom = left_top + table.bbox_xywh[kept, 2:]
    box = np.concatenate([left_top, right_bottom], axis=1).astype(np.float32)
    score = table.conf[kept].astype(np.float32)
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
    report("track/detections", len(kept))
