"""``sources.md``: where every file comes from and under which licence."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks

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
    rows = read_sources(sources)
    if rows:
        fits = re.compile("|".join(fnmatch.translate(row.pattern) for row in rows)).match
    for name, path in catalogue.rows("file_name, path"):
        own = [prefix + name] if prefix else [name, path, Path(name).name]
        if not rows or not any(fits(candidate) for candidate in own):
            message = f"{own[0]} has no row in {sources}"
            hint = "add a row:  | file or glob | where it is from | licence | author |"
            checks.error("no_source", path, message, hint)
