"""The tables that predictions of many files are handed over as: any program reads them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.base.frame_times import FrameTimes
from segtrack.base.frames import row_groups

_OBJECT = [
    ("class_id", pa.int16()),
    ("class_name", pa.string()),
    ("score", pa.float32()),
    *((side, pa.float32()) for side in ("x1", "y1", "x2", "y2")),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("rle", pa.string()),
]
_FRAME = [("video", pa.string()), ("frame", pa.int64()), ("seconds", pa.float64())]
IMAGE_OBJECTS = pa.schema([("image", pa.string()), *_OBJECT])
VIDEO_OBJECTS = pa.schema([*_FRAME, *_OBJECT])
TRACK_OBJECTS = pa.schema(
    [*_FRAME, ("track_id", pa.int64()), *_OBJECT, ("interpolated", pa.bool_())]
)
_FACTS = [
    ("sha256", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("objects", pa.int64()),
    ("problem", pa.string()),
]
IMAGES = pa.schema([("image", pa.string()), *_FACTS])
VIDEOS = pa.schema([("video", pa.string()), ("fps", pa.float64()), ("frames", pa.int64()), *_FACTS])
Columns = Mapping[str, Any]


def write_objects(
    source: Path,
    target: Path,
    schema: pa.Schema,
    names: Sequence[str],
    about: Callable[[np.ndarray], Columns],
) -> int:
    """Rewrite a table of predictions or trajectories as one that stands for itself.

    Args:
        source: Parquet with ``frame``, ``class_id``, ``score``, the box's sides and ``rle``.
        schema: of ``target``.
        names: of classes, by id.
        about: for frame numbers (N,) the columns that ``source`` lacks, but ``class_name``.

    Returns:
        The number of rows.
    """
    classes, count = pa.array(names, pa.string()), 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in row_groups(source):
            columns = {
                **{name: group[name] for name in schema.names if name in group.column_names},
                **about(group["frame"].to_numpy()),
                "class_name": classes.take(group["class_id"].combine_chunks()),
            }
            columns["rle"] = group["rle"].cast(pa.string())  # COCO's compressed counts are ASCII
            rows = pa.table({name: columns[name] for name in schema.names}, schema=schema)
            writer.write_table(rows)
            count += len(rows)
    return count


def of_video(
    name: str, times: FrameTimes, height: int, width: int
) -> Callable[[np.ndarray], Columns]:
    """What ``write_objects`` asks for of a video with ``times`` and frames of ``height, width``."""

    def about(frames: np.ndarray) -> Columns:
        count = len(frames)
        return {
            "video": [name] * count,
            "seconds": np.array([times.seconds(frame) for frame in frames.tolist()]),
            "height": np.full(count, height),
            "width": np.full(count, width),
        }

    return about


def write_facts(rows: Sequence[Mapping[str, Any]], target: Path, schema: pa.Schema) -> None:
    """A row per file."""
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    pq.write_table(table, target, compression="zstd")
