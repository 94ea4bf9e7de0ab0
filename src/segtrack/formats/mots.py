"""KITTI-MOTS and MOTSChallenge text files: ``frame id class height width rle``.

Voigtlaender et al., "MOTS: Multi-Object Tracking and Segmentation" (CVPR 2019). Ids are class *
1000 + instance; class 10 is the ignore region. KITTI-MOTS counts frames from 0, MOTSChallenge
from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtrack.base.rle import checked_run_lengths
from segtrack.formats.tables import (
    read_text,
    refuse_row,
    require,
    require_frames,
    require_unique,
)
from segtrack.settings import MAX_PIXELS

IGNORE_CLASS = 10
_COLUMNS = 6


@dataclass(frozen=True)
class MotsTable:
    """Rows of one sequence, in the order of the file.

    Attributes:
        frame: int64 (N,), from 0.
        track_id, class_id: int64 (N,), as the file has them.
        height, width: of the video, pixels; 0 of an empty file.
        rle: N compressed COCO RLE.
    """

    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    height: int
    width: int
    rle: tuple[bytes, ...]


def read_mots(path: Path, first_frame: int = 0) -> MotsTable:
    """Read ground truth or a tracker's output.

    Args:
        path: the file.
        first_frame: the number that the file gives the first frame: 0 KITTI-MOTS, 1 MOTSChallenge.

    Raises:
        DataError: a malformed row (number of columns, not a whole number, a frame before the first,
            another size than the rows before, an RLE that is none of that size, a negative id,
            the same id twice in a frame); with path, line and value.
    """
    rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
    for number, row in enumerate(rows):
        if len(row) != _COLUMNS:
            refuse_row(
                path, number, f"{len(row)} columns, frame id class height width rle expected"
            )
    table = _whole(path, [row[:5] for row in rows])
    require_frames(path, table[:, 0], first_frame)
    require(path, (table[:, 3:] == table[:1, 3:]).all(axis=1), "another size than the rows before")
    height, width = table[0, 3:].tolist() if rows else (0, 0)
    require(path, (table[:, 3:] > 0).all(axis=1), "height and width are 1 or more")
    if height * width > MAX_PIXELS:
        refuse_row(path, 0, f"frames of more than {MAX_PIXELS} pixels")
    for number, row in enumerate(rows):
        if not _fills(row[5], height * width):
            refuse_row(path, number, f"the mask is no RLE of {height} x {width} pixels")
    frame = table[:, 0] - first_frame
    objects = table[:, 2] != IGNORE_CLASS
    require(path, (table[:, 1] >= 0) | ~objects, "an id is 0 or more")
    require_unique(path, frame, table[:, 1], objects)
    rle = tuple(row[5].encode() for row in rows)
    return MotsTable(frame, table[:, 1], table[:, 2], height, width, rle)


def write_mots(path: Path, table: MotsTable, first_frame: int = 0) -> None:
    """Write the rows; ``first_frame`` as in ``read_mots``."""
    with path.open("w", encoding="utf-8") as file:
        for i, counts in enumerate(table.rle):
            file.write(
                f"{table.frame[i] + first_frame} {table.track_id[i]} {table.class_id[i]} "
                f"{table.height} {table.width} {counts.decode('ascii')}\n"
            )


def _fills(counts: str, pixels: int) -> bool:
    try:
        return int(checked_run_lengths(counts).sum()) == pixels
    except ValueError:
        return False


def _whole(path: Path, rows: list[list[str]]) -> np.ndarray:
    try:
        values = [[_integer(value) for value in row] for row in rows]
        return np.array(values, np.int64).reshape(-1, 5)
    except (ValueError, OverflowError):
        for number, row in enumerate(rows):
            for value in row:
                if not _is_integer(value):
                    refuse_row(path, number, f"{value[:60]!r} is not a whole number")
        raise


def _integer(value: str) -> int:
    """Also of ``1.0`` and ``1e3``, as programs write that have floats only."""
    if value.lstrip("-").isdecimal():
        return int(value)
    number = float(value)
    if "_" in value or number != int(number):
        raise ValueError(value)
    return int(number)


def _is_integer(value: str) -> bool:
    try:
        return abs(_integer(value)) < 2**53
    except (ValueError, OverflowError):
        return False
