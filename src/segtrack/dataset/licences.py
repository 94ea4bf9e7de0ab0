"""``sources.md``: where every file comes from and under which licence."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.errors import DataError
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks

if TYPE_CHECKING:
    from segtrack.dataset.canonical import Dataset

_COLUMNS = 4


@dataclass(frozen=True)
class SourceRow:
    """One row of the table: a file name or glob, its origin, licence and author."""

    pattern: str
    origin: str
    licence: str
    author: str


def read_sources(path: Path) -> list[SourceRow]:
    """All rows of all tables with four columns in a Markdown file.

    Raises:
        DataError: the file is not there, or a row names no licence or no origin.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"dataset.sources: {path} cannot be read ({error}); it holds a table: "
            "| file or glob | origin | licence | author |"
        ) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip().startswith("|"):
            continue
        inner = line.strip().removeprefix("|").removesuffix("|")
        cells = [cell.strip().strip("`") for cell in inner.split("|")]
        following = lines[number].strip() if number < len(lines) else ""
        heading = set(following) <= set("|-: ") and "-" in following
        ruler = set("".join(cells)) <= set("-: ")
        if len(cells) != _COLUMNS or heading or ruler:
            continue
        row = SourceRow(cells[0], cells[1], cells[2], cells[3])
        if not row.pattern or not row.origin or not row.licence:
            raise DataError(f"{path}:{number}: a row needs a file or glob, an origin and a licence")
        rows.append(row)
    return rows


def check_sources(catalogue: Catalogue, checks: Checks, sources: Path, prefix: str) -> None:
    """Every image needs a row; one that has none is an error.

    A pattern fits an image by its name inside the data set, its path, or both behind a prefix.

    Args:
        sources: the Markdown file.
        prefix: what images of a generated or downloaded data set are called by, "sim:" for
            example; empty for a user's own folder.
    """
    row_of = _finder(read_sources(sources), prefix)
    for name, path in catalogue.rows("file_name, path"):
        if row_of(name, path) is None:
            message = f"{prefix}{name} has no row in {sources}"
            hint = "add a row:  | file or glob | where it is from | licence | author |"
            checks.error("no_source", path, message, hint)


def count_sources(dataset: Dataset, sources: Path) -> dict[SourceRow | None, int]:
    """Images by the first row that fits them, in the file's order; None for those without one.

    Raises:
        DataError: the file cannot be read.
    """
    images = dataset.image_rows("file_name", "path")
    files = ((one["file_name"], os.path.normpath(dataset.folder / one["path"])) for one in images)
    return count_files(files, sources, dataset.prefix)


def count_files(
    files: Iterable[tuple[str, str]], sources: Path, prefix: str = ""
) -> dict[SourceRow | None, int]:
    """The same of any files, each by its name and its path."""
    rows = read_sources(sources)
    row_of = _finder(rows, prefix)
    counts: dict[SourceRow | None, int] = dict.fromkeys([*rows, None], 0)
    for name, path in files:
        counts[row_of(name, path)] += 1
    return {row: count for row, count in counts.items() if count}


def _finder(rows: list[SourceRow], prefix: str) -> Callable[[str, str], SourceRow | None]:
    """The first row that fits an image's name and path."""
    patterns = (f"(?P<r{i}>{fnmatch.translate(row.pattern)})" for i, row in enumerate(rows))
    match = re.compile("|".join(patterns)).match if rows else None

    def row_of(name: str, path: str) -> SourceRow | None:
        own = [prefix + name] if prefix else [name, path, Path(name).name]
        found = [int((m.lastgroup or "r")[1:]) for one in own if match and (m := match(one))]
        return rows[min(found)] if found else None

    return row_of
