"""Text tables of numbers: read at once, and line by line only to say what is wrong where."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv

from segtrack.base.errors import DataError

MAX_FRAME = 10_000_000
"""Four days of video; what counts further is a time stamp, for which no table has room."""
MAX_SIDE = 1e9
"""Pixels; the product of two such numbers is still a number."""
_WORD = re.compile(r"\W*(?!nan\b|inf)[A-Za-z_][^,;]*$|#$", re.IGNORECASE)


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as text ({error}); save it as UTF-8") from error


def read_numbers(path: Path, fewest: int, most: int) -> np.ndarray:
    """A table of finite numbers, separated by commas, semicolons or white space.

    Args:
        path: of the file; blank lines are skipped.
        fewest, most: columns that a row may have; all rows have as many.

    Returns:
        float64 (rows, columns); (0, most) of an empty file.

    Raises:
        DataError: a row has another number of columns or a value that is no finite number; with
            path, line and value.
    """
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        return np.empty((0, most))
    columns = first.count(",") + 1
    if fewest <= columns <= most and "_" not in text:  # 1_000 is a number to Python alone
        table = _at_once(text, columns)
        if table is not None:
            return table
    return _line_by_line(path, text, fewest, most)


def first_row(path: Path) -> list[str]:
    """The values of the first line that is not blank, separated as in ``read_numbers``.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as lines:
            line = next((line.strip() for line in lines if line.strip()), "")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as text ({error})") from error
    return _values(line)


def refuse_row(path: Path, row: int, problem: str) -> NoReturn:
    """Raise a DataError about the ``row``-th line (from 0) that is not blank."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    line = filled[row]
    raise DataError(f"{path}, line {line}: {problem}: {lines[line - 1].strip()[:120]!r}")


def require(path: Path, good: Any, problem: str) -> None:
    """Raise a DataError about the first row where ``good`` (bool N) is False."""
    if not np.all(good):
        refuse_row(path, int(np.argmin(good)), problem)


def require_frames(path: Path, frame: np.ndarray, first: int) -> None:
    """Raise a DataError about the first number (N,) that is no frame number from ``first`` on."""
    require(path, frame == np.floor(frame), "a frame is a whole number")
    require(path, frame >= first, f"frames count from {first}")
    require(path, frame <= MAX_FRAME, f"frames end at {MAX_FRAME}; a time stamp is no frame number")


def require_ids(path: Path, track_id: np.ndarray) -> None:
    """Raise a DataError about the first number (N,) that is no id."""
    whole = (track_id == np.floor(track_id)) & (np.abs(track_id) < 2**53)
    require(path, whole, "an id is a whole number below 2^53")


def require_boxes(path: Path, boxes: np.ndarray, sides: np.ndarray) -> None:
    """Raise a DataError about the first box (N, 4) that lies beyond all images, or whose width or
    height (N, 2) is negative."""
    require(path, (np.abs(boxes) < MAX_SIDE).all(axis=1), f"a box ends below {MAX_SIDE:.0e} pixels")
    problem = "a box has a negative width or height; are corners and sizes mixed up?"
    require(path, (sides >= 0).all(axis=1), problem)


def require_unique(path: Path, frame: np.ndarray, track_id: np.ndarray, who: np.ndarray) -> None:
    """Raise a DataError where an id comes twice in a frame, among the rows ``who`` (bool N)."""
    rows = np.flatnonzero(who)
    order = rows[np.lexsort((rows, track_id[rows], frame[rows]))]
    again = (np.diff(frame[order]) == 0) & (np.diff(track_id[order]) == 0)
    if again.any():
        row = int(order[1:][again].min())
        refuse_row(path, row, f"id {track_id[row]} is there twice in the same frame")


def number_text(value: float) -> str:
    """The shortest text that reads back as the same float64; whole numbers without ``.0``."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def write_rows(path: Path, rows: Iterable[Iterable[float]]) -> None:
    """Write numbers separated by commas."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(",".join(map(number_text, row)) + "\n" for row in rows)


def _at_once(text: str, columns: int) -> np.ndarray | None:
    """None where a row is unusual."""
    names = [str(i) for i in range(columns)]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text.encode()),
            pyarrow.csv.ReadOptions(use_threads=False, column_names=names),
            pyarrow.csv.ParseOptions(quote_char=False),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
    except pa.ArrowInvalid:
        return None
    if any(column.null_count for column in table.columns):
        return None
    numbers = np.stack([column.to_numpy() for column in table.columns], axis=1)
    return numbers if np.isfinite(numbers).all() else None


def _line_by_line(path: Path, text: str, fewest: int, most: int) -> np.ndarray:
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        values = _values(line)
        where = f"{path}, line {number}"
        if not rows and all(_WORD.match(value) for value in values):
            raise DataError(
                f"{where}: names of columns, where a row of numbers is expected; remove the line "
                f"if the columns are in the order of the format: {line.strip()[:120]!r}"
            )
        if not fewest <= len(values) <= most or (rows and len(values) != len(rows[0])):
            wanted = f"{fewest} to {most}" if fewest < most else str(most)
            if rows and fewest <= len(values) <= most:
                wanted = f"{len(rows[0])}, as in the lines before,"
            raise DataError(
                f"{where}: {len(values)} columns, {wanted} expected: {line.strip()[:120]!r}"
            )
        rows.append([_number(value, where) for value in values])
    return np.array(rows)


def _values(line: str) -> list[str]:
    words = line.split()
    if all(word.isdigit() for word in words[:5]) and len(words) > 5:
        return words  # of masks, in whose RLE a semicolon is a letter
    for mark in ",;":
        if mark in line:
            return line.strip().rstrip(mark).split(mark)
    return words


def _number(value: str, where: str) -> float:
    try:
        number = math.nan if "_" in value else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {value.strip()[:60]!r} is not a finite number")
    return number
