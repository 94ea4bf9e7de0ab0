"""Data sets with their origins and licences, as ``sources.md`` has them, for a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from segtrack.base.errors import DataError, nearest
from segtrack.dataset import SourceRow, read_sources
from segtrack.report import Cell, Table

SOURCES = "sources.md"
_COLUMNS = ("origin", "licence", "author")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")


def named_sources(patterns: Sequence[str], path: Path) -> Table:
    """The rows with these globs.

    Raises:
        DataError: the file cannot be read, or has no such row.
    """
    rows = {row.pattern: row for row in read_sources(path)}
    for pattern in patterns:
        if pattern not in rows:
            near = nearest(pattern, rows)
            hint = f"; did you mean {near}?" if near else ""
            raise DataError(f"{path}: has no row {pattern}{hint}")
    cells = tuple((pattern, *_cells(rows[pattern])) for pattern in patterns)
    return Table("Data and licences", ("data", *_COLUMNS), cells)


def counted_sources(counts: Mapping[SourceRow | None, int], of: str) -> Table:
    """How many images or videos each row stands for; the last of them have none."""
    cells: list[tuple[Cell, ...]] = [
        (row.pattern, number, *_cells(row)) for row, number in counts.items() if row is not None
    ]
    if unknown := counts.get(None):
        cells.append(("no row", unknown, "not known", "not known", ""))
    return Table("Data and licences", ("data", of, *_COLUMNS), tuple(cells))


def find_sources(folder: Path) -> Path:
    """``sources.md`` of the folder or the nearest one above it.

    Raises:
        DataError: there is none.
    """
    folder = folder.resolve()
    for one in (folder, *folder.parents):
        if (one / SOURCES).is_file():
            return one / SOURCES
    raise DataError(
        f"{folder}: neither it nor a folder above has {SOURCES}, which says where data come from"
    )


def _cells(row: SourceRow) -> tuple[str, str, str]:
    return _plain(row.origin), _plain(row.licence), _plain(row.author)


def _plain(text: str) -> str:
    """Without Markdown's marks."""
    return _LINK.sub(r"\1 (\2)", text).replace("`", "")
