"""What CLEAR matched, frame by frame: which objects were missed, which tracks follow nothing.

A table with a row for each judged object of the ground truth and each judged row of a track; those
that were matched share one. So its rows are what the counts count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segtrack.base.errors import DataError

MATCHES_FILE = "matches.parquet"
NONE = -1  # in place of an id; null in the file

_TEXT = pa.dictionary(pa.int16(), pa.string())
SCHEMA = pa.schema(
    [
        ("kind", _TEXT),
        ("class_name", _TEXT),
        ("frame", pa.int32()),
        ("gt_id", pa.int64()),
        ("track_id", pa.int64()),
        ("iou", pa.float32()),
        ("old_track", pa.int64()),
        ("fragment", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Switch:
    """At ``frame`` (from 0) ``gt_id`` is followed by ``new_track`` after ``old_track``."""

    frame: int
    gt_id: int
    old_track: int
    new_track: int


@dataclass(frozen=True)
class ClearMatches:
    """The matches of one kind and class, frames ascending, (N,) each.

    Attributes:
        frame: int64, from 0.
        gt_id: int64, of the object; NONE where a track follows nothing.
        track_id: int64; NONE where the object was missed.
        iou: float32, of the match; NaN where there is none.
        old_track: int64, the track that followed the object before, where the match is an id
            switch; NONE elsewhere.
        fragment: bool, the object is found again after frames in which it was not (Frag).
    """

    frame: np.ndarray
    gt_id: np.ndarray
    track_id: np.ndarray
    iou: np.ndarray
    old_track: np.ndarray
    fragment: np.ndarray

    @property
    def missed(self) -> np.ndarray:
        """bool (N,): FN."""
        return np.asarray(self.track_id == NONE)

    @property
    def false(self) -> np.ndarray:
        """bool (N,): FP."""
        return np.asarray(self.gt_id == NONE)

    @property
    def switched(self) -> np.ndarray:
        """bool (N,): IDSW."""
        return np.asarray(self.old_track != NONE)

    def of_frame(self, frame: int) -> ClearMatches:
        """The rows of one frame."""
        begin, end = np.searchsorted(self.frame, [frame, frame + 1])
        return ClearMatches(*(getattr(self, one.name)[begin:end] for one in fields(self)))

    def switches(self) -> tuple[Switch, ...]:
        """Every id switch, frames ascending."""
        columns = (self.frame, self.gt_id, self.old_track, self.track_id)
        rows = zip(*(column[self.switched].tolist() for column in columns), strict=True)
        return tuple(Switch(*row) for row in rows)


def write_matches(path: Path, found: Sequence[tuple[str, str, ClearMatches]]) -> None:
    """Write kinds and classes with their matches, one after the other."""
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for kind, name, one in found:
            count = len(one.frame)
            ids = (pa.array(v, mask=v == NONE) for v in (one.gt_id, one.track_id, one.old_track))
            gt_id, track_id, old_track = ids
            columns = {
                "kind": _same(kind, count),
                "class_name": _same(name, count),
                "frame": pa.array(one.frame.astype(np.int32)),
                "gt_id": gt_id,
                "track_id": track_id,
                "iou": pa.array(one.iou.astype(np.float32), mask=np.isnan(one.iou)),
                "old_track": old_track,
                "fragment": pa.array(one.fragment),
            }
            writer.write_table(pa.table(columns, schema=SCHEMA))


def read_matches(path: Path) -> Mapping[tuple[str, str], ClearMatches]:
    """The matches by kind (``box`` or ``mask``) and class.

    Raises:
        DataError: it is no such file.
    """
    try:
        table = pq.read_table(path, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not readable as matches ({error})") from error
    found: dict[tuple[str, str], ClearMatches] = {}
    keys = table.select(["kind", "class_name"]).cast(
        pa.schema([("kind", pa.string()), ("class_name", pa.string())])
    )
    for row in keys.group_by(["kind", "class_name"]).aggregate([]).to_pylist():
        mine = pc.and_(
            pc.equal(keys["kind"], row["kind"]), pc.equal(keys["class_name"], row["class_name"])
        )
        part = table.filter(mine)
        ids = {name: pc.fill_null(part[name], NONE) for name in ("gt_id", "track_id", "old_track")}
        found[row["kind"], row["class_name"]] = ClearMatches(
            part["frame"].to_numpy().astype(np.int64),
            ids["gt_id"].to_numpy(),
            ids["track_id"].to_numpy(),
            part["iou"].to_numpy(),
            ids["old_track"].to_numpy(),
            part["fragment"].to_numpy(),
        )
    return found


def _same(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(count, np.int16)), pa.array([text], pa.string())
    )
