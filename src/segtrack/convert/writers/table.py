"""Tracks as a table, a row for each object in each frame: Parquet with masks, CSV with boxes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material
from segtrack.convert.places import Out
from segtrack.report import write_csv

PARQUET_HOLDS = Holds(
    outlines=False,
    parts=False,
    crowds=True,
    splits=False,
    scores=True,
    track_ids=True,
    visible=True,
    interpolated=True,
    ignored=True,
)
CSV_HOLDS = replace(PARQUET_HOLDS, masks=False)
COLUMNS = (
    *("video", "frame", "time_s", "track_id", "class_id", "class_name", "score"),
    *("x1", "y1", "x2", "y2", "interpolated", "visible_fraction", "crowd", "ignored"),
)
MASK = "rle"
NAME = "tracks"
_CHUNK = 4096  # rows in memory


def write_parquet(material: Material, out: Out) -> None:
    """``tracks.parquet``; ``rle`` is the mask as compressed COCO RLE of the video's size.

    The file's metadata has, under the key ``videos``, name, size, frame rate and number of frames
    of each video as JSON, since frames without objects have no rows, and under ``classes`` the
    names by class id.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "video": pa.string(), "frame": pa.int64(), "time_s": pa.float64(), "track_id": pa.int64(),
        "class_id": pa.int32(), "class_name": pa.string(), "score": pa.float64(),
        **{side: pa.float64() for side in ("x1", "y1", "x2", "y2")},
        "interpolated": pa.bool_(), "visible_fraction": pa.float64(), "crowd": pa.bool_(),
        "ignored": pa.bool_(), MASK: pa.string(),
    }  # fmt: skip
    videos = [{k: v for k, v in asdict(clip).items() if k != "times"} for clip in material.clips]
    said = {
        "videos": json.dumps(videos, ensure_ascii=False),
        "classes": json.dumps(dict(enumerate(material.names)), ensure_ascii=False),
    }
    schema = pa.schema([(name, kinds[name]) for name in (*COLUMNS, MASK)], metadata=said)
    path = out.path if out.single else out.path / f"{NAME}.parquet"
    rows = _rows(material)
    with pq.ParquetWriter(path, schema) as file:
        while chunk := list(islice(rows, _CHUNK)):
            file.write_table(pa.Table.from_pylist(chunk, schema=schema))


def write_csv_table(material: Material, out: Out) -> None:
    """``tracks.csv``; what a spreadsheet would run as a formula has an apostrophe in front."""
    path = out.path if out.single else out.path / f"{NAME}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, COLUMNS, ([row[name] for name in COLUMNS] for row in _rows(material)))


def _rows(material: Material) -> Iterator[dict[str, Any]]:
    for picture in material.pictures():
        clip = picture.clip
        assert clip is not None
        for thing in picture.things:
            x1, y1, x2, y2 = thing.bbox_xyxy
            yield {
                "video": clip.name,
                "frame": picture.frame,
                "time_s": clip.seconds(picture.frame),
                "track_id": thing.track_id,
                "class_id": thing.class_id,
                "class_name": material.names[thing.class_id],
                "score": thing.score,
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
                "interpolated": thing.interpolated,
                "visible_fraction": thing.visible,
                "crowd": thing.crowd,
                "ignored": thing.ignored,
                MASK: thing.rle.decode() or None,
            }
