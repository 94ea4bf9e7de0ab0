"""Parquet tables that are written and read as a stream, whole or frame by frame.

Neither side holds more than a row group, so that memory does not grow with a video or a data set.
In a table of frames the rows of a frame lie together and frames ascend. Its rows are handed around
as columns by name: numpy arrays of one length, lists for binary columns, and ``box``, (N, 4), for
the four columns ``BOX_COLUMNS``, or ``NAME_box`` for those with ``NAME_`` before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_AT_ONCE = 16  # row groups in memory
FRAME = "frame"  # the column of the frame's number
BOX_COLUMNS = ("x1", "y1", "x2", "y2")
Columns = dict[str, Any]
Piece = TypeVar("Piece")


class RowGroups(Generic[Piece]):
    """Appends pieces to a Parquet file; use as a context manager."""

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        rows: int,
        table: Callable[[list[Piece]], pa.Table],
        **options: Any,
    ) -> None:
        """Open the file.

        Args:
            rows: that are held before they are written.
            table: makes one table of the pieces that were held.
            options: of ``write_table`` and, where it has ``compression_level``, of the writer.
        """
        level = options.pop("compression_level", None)
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=level)
        self._rows, self._table, self._options = rows, table, options
        self._held: list[Piece] = []
        self._count = 0
        self.rows_written = 0

    def add(self, piece: Piece, count: int) -> None:
        """Append a piece of ``count`` rows."""
        if count:
            self._held.append(piece)
            self._count += count
        if self._count >= self._rows:
            self._flush()

    def close(self) -> None:
        """Write what is held and end the file."""
        self._flush()
        self._writer.close()

    def __enter__(self) -> RowGroups[Piece]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(self._table(self._held), **self._options)
            self.rows_written += self._count
        self._held, self._count = [], 0


def frame_writer(path: Path, schema: pa.Schema, rows: int) -> RowGroups[tuple[int, Columns]]:
    """A writer of frames: each piece is a frame's number and its columns.

    Args:
        rows: of a row group, about.
    """

    def table(frames: list[tuple[int, Columns]]) -> pa.Table:
        return pa.table([_joined(frames, field) for field in schema], schema=schema)

    return RowGroups(path, schema, rows, table)


def _joined(frames: list[tuple[int, Columns]], field: pa.Field) -> Any:
    """One column of several frames."""
    if pa.types.is_binary(field.type):
        return pa.array([v for _, columns in frames for v in columns[field.name]], field.type)
    if field.name == FRAME:
        counts = [len(columns["box"]) for _, columns in frames]
        return np.repeat(np.array([number for number, _ in frames], np.int64), counts)
    kind, side = _of_box(field.name)
    if side is not None:
        parts = [columns[f"{kind}box"][:, side] for _, columns in frames]
    else:
        parts = [columns[field.name] for _, columns in frames]
    return np.concatenate(parts).astype(field.type.to_pandas_dtype())


def read_frames(path: Path) -> Iterator[tuple[int, Columns]]:
    """Number and columns of every frame that has rows, in order."""
    yield from frames_of(row_groups(path))


def frames_of(tables: Iterable[pa.Table]) -> Iterator[tuple[int, Columns]]:
    """The same of some tables that follow each other."""
    rest: Columns | None = None
    for table in tables:
        columns = _columns(table)
        if rest is not None:
            columns = {name: _after(rest[name], column) for name, column in columns.items()}
        number = columns[FRAME]
        starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1)).tolist()
        for start, end in pairwise(starts):
            yield _frame(columns, slice(start, end))
        # The last frame may go on in the next group.
        rest = {name: column[starts[-1] :] for name, column in columns.items()}
    if rest is not None:
        yield _frame(rest, slice(None))


def row_groups(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a table that have rows, one in memory at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            if len(table):
                yield table


def rows_with(
    path: Path, column: str, values: Iterable[int], columns: list[str] | None = None
) -> pa.Table:
    """The rows in which a column of numbers has one of ``values``.

    Only the row groups are read that can hold one, by the file's own statistics: of a table that is
    sorted by the column, about as many as there are values.
    """
    wanted = np.unique(np.array(list(values), np.int64))
    with pq.ParquetFile(path) as file:
        empty = file.schema_arrow.empty_table()
        parts = [empty.select(columns) if columns else empty]
        place = [file.schema.column(i).path for i in range(len(file.schema))].index(column)
        groups = [
            group
            for group in range(file.num_row_groups)
            if _may_hold(file.metadata.row_group(group).column(place).statistics, wanted)
        ]
        for first in range(0, len(groups), _AT_ONCE):
            table = file.read_row_groups(groups[first : first + _AT_ONCE], columns=columns)
            parts.append(table.filter(pc.is_in(table[column], value_set=pa.array(wanted))))
    return pa.concat_tables(parts)


def _may_hold(limits: Any, wanted: np.ndarray) -> bool:
    """Whether a row group with these statistics, or none, may hold one of rising numbers."""
    if limits is None or not limits.has_min_max:
        return True
    first, last = np.searchsorted(wanted, [limits.min, limits.max + 1])
    return bool(first < last)


def _columns(table: pa.Table) -> Columns:
    columns = {
        field.name: table[field.name].to_pylist()
        if pa.types.is_binary(field.type)
        else table[field.name].to_numpy()
        for field in table.schema
        if _of_box(field.name)[1] is None
    }
    for kind in {_of_box(name)[0] for name in table.column_names if _of_box(name)[1] is not None}:
        sides = [table[f"{kind}{name}"].to_numpy() for name in BOX_COLUMNS]
        columns[f"{kind}box"] = np.stack(sides, axis=1)
    return columns


def _of_box(column: str) -> tuple[str, int | None]:
    """Which box a column is a side of, ``tracker_`` for ``tracker_x1``, and which side; or None."""
    kind, name = column[:-2], column[-2:]
    return kind, BOX_COLUMNS.index(name) if name in BOX_COLUMNS else None


def _after(first: Any, second: Any) -> Any:
    return first + second if isinstance(first, list) else np.concatenate([first, second])


def _frame(columns: Columns, part: slice) -> tuple[int, Columns]:
    rows = {name: column[part] for name, column in columns.items()}
    return int(rows[FRAME][0]), rows
