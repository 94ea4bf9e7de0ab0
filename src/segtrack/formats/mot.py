"""MOTChallenge text files: ``frame,id,x,y,w,h,conf`` and what the year adds.

MOT15 adds a 3D position (``x,y,z``, -1 where there is none), MOT16 and MOT17 a class and a
visibility. "MOT16: A Benchmark for Multi-Object Tracking" (Milan et al., 2016), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtrack.formats.tables import read_numbers, require, require_unique, write_rows

PLAIN_COLUMNS = 7
CLASS_COLUMNS = 9
POSITION_COLUMNS = 10


@dataclass(frozen=True)
class MotTable:
    """Rows of one sequence, in the order of the file.

    Attributes:
        frame: int64 (N,), from 0; the file counts from 1.
        track_id: int64 (N,); -1 in detections.
        bbox_xywh: float64 (N, 4), pixels.
        conf: float64 (N,), a score; of ground truth 0 means "not to be judged".
        class_id: int64 (N,), or None where the file has no such column.
        visibility: float64 (N,) in 0..1, or None.
        position: float64 (N, 3), metres, or None.
    """

    frame: np.ndarray
    track_id: np.ndarray
    bbox_xywh: np.ndarray
    conf: np.ndarray
    class_id: np.ndarray | None = None
    visibility: np.ndarray | None = None
    position: np.ndarray | None = None

    @property
    def bbox_xyxy(self) -> np.ndarray:
        """float64 (N, 4), corners in pixels."""
        return np.concatenate(
            [self.bbox_xywh[:, :2], self.bbox_xywh[:, :2] + self.bbox_xywh[:, 2:]], axis=1
        )


def read_mot(path: Path, tracks: bool = True) -> MotTable:
    """Read ground truth, a tracker's output or detections.

    Args:
        path: a file of 7 (no more than a confidence), 9 (MOT16, MOT17) or 10 columns (MOT15).
        tracks: rows have ids; False for detections, whose ids are all -1.

    Raises:
        DataError: a malformed row (number of columns, not a number, a frame below 1, an id that is
            no whole number, the same id twice in a frame); with path, line and value.
    """
    table = read_numbers(path, PLAIN_COLUMNS, POSITION_COLUMNS)
    columns = table.shape[1]
    require(path, np.full(len(table), columns != 8), "8 columns, 7, 9 or 10 expected")
    whole = [0, 1, 7] if columns == CLASS_COLUMNS else [0, 1]
    require(
        path,
        (table[:, whole] == np.floor(table[:, whole])).all(axis=1),
        "frame, id and class are whole numbers",
    )
    require(path, table[:, 0] >= 1, "frames count from 1")
    frame, track_id = table[:, 0].astype(np.int64) - 1, table[:, 1].astype(np.int64)
    if tracks:
        require(path, track_id >= 0, "an id is 0 or more")
        require_unique(path, frame, track_id, np.ones(len(frame), bool))
    has_class = columns == CLASS_COLUMNS
    return MotTable(
        frame,
        track_id,
        table[:, 2:6],
        table[:, 6],
        table[:, 7].astype(np.int64) if has_class else None,
        table[:, 8] if has_class else None,
        table[:, 7:10] if columns == POSITION_COLUMNS else None,
    )


def write_mot(path: Path, table: MotTable) -> None:
    """Write 9 columns where the table has classes, 10 where it has positions, else 7."""
    columns = [table.frame + 1, table.track_id, *table.bbox_xywh.T, table.conf]
    if table.class_id is not None:
        seen = table.visibility if table.visibility is not None else np.ones(len(table.frame))
        columns += [table.class_id, seen]
    elif table.position is not None:
        columns += list(table.position.T)
    write_rows(path, zip(*(column.tolist() for column in columns), strict=True))
