"""Trajectories of one video on disk: a Parquet table that is read and written as a stream.

A folder holds ``tracks.parquet`` (a row per object and frame, rows of a frame together, frames
ascending, ids of a frame ascending) and ``tracks.json`` (what all rows share, and a line per
track).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.base.errors import DataError
from segtrack.base.rle import decode_box, disjoint, mask_box, run_lengths

SCHEMA = pa.schema(
    [
        ("frame", pa.int64()),
        ("track_id", pa.int64()),
        ("class_id", pa.int16()),
        ("score", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("rle", pa.binary()),
        ("interpolated", pa.bool_()),
    ]
)
BOX_COLUMNS = ("x1", "y1", "x2", "y2")
ROW_GROUP = 4096  # rows kept in memory while writing and while reading


@dataclass(frozen=True)
class TrackRows:
    """The objects of one frame, ids ascending.

    Attributes:
        frame: from 0.
        track_id: int64 (M,), from 1 in each video.
        class_id: int16 (M,), the track's class; one track has one class.
        score: float32 (M,), of the detection in this frame.
        bbox_xyxy: float32 (M, 4), the tracker's estimate in pixels; may reach over the border.
        rle: M compressed COCO RLE of the detection's own mask at video resolution, or None.
        interpolated: bool (M,), True where no detection stands behind the row.
    """

    frame: int
    track_id: np.ndarray
    class_id: np.ndarray
    score: np.ndarray
    bbox_xyxy: np.ndarray
    rle: list[bytes | None]
    interpolated: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)

    def mask(self, row: int, height: int) -> tuple[np.ndarray, int, int] | None:
        """One object's mask, decoded inside its own extent only.

        Args:
            row: which object.
            height: of the video, pixels.

        Returns:
            bool (h, w) and the x, y of its upper left pixel; None for no or an empty mask.
        """
        counts = self.rle[row]
        if counts is None:
            return None
        runs = run_lengths(counts)
        box = mask_box(runs, height)
        return (decode_box(runs, height, box), box[0], box[1]) if box[2] else None

    def disjoint_masks(self, height: int, width: int) -> list[bytes | None]:
        """The masks such that each pixel is the object's with the highest score that has it.

        Equal scores go by id, the lower first. See ``segtrack.base.rle.disjoint``.
        """
        order = np.lexsort((self.track_id, -self.score)).tolist()
        return disjoint(self.rle, order, height, width)


@dataclass(frozen=True)
class TrackSummary:
    """One track: frames from 0 with both ends included, ``mean_score`` over the frames seen."""

    track_id: int
    class_id: int
    first_frame: int
    last_frame: int
    frames_seen: int
    mean_score: float


@dataclass(frozen=True)
class TracksInfo:
    """What all rows of a file share.

    Attributes:
        names: class names by ``class_id``.
        frame_count: frames of the video that were read, those without objects included.
        width, height: pixels; 0 where only detections were given and no frames.
        fps: of the video; 0 where it is not known.
        tracker: every setting that shaped the tracks, as it was resolved.
        truncated: what was wrong where a video could only be read in part, else empty.
    """

    names: tuple[str, ...]
    frame_count: int
    width: int
    height: int
    fps: float
    tracker: dict[str, Any]
    truncated: str = ""


@dataclass(frozen=True)
class Tracks:
    """A folder of trajectories."""

    folder: Path
    info: TracksInfo

    @staticmethod
    def load(folder: Path) -> Tracks:
        """Open ``folder``.

        Raises:
            DataError: the folder holds no trajectories.
        """
        path = folder / "tracks.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))["info"]
        except (OSError, json.JSONDecodeError, KeyError) as error:
            raise DataError(f"{path}: not readable as trajectories ({error})") from error
        return Tracks(folder, TracksInfo(**{**raw, "names": tuple(raw["names"])}))

    def summary(self) -> tuple[TrackSummary, ...]:
        """Every track, ids ascending."""
        return self._summary

    @cached_property
    def _summary(self) -> tuple[TrackSummary, ...]:
        raw = json.loads((self.folder / "tracks.json").read_text(encoding="utf-8"))
        return tuple(TrackSummary(*row) for row in raw["tracks"])

    def frames(self) -> Iterator[TrackRows]:
        """Every frame that has objects, in order, as a stream; empty frames are left out."""
        rest: dict[str, Any] | None = None
        with pq.ParquetFile(self.folder / "tracks.parquet") as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                if not len(table):
                    continue
                columns = _columns(table, rest)
                starts = np.flatnonzero(np.diff(columns["frame"], prepend=-1))
                for start, end in pairwise(starts):
                    yield _rows(columns, slice(start, end))
                # The last frame may go on in the next group.
                rest = {name: column[starts[-1] :] for name, column in columns.items()}
        if rest is not None:
            yield _rows(rest, slice(None))


class TracksWriter:
    """Appends rows to a trajectories table; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._held: list[TrackRows] = []
        self._count = 0

    def add(self, rows: TrackRows) -> None:
        """Append one frame; frames come in ascending order."""
        if len(rows):
            self._held.append(rows)
            self._count += len(rows)
        if self._count >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        held, self._held, self._count = self._held, [], 0
        box = np.concatenate([r.bbox_xyxy for r in held]).astype(np.float32)
        columns = [
            np.concatenate([np.full(len(r), r.frame, np.int64) for r in held]),
            np.concatenate([r.track_id for r in held]).astype(np.int64),
            np.concatenate([r.class_id for r in held]).astype(np.int16),
            np.concatenate([r.score for r in held]).astype(np.float32),
            *(np.ascontiguousarray(box[:, i]) for i in range(4)),
            pa.array([counts for r in held for counts in r.rle], pa.binary()),
            np.concatenate([r.interpolated for r in held]).astype(bool),
        ]
        self._writer.write_table(pa.table(columns, schema=SCHEMA))

    def __enter__(self) -> TracksWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()


def write_info(folder: Path, info: TracksInfo, tracks: list[TrackSummary]) -> None:
    """Write ``tracks.json``, which makes the folder a whole one."""
    rows = ",\n".join(json.dumps(list(asdict(track).values())) for track in tracks)
    shared = json.dumps(asdict(info), ensure_ascii=False)
    text = f'{{"info": {shared},\n"tracks": [\n{rows}\n]}}\n'
    (folder / "tracks.json").write_text(text, encoding="utf-8")


def _columns(table: pa.Table, rest: dict[str, Any] | None) -> dict[str, Any]:
    """The table's columns as arrays (``rle`` as a list), after what the last group left."""
    columns = {
        name: table[name].to_pylist() if name == "rle" else table[name].to_numpy()
        for name in SCHEMA.names
        if name not in BOX_COLUMNS
    }
    columns["box"] = np.stack([table[name].to_numpy() for name in BOX_COLUMNS], axis=1)
    if rest is None:
        return columns
    return {
        name: rest[name] + column if name == "rle" else np.concatenate([rest[name], column])
        for name, column in columns.items()
    }


def _rows(columns: dict[str, Any], part: slice) -> TrackRows:
    return TrackRows(
        int(columns["frame"][part][0]),
        columns["track_id"][part],
        columns["class_id"][part],
        columns["score"][part],
        columns["box"][part],
        columns["rle"][part],
        columns["interpolated"][part],
    )
