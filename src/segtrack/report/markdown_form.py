"""A document as Markdown (CommonMark with tables), as GitHub and MLflow show it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from segtrack.base.names import storable
from segtrack.report.document import (
    Block,
    Code,
    Document,
    Figure,
    Heading,
    Items,
    Link,
    Paragraph,
    Prose,
    Shown,
    Table,
    lines,
    one_line,
    shown_cell,
)

# A backslash takes the meaning of any of them; _ has none between letters, & none but as &name;.
_MARKS = re.compile(r"[\\`*\[\]<>|~$#]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w)")
# What begins another block at the start of a line.
_STARTS = re.compile(r"(?P<mark>[-+=])|(?P<number>\d{1,9})(?=[.)])")


def document_markdown(document: Document, pictures: Mapping[Path, str]) -> str:
    """The text.

    Args:
        pictures: the address of each figure's picture, relative to the text.
    """
    parts = [f"# {escaped(document.title)}"]
    parts += ["\n".join(_block(block, pictures)) for block in document.blocks]
    if document.made:
        parts.append(_paragraph(document.made))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """A text of one line that means nothing in Markdown but itself."""
    return _MARKS.sub(lambda found: "\\" + found.group(), one_line(text)).strip()


def table_markdown(table: Table) -> list[str]:
    """A table's lines, without its caption and notes."""
    heads = [escaped(head) for head in table.columns]
    rules = ["---:" if right else "---" for right in table.numeric]
    rows = [[_cell(shown_cell(cell)) for cell in row] for row in table.rows]
    return [_row(one) for one in (heads, rules, *rows)]


def _block(block: Block, pictures: Mapping[Path, str]) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * (block.level + 1)} {escaped(block.text)}"
        case Paragraph():
            yield _paragraph(block.text)
        case Prose():
            yield storable(block.markdown).strip("\n")
        case Items():
            yield from (f"- {_paragraph(text)}" for text in block.texts)
        case Code():
            yield from (f"    {line}".rstrip() for line in lines(block.text))
        case Link():
            yield f"[{escaped(block.text)}](<{_address(block.address)}>)"
        case Figure():
            yield f"![{escaped(block.caption)}]({pictures[block.path]})"
        case Table():
            if block.caption:
                yield from (f"**{escaped(block.caption)}**", "")
            yield from table_markdown(block)
            if block.notes:
                yield from ("", _paragraph(block.notes))


def _paragraph(text: str) -> str:
    text = escaped(text)
    found = _STARTS.match(text)
    return _start(found) + text[found.end() :] if found else text


def _start(found: re.Match[str]) -> str:
    return f"\\{found['mark']}" if found["mark"] else f"{found['number']}\\"


def _cell(cell: Shown) -> str:
    text = escaped(cell.text)
    text = f"**{text}**" if cell.bold and text else text
    return f"{text}\\*" if cell.star else text


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _address(address: str) -> str:
    return quote(one_line(address), safe="/:?#[]@!$&'()*+,;=%~-._")
