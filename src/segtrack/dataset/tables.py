"""The canonical tables on disk: ``images.parquet`` and ``annotations.parquet``.

Both are in the order of ``image_id`` and are written and read in row groups, so that neither side
holds a data set in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from segtrack.base.frames import RowGroups, row_groups
from segtrack.dataset.labels import Labels

IMAGES = pa.schema(
    [
        ("image_id", pa.int64()),
        ("file_name", pa.string()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", pa.string()),
        ("orientation", pa.int8()),
        ("sha256", pa.binary(32)),
        ("annotations", pa.int32()),
    ]
)
ANNOTATIONS = pa.schema(
    [
        ("annotation_id", pa.int64()),
        ("image_id", pa.int64()),
        ("class_id", pa.int32()),
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("w", pa.float64()),
        ("h", pa.float64()),
        ("area", pa.float64()),
        ("iscrowd", pa.bool_()),
        ("visible_fraction", pa.float64()),
        ("polygons", pa.list_(pa.list_(pa.float64()))),
        ("rle", pa.binary()),
    ]
)
ROW_GROUP = 4096


def table_writer(path: Path, schema: pa.Schema) -> RowGroups[pa.Table]:
    """Appends tables to one Parquet file in row groups of about ``ROW_GROUP`` rows."""
    return RowGroups(
        path, schema, ROW_GROUP, pa.concat_tables, compression_level=1, row_group_size=ROW_GROUP
    )


def annotation_table(labels: list[Labels], image_ids: list[int]) -> pa.Table:
    """Rows of ``ANNOTATIONS`` for several images; ``annotation_id`` counts from 0."""
    counts = np.array([len(one) for one in labels], np.int64)
    boxes = np.concatenate([np.zeros((0, 4)), *(one.bbox_xywh for one in labels)])
    ring_points = np.concatenate([np.zeros(0, np.int32), *(one.ring_points for one in labels)])
    rings = np.concatenate([np.zeros(0, np.int32), *(one.rings for one in labels)])
    points = np.concatenate([np.zeros((0, 2)), *(one.points for one in labels)])
    polygons = pa.ListArray.from_arrays(_offsets(ring_points * 2), pa.array(points.reshape(-1)))
    visible = np.concatenate([np.zeros(0), *(one.visible for one in labels)])
    columns = [
        pa.array(np.arange(int(counts.sum()), dtype=np.int64)),
        pa.array(np.repeat(np.array(image_ids, np.int64), counts)),
        pa.array(np.concatenate([np.zeros(0, np.int32), *(one.class_id for one in labels)])),
        *(pa.array(np.ascontiguousarray(boxes[:, i])) for i in range(4)),
        pa.array(np.concatenate([np.zeros(0), *(one.area for one in labels)])),
        pa.array(np.concatenate([np.zeros(0, bool), *(one.crowd for one in labels)])),
        pa.array(visible, mask=np.isnan(visible)),
        pa.ListArray.from_arrays(_offsets(rings), polygons),
        pa.array([rle or None for one in labels for rle in one.rle], pa.binary()),
    ]
    return pa.table(columns, schema=ANNOTATIONS)


def rows_of(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file as dicts, one row group in memory at a time."""
    for table in row_groups(path, columns):
        yield from table.to_pylist()


def _offsets(counts: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
