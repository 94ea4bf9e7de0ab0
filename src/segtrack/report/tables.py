"""Tables of results as CSV, as aligned text and as an HTML page that sorts, and their means.

A table is a list of rows, each a mapping of column to value. Columns appear in the order in which
the rows first name them; a value that is missing, None or NaN is empty in CSV and "n/a" elsewhere.

A spreadsheet runs a cell of a CSV file that begins with ``= + - @`` as a formula, and class and
file names are other people's. Such a text gets an apostrophe in front, which spreadsheets take as
"this is text"; so does a text that begins with an apostrophe and then one of these, so that
``read_table_csv`` gives every text back. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import html
import io
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from segtrack.base.names import shown, storable

Row = Mapping[str, Any]

MISSING_TEXT = "n/a"
# Blanks in front too, of all widths: what a program strips before it looks is its own affair.
_FORMULA = re.compile(r"'*(?:[\s\0\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20\u2212]|[\t\r\n])")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def table_csv(rows: Sequence[Row]) -> str:
    """The table as CSV (RFC 4180 with plain newlines), numbers in full precision."""
    columns = _columns(rows)
    text = io.StringIO()
    write_csv(text, columns, ([row.get(c) for c in columns] for row in rows))
    return text.getvalue()


def write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """The table as a stream.

    Args:
        file: opened with ``newline=""``.
        columns: their heads.
        rows: a value for each column.
    """
    writer = csv.writer(_PlainNewlines(file), lineterminator="\r\n")
    writer.writerow(map(_harmless, columns))
    for row in rows:
        writer.writerow(map(_harmless, row))


def read_table_csv(text: str) -> list[dict[str, str]]:
    """The rows of a table that was written here, with the texts as they were."""
    head, *rows = csv.reader(io.StringIO(text, newline="")) if text else [[]]
    columns = list(map(_original, head))
    return [dict(zip(columns, map(_original, row), strict=True)) for row in rows]


def table_text(rows: Sequence[Row], digits: int | None = None) -> str:
    """The table for a terminal: columns aligned, numbers to the right.

    Args:
        rows: of the table.
        digits: behind the point, of every number that is not whole; None for up to four.
    """
    columns = _columns(rows)
    cells = [[shown(_short(row.get(c), digits)) for c in columns] for row in rows]
    right = [_is_numeric(rows, c) for c in columns]
    head = [shown(c) for c in columns]
    widths = [max(len(r[i]) for r in [head, *cells]) for i in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        parts = [
            v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True)
        ]
        return "  ".join(parts).rstrip()

    rule = "  ".join("-" * w for w in widths)
    return "\n".join([line(head), rule, *map(line, cells)]) + "\n"


def table_html(rows: Sequence[Row], title: str) -> str:
    """One self-contained page; a click on a column's head sorts by it, empty values last."""
    columns = _columns(rows)
    right = {c: _is_numeric(rows, c) for c in columns}
    head = "".join(f"<th scope=col{_class(right[c])}>{html.escape(c)}</th>" for c in columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(row.get(c), right[c]) for c in columns) + "</tr>" for row in rows
    )
    name = html.escape(title)
    return _PAGE.format(title=name, head=head, body=body, style=_STYLE, script=_SCRIPT)


def html_table(rows: Sequence[Row], caption: str = "") -> str:
    """The table as a part of somebody else's page, such as a notebook, in whose style it is."""
    columns = _columns(rows)
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_short(r.get(c)))}</td>" for c in columns) + "</tr>"
        for r in rows
    )
    text = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{text}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def aggregate(rows: Sequence[Row], keys: Sequence[str], over: str = "seed") -> list[dict[str, Any]]:
    """Mean and spread of every numeric column over the rows that share the values of ``keys``.

    Args:
        rows: one per run.
        keys: columns that name a setting; rows with equal values form one group.
        over: the column that differs inside a group, such as the seed; it is left out.

    Returns:
        One row per group, in order of appearance: the keys, ``n`` (rows of the group), and for each
        numeric column ``<column>`` (mean) and ``<column> std`` (sample standard deviation, ddof=1;
        None for one value). Where rows lack a value (a run that failed), mean and deviation are
        those of the rest, and ``<column> n`` says of how many.
    """
    columns = [c for c in _columns(rows) if c not in keys and c != over and _is_numeric(rows, c)]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    result = []
    for values, members in groups.items():
        line: dict[str, Any] = dict(zip(keys, values, strict=True))
        line["n"] = len(members)
        for column in columns:
            numbers = [float(r[column]) for r in members if not _is_missing(r.get(column))]
            line[column] = statistics.fmean(numbers) if numbers else None
            line[f"{column} std"] = statistics.stdev(numbers) if len(numbers) > 1 else None
            if len(numbers) < len(members):
                line[f"{column} n"] = len(numbers)
        result.append(line)
    return result


class _PlainNewlines:
    """Ends rows by a plain newline; told so itself, the writer would not quote a ``\\r``."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, row: str) -> int:
        return self.file.write(row.removesuffix("\r\n") + "\n")


def _harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs, empty where there is no value."""
    if _is_missing(value):
        return ""
    if _is_number(value):
        return value
    text = storable(str(value))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _original(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or hasattr(value, "__float__")


def _is_numeric(rows: Sequence[Row], column: str) -> bool:
    """Whether a column holds numbers only (and at least one)."""
    values = [row.get(column) for row in rows]
    present = [v for v in values if not _is_missing(v)]
    return bool(present) and all(_is_number(v) for v in present)


def _short(value: Any, digits: int | None = None) -> str:
    """A number with so many digits, or up to four without what says nothing; text as it is."""
    if _is_missing(value):
        return MISSING_TEXT
    if not _is_number(value) or isinstance(value, int):
        return str(value)
    number = float(value)
    if digits is not None:
        return f"{number:.{digits}f}"
    if number == 0 or 1e-3 <= abs(number) < 1e5:
        text = f"{number:.4f}".rstrip("0")
        return text + "0" if text.endswith(".") else text
    return f"{number:.4g}"


def _cell(value: Any, right: bool) -> str:
    if _is_missing(value):
        return f"<td{_class(right)} data-empty>{MISSING_TEXT}</td>"
    full = html.escape(str(value))
    return f'<td{_class(right)} data-value="{full}">{html.escape(_short(value))}</td>'


def _class(right: bool) -> str:
    return " class=number" if right else ""


_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: CanvasText; background: Canvas }
h1 { font-size: 1.3rem; font-weight: 600 }
.frame { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .9rem; text-align: left; white-space: nowrap }
th { border-bottom: 2px solid #888; cursor: pointer; user-select: none }
th::after { content: " \\2195"; opacity: .35 }
th[aria-sort=ascending]::after { content: " \\2191"; opacity: 1 }
th[aria-sort=descending]::after { content: " \\2193"; opacity: 1 }
td { border-bottom: 1px solid #8884 }
tbody tr:hover { background: #8882 }
.number { text-align: right }
[data-empty] { opacity: .45 }
"""

_SCRIPT = """
const body = document.querySelector('tbody');
document.querySelectorAll('th').forEach((head, column) => head.onclick = () => {
  const down = head.getAttribute('aria-sort') === 'ascending';
  document.querySelectorAll('th').forEach(h => h.removeAttribute('aria-sort'));
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const value = row => row.cells[column].dataset.value;
  const compare = (a, b) => {
    const x = value(a), y = value(b);
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    const sign = down ? -1 : 1;
    return sign * (x - y || String(x).localeCompare(y, undefined, {numeric: true}));
  };
  [...body.rows].sort(compare).forEach(row => body.append(row));
});
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<div class="frame">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
<script>{script}</script>
</body>
</html>
"""
