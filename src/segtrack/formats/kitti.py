"""KITTI tracking labels: ``frame id type truncated occluded alpha`` + box, size, place, angle.

The columns are those of the benchmark's devkit (readme.txt, "Data Format Description"): 17, and a
score as the 18th in a tracker's output. What published results have behind it is not read, as in
TrackEval. Frames count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError
from segtrack.formats.tables import (
    number_text,
    read_text,
    refuse_row,
    require,
    require_boxes,
    require_frames,
    require_ids,
    require_unique,
)

LABEL_COLUMNS = 17
DONT_CARE = "DontCare"


@dataclass(frozen=True)
class KittiTable:
    """Rows of one sequence, in the order of the file.

    Attributes:
        frame: int64 (N,), from 0.
        track_id: int64 (N,); -1 for regions that nobody should care about.
        kind: the type of each row: Car, Van, Truck, Pedestrian, Person_sitting, Cyclist, Tram,
            Misc, DontCare.
        truncated, occluded: float64 (N,), levels; -1 where not known. Occluded: 0 fully visible, 1
            partly, 2 largely occluded, 3 not known.
        alpha: float64 (N,), observation angle, radians.
        bbox_xyxy: float64 (N, 4), pixels.
        size: float64 (N, 3), height, width, length, metres.
        place: float64 (N, 3), camera coordinates, metres.
        rotation_y: float64 (N,), radians.
        score: float64 (N,), or None where the file has none.
    """

    frame: np.ndarray
    track_id: np.ndarray
    kind: tuple[str, ...]
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    bbox_xyxy: np.ndarray
    size: np.ndarray
    place: np.ndarray
    rotation_y: np.ndarray
    score: np.ndarray | None = None


def read_kitti(path: Path) -> KittiTable:
    """Read ground truth (17 columns) or a tracker's output (17, 18 or more).

    Raises:
        DataError: a malformed row (number of columns, not a number, a negative frame, an id that is
            no whole number or twice in a frame); with path, line and value.
    """
    rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
    columns = len(rows[0]) if rows else LABEL_COLUMNS
    for number, row in enumerate(rows):
        if len(row) < LABEL_COLUMNS or len(row) != columns:
            wanted = "17 (18 with a score) or more, as many in all rows,"
            refuse_row(path, number, f"{len(row)} columns, {wanted} expected")
    columns = min(columns, LABEL_COLUMNS + 1)
    rows = [row[:columns] for row in rows]
    kind = tuple(DONT_CARE if row[2].lower() == DONT_CARE.lower() else row[2] for row in rows)
    table = _numbers(path, [[*row[:2], *row[3:]] for row in rows], columns - 1)
    require_frames(path, table[:, 0], 0)
    require_ids(path, table[:, 1])
    require_boxes(path, table[:, 5:9], table[:, 7:9] - table[:, 5:7])
    frame, track_id = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    objects = np.array([name != DONT_CARE for name in kind], bool) & (track_id >= 0)
    require_unique(path, frame, track_id, objects)
    return KittiTable(
        frame,
        track_id,
        kind,
        table[:, 2],
        table[:, 3],
        table[:, 4],
        table[:, 5:9],
        table[:, 9:12],
        table[:, 12:15],
        table[:, 15],
        table[:, 16] if columns > LABEL_COLUMNS else None,
    )


def write_kitti(path: Path, table: KittiTable) -> None:
    """Write the rows, with the score where the table has it."""
    after = [table.truncated, table.occluded, table.alpha, *table.bbox_xyxy.T, *table.size.T]
    after += [*table.place.T, table.rotation_y]
    if table.score is not None:
        after.append(table.score)
    with path.open("w", encoding="utf-8") as file:
        for i, kind in enumerate(table.kind):
            values = " ".join(number_text(column[i]) for column in after)
            file.write(f"{table.frame[i]} {table.track_id[i]} {kind} {values}\n")


def _numbers(path: Path, rows: list[list[str]], columns: int) -> np.ndarray:
    try:
        table = np.array(rows, np.float64).reshape(len(rows), columns)
    except ValueError:
        for number, row in enumerate(rows):
            try:
                [float(value) for value in row]
            except ValueError as error:
                refuse_row(path, number, str(error))
        raise DataError(f"{path}: not a table of numbers") from None
    require(path, np.isfinite(table).all(axis=1), "not a finite number")
    return table
