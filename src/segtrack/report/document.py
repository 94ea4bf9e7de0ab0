"""A report as a document: what is said, shown and counted, before it has any form.

A document is a list of blocks. Its texts are other people's too (names of classes, of videos, of
runs): whoever writes a form of it escapes all of them, but ``Prose``, which its author wrote.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from segtrack.base.names import storable
from segtrack.base.statistics import Interval

MISSING = "n/a"
STARRED = "* 0 lies outside of the interval"


@dataclass(frozen=True)
class Number:
    """A number of a table.

    Attributes:
        value: None or NaN where there is none.
        digits: behind the point.
        sd: standard deviation beside it, as over seeds; None or NaN where there is none.
        bold: the best of its column.
    """

    value: float | None
    digits: int = 2
    sd: float | None = None
    bold: bool = False


@dataclass(frozen=True)
class Difference:
    """A difference with its interval, NaN where there is none; a star where ``told``.

    Attributes:
        value: of b - a. low, high: ends of the interval. told: 0 lies outside of it.
        digits: behind the point.
        units: that it is of, where it is known how many.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    told: bool = False
    digits: int = 2
    units: int | None = None

    @classmethod
    def of(cls, gap: Interval, digits: int = 2) -> Difference:
        """Of fractions, in percentage points."""
        ends = 100 * gap.low, 100 * gap.high
        return cls(100 * gap.difference, *ends, gap.told, digits, gap.units)


Cell: TypeAlias = str | int | Number | Difference | None


@dataclass(frozen=True)
class Heading:
    """Of a section; level 1 stands below the title."""

    text: str
    level: int = 1
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True)
class Paragraph:
    """Sentences, plain. ``quiet``: beside the point."""

    text: str
    quiet: bool = False
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class Prose:
    """Markdown that the report's author wrote: paragraphs, lists, tables; no HTML, no pictures."""

    markdown: str
    kind: Literal["prose"] = "prose"


@dataclass(frozen=True)
class Items:
    """A list of sentences, plain."""

    texts: tuple[str, ...]
    kind: Literal["items"] = "items"


@dataclass(frozen=True)
class Code:
    """Lines that are typed or were printed."""

    text: str
    kind: Literal["code"] = "code"


@dataclass(frozen=True)
class Link:
    """An address with its name, on a line of its own."""

    text: str
    address: str
    kind: Literal["link"] = "link"


@dataclass(frozen=True)
class Figure:
    """A picture (png or jpg) and what it shows."""

    path: Path
    caption: str
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True)
class Table:
    """Columns by their heads, and a cell for each in every row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    kind: Literal["table"] = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) == len(self.columns), (self.columns, row)

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds numbers, and is set to the right."""
        return tuple(
            any(not isinstance(row[i], str | None) for row in self.rows)
            and not any(isinstance(row[i], str) and row[i] for row in self.rows)
            for i in range(len(self.columns))
        )

    @property
    def notes(self) -> str:
        """What stands below it: its own note, and what its stars mean."""
        starred = any(isinstance(c, Difference) and c.told for row in self.rows for c in row)
        return ". ".join(filter(None, [self.note.removesuffix("."), STARRED if starred else ""]))


Block: TypeAlias = Heading | Paragraph | Prose | Items | Code | Link | Figure | Table


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: what it is about.
        blocks: in order.
        made: when and by what, in a line at the end; empty for a report that is to be the same
            whenever it is made.
    """

    title: str
    blocks: tuple[Block, ...]
    made: str = ""

    @property
    def figures(self) -> list[Figure]:
        """All pictures, in order."""
        return [block for block in self.blocks if isinstance(block, Figure)]


@dataclass(frozen=True)
class Shown:
    """A cell as it is read: text without any escapes, and how it is set."""

    text: str
    bold: bool = False
    star: bool = False


def shown_cell(cell: Cell) -> Shown:
    """The cell's text, the same in every form of the document."""
    if cell is None:
        return Shown("")
    if isinstance(cell, str):
        return Shown(one_line(cell))
    if isinstance(cell, Number):
        if cell.value is None or math.isnan(cell.value):
            return Shown(MISSING)
        text = fixed(cell.value, cell.digits)
        if cell.sd is not None and not math.isnan(cell.sd):
            text += f" ± {fixed(cell.sd, cell.digits)}"
        return Shown(text, cell.bold)
    if isinstance(cell, Difference):
        if math.isnan(cell.value):
            return Shown(MISSING)
        text = signed(cell.value, cell.digits)
        if cell.value == cell.low == cell.high == 0:
            # No spread is no certainty: of other units some may differ.
            return Shown(f"{text} (same in all{f' {cell.units}' if cell.units else ''} units)")
        if not math.isnan(cell.low):
            text += f" ({signed(cell.low, cell.digits)} to {signed(cell.high, cell.digits)})"
        return Shown(text, star=cell.told)
    return Shown(f"{cell:,}")


def fixed(value: float, digits: int) -> str:
    """With so many digits; never a zero below zero."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def signed(value: float, digits: int) -> str:
    """With its sign, which a zero has none of."""
    text = fixed(value, digits)
    return text if text.startswith("-") or float(text) == 0 else f"+{text}"


def with_best(rows: Sequence[Sequence[Cell]], columns: Iterable[int]) -> list[list[Cell]]:
    """The rows with the highest number of each of these columns bold, and what is shown alike.

    Where all are shown alike, none is bold.
    """
    made = [list(row) for row in rows]
    for i in columns:
        numbers = [(y, cell) for y, row in enumerate(rows) if (cell := _number(row[i])) is not None]
        values = [cell.value for _, cell in numbers if cell.value is not None]
        if len({fixed(cell.value or 0.0, cell.digits) for _, cell in numbers}) < 2:
            continue  # none is shown as better than another
        for y, cell in numbers:
            alike = fixed(cell.value or 0.0, cell.digits) == fixed(max(values), cell.digits)
            made[y][i] = replace(cell, bold=alike)
    return made


def _number(cell: Cell) -> Number | None:
    """A cell that is a number and has one."""
    there = isinstance(cell, Number) and cell.value is not None and not math.isnan(cell.value)
    return cell if isinstance(cell, Number) and there else None


def one_line(text: str) -> str:
    """A text of one line as every form can hold it: without secrets, bytes that are no text, and
    characters that cannot be printed."""
    return "".join(c if c.isprintable() else "_" for c in storable(text))


def lines(text: str) -> list[str]:
    """Lines of a longer text, each as ``one_line``."""
    return [one_line(line.expandtabs(4)) for line in storable(text).rstrip("\n").split("\n")]
