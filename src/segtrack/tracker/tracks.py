"""Trajectories of one video on disk: a Parquet table that is read and written as a stream.

A folder holds ``tracks.parquet`` (a row per object and frame, rows of a frame together, frames
ascending, ids of a frame ascending), ``tracks.json`` (what all rows share, and a line per track)
and ``flips.parquet`` (the rows whose detection was of another class than their track);
``times.npy`` too where the frames of the video have times of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.base.errors import DataError
from segtrack.base.frame_times import FrameTimes
from segtrack.base.frames import RowGroups, frame_writer, read_frames
from segtrack.base.rle import disjoint

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
        ("tracker_x1", pa.float32()),
        ("tracker_y1", pa.float32()),
        ("tracker_x2", pa.float32()),
        ("tracker_y2", pa.float32()),
    ]
)
FLIPS_SCHEMA = pa.schema(
    [("frame", pa.int64()), ("track_id", pa.int64()), ("class_name", pa.string())]
)
TRACKER_BOX = ("tracker_x1", "tracker_y1", "tracker_x2", "tracker_y2")
TABLE, FLIPS_FILE = "tracks.parquet", "flips.parquet"
ROW_GROUP = 4096  # rows kept in memory while writing and while reading


@dataclass(frozen=True)
class TrackRows:
    """The objects of one frame, ids ascending.

    Attributes:
        frame: from 0.
        track_id: int64 (M,), from 1 in each video.
        class_id: int16 (M,), the track's class; one track has one class.
        score: float32 (M,), of the detection in this frame.
        bbox_xyxy: float32 (M, 4), the detection's own box in pixels, which fits the object and its
            mask; what is shown.
        rle: M compressed COCO RLE of the detection's own mask at video resolution, or None.
        interpolated: bool (M,), True where no detection stands behind the row; both boxes then lie
            on straight lines between the track's own.
        tracker_bbox_xyxy: float32 (M, 4), the tracker's estimate in pixels (ByteTrack: the Kalman
            state), which may reach over the border; what is scored, as published scores are.
    """

    frame: int
    track_id: np.ndarray
    class_id: np.ndarray
    score: np.ndarray
    bbox_xyxy: np.ndarray
    rle: list[bytes | None]
    interpolated: np.ndarray
    tracker_bbox_xyxy: np.ndarray

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
        import cv2

        from segtrack.base.rle_kernels import cut_out

        columns, x, y = cut_out(np.frombuffer(counts, np.uint8), height)
        return (cv2.transpose(columns).view(bool), x, y) if columns.size else None

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
        fps: of the video, on average; 0 where it is not known.
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

    @property
    def times(self) -> FrameTimes:
        """When the frames of the video are shown."""
        return FrameTimes.load(self.folder, self.info.fps)

    def summary(self) -> tuple[TrackSummary, ...]:
        """Every track, ids ascending."""
        return self._summary

    @cached_property
    def _summary(self) -> tuple[TrackSummary, ...]:
        raw = json.loads((self.folder / "tracks.json").read_text(encoding="utf-8"))
        return tuple(TrackSummary(*row) for row in raw["tracks"])

    def frames(self) -> Iterator[TrackRows]:
        """Every frame that has objects, in order, as a stream; empty frames are left out."""
        for number, rows in read_frames(self.folder / TABLE):
            yield TrackRows(
                number,
                rows["track_id"],
                rows["class_id"],
                rows["score"],
                rows["box"],
                rows["rle"],
                rows["interpolated"],
                rows["tracker_box"],
            )

    def columns(self, *names: str) -> list[np.ndarray]:
        """Whole columns of all rows, of those that are no masks."""
        table = pq.read_table(self.folder / TABLE, columns=list(names))
        return [table[name].to_numpy() for name in names]


class TracksWriter:
    """Appends rows to a trajectories table; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._table = frame_writer(path, SCHEMA, ROW_GROUP)

    def add(self, rows: TrackRows) -> None:
        """Append one frame; frames come in ascending order."""
        columns = {
            "track_id": rows.track_id,
            "class_id": rows.class_id,
            "score": rows.score,
            "box": rows.bbox_xyxy,
            "rle": rows.rle,
            "interpolated": rows.interpolated,
            "tracker_box": rows.tracker_bbox_xyxy,
        }
        self._table.add((rows.frame, columns), len(rows))

    def __enter__(self) -> TracksWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._table.__exit__(*error)


class FlipsWriter:
    """Appends rows to the table of class flips; use as a context manager."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        def table(rows: list[tuple[int, int, str]]) -> pa.Table:
            columns = [pa.array(column) for column in zip(*rows, strict=True)]
            return pa.table(columns, schema=FLIPS_SCHEMA)

        self._table = RowGroups(folder / FLIPS_FILE, FLIPS_SCHEMA, ROW_GROUP, table)
        self._names = names

    def add(self, frame: int, track_id: int, class_id: int) -> None:
        """At ``frame`` the track was detected as that class, which is not the track's."""
        self._table.add((frame, track_id, self._names[class_id]), 1)

    def __enter__(self) -> FlipsWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._table.__exit__(*error)


def read_flips(path: Path) -> list[tuple[int, int, str]]:
    """Frame, track id and detected class of each row that was detected as another class.

    Raises:
        DataError: it is no such file.
    """
    try:
        table = pq.read_table(path, schema=FLIPS_SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not readable as class flips ({error})") from error
    return [tuple(row.values()) for row in table.to_pylist()]


def write_info(folder: Path, info: TracksInfo, tracks: list[TrackSummary]) -> None:
    """Write ``tracks.json``, which makes the folder a whole one."""
    rows = ",\n".join(json.dumps(list(asdict(track).values())) for track in tracks)
    shared = json.dumps(asdict(info), ensure_ascii=False)
    text = f'{{"info": {shared},\n"tracks": [\n{rows}\n]}}\n'
    (folder / "tracks.json").write_text(text, encoding="utf-8")
