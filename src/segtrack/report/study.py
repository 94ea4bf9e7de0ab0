"""A study as a document: its texts, and tables and figures of the files that its runs left.

``study.yaml`` in the study's folder has a title and blocks, in order: texts, data sets with their
licences, commands (those of ``run.sh``), tables, figures. A table is made of CSV files of the
folder: no figure of it is typed. docs/report.md has the form.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml

from segtrack.base.errors import DataError, nearest, some
from segtrack.report.document import (
    Block,
    Cell,
    Code,
    Difference,
    Document,
    Figure,
    Number,
    Prose,
    Table,
    with_best,
)
from segtrack.report.prose import check_prose
from segtrack.report.tables import read_table_csv

STUDY = "study.yaml"
_MADE = f"Made by segtrack report of {STUDY} and the files beside it."
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_PICTURES = (".png", ".jpg", ".jpeg")
_KINDS = ("text", "data", "commands", "table", "figure")
T = TypeVar("T")
Line: TypeAlias = Mapping[str, str]
_Files: TypeAlias = Callable[[str], list[Line]]


@dataclass(frozen=True)
class _Rows:
    """Which rows a table has: a line of a file each.

    Attributes:
        source: the file. by: columns that tell its lines apart, and that find a row's line in
            files that have them too. where: only lines with these values.
        sort: a column, from the least number on; with a minus from the greatest.
        order: values of the first of ``by`` in the order in which they come.
    """

    source: str
    by: list[str] = field(default_factory=list)
    where: dict[str, Any] = field(default_factory=dict)
    sort: str = ""
    order: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class _Column:
    """What a column shows. ``{name}`` in any of the texts is the row's value of that name.

    Attributes:
        of: the column of the file; of a difference or a mean its value.
        file: another one than the rows'. where: values of the line that is meant there.
        optional: without such a line the cell is empty.
        low, high, told: columns of a difference's interval, and of whether it is told (yes or no;
            without that it is where 0 lies outside of the interval).
        sd: column of the standard deviation. digits: behind the point. scale: a factor.
        text: in place of ``of``, a text of the row's values. best: the highest is bold.
    """

    of: str = ""
    file: str = ""
    where: dict[str, Any] = field(default_factory=dict)
    optional: bool = False
    low: str = ""
    high: str = ""
    told: str = ""
    sd: str = ""
    digits: int | None = None
    scale: float = 1.0
    text: str = ""
    best: bool = False


@dataclass(frozen=True)
class _Table:
    rows: Any
    columns: dict[str, Any]
    caption: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Figure:
    file: str
    caption: str


def read_study(folder: Path, data: Callable[[Sequence[str]], Table]) -> Document:
    """The study in ``folder``.

    Args:
        data: the table of origins and licences of data sets, by their globs in ``sources.md``.

    Raises:
        DataError: a file cannot be read, or is not what ``study.yaml`` says of it.
    """
    path = folder / STUDY
    try:
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(whole, dict) or set(whole) != {"title", "blocks"}:
        raise DataError(f"{path}: must have a title and blocks, and nothing else")
    if not isinstance(whole["blocks"], list):
        raise DataError(f"{path}: blocks must be a list of {', '.join(_KINDS)}")
    files = functools.cache(lambda name: _lines(folder / name))
    blocks: list[Block] = []
    for number, one in enumerate(whole["blocks"], start=1):
        where = f"{path}: block {number}"
        if not isinstance(one, dict) or len(one) != 1 or next(iter(one)) not in _KINDS:
            raise DataError(f"{where}: must be one of {', '.join(_KINDS)}")
        ((kind, value),) = one.items()
        if kind == "data":
            blocks.append(data(list(map(str, value))))
        else:
            blocks.append(_block(folder, kind, value, where, files))
    return Document(str(whole["title"]), tuple(blocks), _MADE)


def _block(folder: Path, kind: str, value: Any, where: str, files: _Files) -> Block:
    if kind == "text":
        check_prose(str(value), where)
        return Prose(str(value))
    if kind == "commands":
        return Code(_script(folder, value, where))
    if kind == "table":
        return _table(_made(_Table, value, where), where, files)
    figure = _made(_Figure, value, where)
    path = folder / figure.file
    if path.suffix.lower() not in _PICTURES or not path.is_file():
        raise DataError(f"{where}: {path} is no picture ({', '.join(_PICTURES)})")
    return Figure(path, figure.caption)


def _script(folder: Path, value: Any, where: str) -> str:
    """Commands as they stand here, or those of a script of the study, without its first line."""
    if not isinstance(value, dict):
        return str(value)
    if set(value) != {"file"}:
        raise DataError(f"{where}: must be lines, or {{file: NAME}}")
    path = folder / str(value["file"])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: {path} cannot be read ({error})") from error
    return text.partition("\n")[2] if text.startswith("#!") else text


def _table(given: _Table, where: str, files: _Files) -> Table:
    rows, keys, source = _rows(given.rows, where, files)
    columns = {
        str(head): _made(_Column, {"of": one} if isinstance(one, str) else one, f"{where}, {head}")
        for head, one in given.columns.items()
    }
    cells: list[list[Cell]] = [
        [
            _cell(column, row, keys, source, f"{where}, column {head}", files)
            for head, column in columns.items()
        ]
        for row in rows
    ]
    best = [i for i, column in enumerate(columns.values()) if column.best]
    made = tuple(tuple(row) for row in with_best(cells, best))
    return Table(given.caption, tuple(columns), made, given.note)


def _rows(given: Any, where: str, files: _Files) -> tuple[list[Line], list[str], str]:
    """The rows, what of them finds lines of files, and the file that they are of."""
    if isinstance(given, list):
        rows = [{str(k): _text(v) for k, v in one.items()} for one in given]
        return [dict(row) for row in rows], [], ""
    wanted = _made(_Rows, given, f"{where}, rows")
    rows = [dict(one) for one in _found(wanted.source, wanted.where, {}, where, files)]
    for name in (*wanted.by, *([wanted.sort.removeprefix("-")] if wanted.sort else [])):
        _require(name, rows, wanted.source, where)
    if wanted.sort:
        name = wanted.sort.removeprefix("-")
        rows.sort(key=lambda row: _number(row[name], where), reverse=wanted.sort.startswith("-"))
    if wanted.order:
        order = {_text(value): place for place, value in enumerate(wanted.order)}
        if strange := [row[wanted.by[0]] for row in rows if row[wanted.by[0]] not in order]:
            raise DataError(f"{where}: order does not have {some(strange)}")
        rows.sort(key=lambda row: order[row[wanted.by[0]]])
    return [dict(row) for row in rows], wanted.by, wanted.source


def _cell(
    column: _Column, row: Line, keys: Sequence[str], source: str, where: str, files: _Files
) -> Cell:
    if column.text:
        return _filled(column.text, row, where)
    line: Line | None = row
    file = _filled(column.file, row, where) or source
    if column.file or column.where:
        line = _line(column, file, row, keys, where, files)
    if line is None:
        return None
    name = _filled(column.of, row, where)

    def value(of: str) -> float:
        return _number(line[of], where) * column.scale

    for wanted in filter(None, (name, column.low, column.high, column.told, column.sd)):
        _require(wanted, [line], file, where)
    raw, digits = line[name], 2 if column.digits is None else column.digits
    if not raw.strip():
        return None
    if column.low:
        low, high = (value(end) if line[end] else None for end in (column.low, column.high))
        if low is None or high is None:
            return Difference(value(name), digits=digits)
        told = line[column.told] == "yes" if column.told else low > 0 or high < 0
        return Difference(value(name), low, high, told, digits)
    if column.sd:
        return Number(value(name), digits, value(column.sd) if line[column.sd] else None)
    if column.digits is not None or column.best:
        return Number(value(name), digits)
    return int(raw) if _WHOLE.fullmatch(raw) else raw


def _line(
    column: _Column, file: str, row: Line, keys: Sequence[str], where: str, files: _Files
) -> Line | None:
    """The one line of a file that a row's cell is of."""
    known = next(iter(files(file)), {})
    own = {key: row[key] for key in keys if key in known and key not in column.where}
    conditions = own | column.where
    found = list(_found(file, conditions, row, where, files))
    if len(found) == 1:
        return found[0]
    if not found and column.optional:
        return None
    shown = ", ".join(f"{k}={_filled(_text(v), row, where)}" for k, v in conditions.items())
    raise DataError(f"{where}: {len(found)} lines of {file} have {shown}; it must be one")


def _found(
    file: str, conditions: Mapping[str, Any], row: Line, where: str, files: _Files
) -> Iterator[Line]:
    lines = files(file)
    wanted = {key: _filled(_text(value), row, where) for key, value in conditions.items()}
    for key in wanted:
        _require(key, lines, file, where)
    return (line for line in lines if all(line[key] == text for key, text in wanted.items()))


def _lines(path: Path) -> list[Line]:
    try:
        return list(read_table_csv(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(f"{path}: not readable as a CSV table ({error})") from error


def _require(name: str, lines: Sequence[Line], file: str, where: str) -> None:
    if lines and name not in lines[0]:
        near = nearest(name, lines[0])
        hint = f"; did you mean {near}?" if near else f"; it has {some(list(lines[0]))}"
        raise DataError(f"{where}: {file or 'the row'} has no column {name!r}{hint}")


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r} is no number") from None


def _filled(text: str, row: Line, where: str) -> str:
    try:
        return text.format_map(row) if "{" in text else text
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"{where}: {text!r} cannot be filled from the row ({error})") from None


def _text(value: Any) -> str:
    """A value of YAML as CSV has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _made(kind: type[T], given: Any, where: str) -> T:
    """The fields of a mapping, all of them known and of their types."""
    names = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if not isinstance(given, dict):
        raise DataError(f"{where}: must have {', '.join(names)}")
    renamed = {"from": "source"}
    given = {renamed.get(str(key), str(key)): value for key, value in given.items()}
    if strange := [key for key in given if key not in names]:
        near = nearest(strange[0], names)
        raise DataError(
            f"{where}: {strange[0]}: unknown; "
            + (f"did you mean {near}?" if near else some([*names]))
        )
    try:
        return kind(**given)
    except TypeError as error:
        raise DataError(f"{where}: {str(error).rpartition('missing ')[2]}") from None
