"""Which files are predicted, in which shards: a function of what lies in a folder alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from segtrack.base.errors import DataError
from segtrack.dataset import files_below, is_video, paths_of, picture_files

IMAGE, VIDEO = "image", "video"
SCHEMA = pa.schema([("name", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64())])
NO_FILE = -1  # the size of what can never be read to its end: a pipe, a device, a broken link


class Input(NamedTuple):
    """A file to predict: its path below the plan's root, its bytes, when it was written."""

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Plan:
    """All files, in the order of their names; so many of them follow each other in a shard.

    Attributes:
        root: absolute folder that names begin in. kind: ``IMAGE`` or ``VIDEO``.
        table: a row per file, of ``SCHEMA``; 1 million of them take 80 MB.
        per_shard: files of a shard, but of the last one.
    """

    root: Path
    kind: str
    table: pa.Table
    per_shard: int

    def __len__(self) -> int:
        return len(self.table)

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-len(self) // self.per_shard)

    def count(self, number: int) -> int:
        """How many files a shard has."""
        return min(self.per_shard, len(self) - number * self.per_shard)

    def files(self, number: int) -> list[Input]:
        """Those of one shard, counted from 0."""
        part = self.table.slice(number * self.per_shard, self.per_shard)
        columns = (part[name].to_pylist() for name in SCHEMA.names)
        return [Input(*row) for row in zip(*columns, strict=True)]

    def largest_first(self, numbers: Iterable[int]) -> list[int]:
        """Shards in the order in which they are begun: of videos the long ones first, so that none
        of them is left to one process at the end."""
        if self.kind == IMAGE:
            return list(numbers)
        sizes = self.table["size"].to_numpy()
        return sorted(numbers, key=lambda number: (-int(sizes[number]), number))

    @cached_property
    def digest(self) -> str:
        """Of names, sizes and times; contents are not read for it."""
        found = hashlib.sha256(self.kind.encode())
        for batch in self.table.to_batches(max_chunksize=10_000):
            for row in zip(*(batch[name].to_pylist() for name in SCHEMA.names), strict=True):
                found.update("\0".join(map(str, row)).encode() + b"\n")
        return found.hexdigest()


def plan_images(folder: Path, per_shard: int) -> Plan:
    """The pictures below ``folder``.

    Raises:
        DataError: there are none, or a name is none that tables can hold.
    """
    root = Path(os.path.normpath(folder.absolute()))
    rows = sorted(_row(entry.path, str(root)) for entry in picture_files(root))
    if not rows:
        raise DataError(f"{folder}: holds no pictures; give the folder that they lie in")
    return Plan(root, IMAGE, _table(rows), per_shard)


def plan_videos(pattern: str) -> Plan:
    """The video files that a path, a glob or a folder with all its subfolders names.

    Raises:
        DataError: there are none, or a name is none that tables can hold.
    """
    named = [Path(os.path.normpath(path.absolute())) for path in paths_of(pattern)]
    root = named[0] if len(named) == 1 and named[0].is_dir() else _common(named)
    rows = sorted({_row(str(path), str(root)) for path in _videos(named)})
    if not rows:
        raise DataError(
            f"video={pattern}: there is no video file; of frames in a folder each is a picture: "
            "dataset=images dataset.path=FOLDER"
        )
    return Plan(root, VIDEO, _table(rows), 1)


def _common(paths: list[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _videos(named: Iterable[Path]) -> Iterator[Path]:
    for path in named:
        if path.is_dir():
            yield from (Path(e.path) for e in files_below(path) if is_video(Path(e.path)))
        else:
            yield path


def _row(path: str, root: str) -> tuple[str, int, int]:
    name = os.path.relpath(path, root).replace(os.sep, "/")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path!r}: this name is not UTF-8, which tables need; rename it"
        ) from error
    try:
        facts = os.stat(path)  # noqa: PTH116 (hot loop)
    except OSError:
        return name, NO_FILE, 0
    regular = (facts.st_mode & 0o170000) == 0o100000
    return (name, facts.st_size, facts.st_mtime_ns) if regular else (name, NO_FILE, 0)


def _table(rows: list[tuple[str, int, int]]) -> pa.Table:
    names, sizes, times = zip(*rows, strict=True)
    columns = [pa.array(names, pa.string()), np.array(sizes, np.int64), np.array(times, np.int64)]
    return pa.table(columns, schema=SCHEMA)


def keep_plan(plan: Plan, path: Path) -> None:
    """Write the files' table where every process finds it, as one that maps into memory."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
        writer.write_table(plan.table.combine_chunks())


def read_plan(path: Path, root: Path, kind: str, per_shard: int) -> Plan:
    """What ``keep_plan`` wrote; its rows stay on the disk until they are asked for."""
    with pa.memory_map(str(path)) as file:
        return Plan(root, kind, pa.ipc.open_file(file).read_all(), per_shard)
