"""A document as LaTeX: an article that any LaTeX compiles, tables by booktabs.

Texts in other scripts than Latin need XeLaTeX or LuaLaTeX and a font that has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from segtrack.report.prose import is_elsewhere, prose_tree

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

LONG = 30  # rows of a table that may break over pages
_HEAD = r"""\documentclass[11pt]{article}
\usepackage[a4paper,margin=24mm]{geometry}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[utf8]{inputenc}
  \usepackage[T1]{fontenc}
  \usepackage{textcomp}
\else
  \usepackage{fontspec}
\fi
\usepackage{booktabs}
\usepackage{longtable}
\usepackage{graphicx}
\usepackage{hyperref}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
% A table that is wider than the page is made as wide as the page.
\newsavebox{\segtrackbox}
\newenvironment{fitted}{\begin{lrbox}{\segtrackbox}}{\end{lrbox}%
  \resizebox{\ifdim\wd\segtrackbox>\linewidth\linewidth\else\wd\segtrackbox\fi}{!}{\usebox{\segtrackbox}}}
"""
# What means something to LaTeX; [ and * would be read as arguments behind \\.
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "≤": r"\ensuremath{\le}",
    "≥": r"\ensuremath{\ge}",
    "→": r"\ensuremath{\to}",
    "−": r"\ensuremath{-}",
    "µ": r"\textmu{}",
    "²": r"\textsuperscript{2}",
    "…": r"\ldots{}",
}
_LIGATURE = re.compile(r"(?<=-)(?=-)|(?<=,)(?=,)")  # would be a dash, a quote


def document_latex(document: Document, pictures: Mapping[Path, str]) -> str:
    """The text of the file.

    Args:
        pictures: the name of each figure's file, relative to the text.
    """
    title = escaped(document.title)
    parts = [f"{_HEAD}\\begin{{document}}\n\\section*{{{title}}}"]
    parts += ["\n".join(_block(block, pictures)) for block in document.blocks]
    if document.made:
        parts.append(f"{{\\small {escaped(document.made)}}}")
    return "\n\n".join([*parts, "\\end{document}"]) + "\n"


def escaped(text: str) -> str:
    """A text of one line that means nothing in LaTeX but itself."""
    made = "".join(_SPECIAL.get(c, c) for c in one_line(text))
    return _LIGATURE.sub("{}", made)


def table_latex(table: Table) -> list[str]:
    """A table with its caption and notes; of more than 30 rows one that breaks over pages."""
    heads = [escaped(head) for head in table.columns]
    rows = [[_cell(shown_cell(cell)) for cell in row] for row in table.rows]
    notes = f"{{\\footnotesize {escaped(table.notes)}\\par}}" if table.notes else ""
    return _tabular(heads, rows, table.numeric, escaped(table.caption), notes)


def _tabular(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[bool],
    caption: str = "",
    notes: str = "",
) -> list[str]:
    columns = "".join("r" if one else "l" for one in right)
    body = [r"\toprule", _row(heads), r"\midrule"]
    lines = list(map(_row, rows))
    if len(rows) > LONG:
        named = [f"\\multicolumn{{{len(heads)}}}{{l}}{{\\textbf{{{caption}}}}}\\\\"] * bool(caption)
        made = ["{\\small", f"\\begin{{longtable}}{{@{{}}{columns}@{{}}}}", *named, *body]
        return [*made, r"\endhead", *lines, r"\bottomrule", r"\end{longtable}", notes + "}"]
    made = [r"\begin{center}", r"\small"]
    made += [f"\\textbf{{{caption}}}\\par\\smallskip"] * bool(caption)
    made += [r"\begin{fitted}", f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}", *body, *lines]
    made += [r"\bottomrule", r"\end{tabular}", r"\end{fitted}"]
    made += [rf"\par\smallskip {notes}"] * bool(notes)
    return [*made, r"\end{center}"]


def _block(block: Block, pictures: Mapping[Path, str]) -> Iterator[str]:
    match block:
        case Heading():
            command = "section*" if block.level == 1 else "subsection*"
            yield f"\\{command}{{{escaped(block.text)}}}"
        case Paragraph():
            yield escaped(block.text)
        case Prose():
            yield from _prose(prose_tree(block.markdown))
        case Items():
            yield r"\begin{itemize}"
            yield from (f"\\item {escaped(text)}" for text in block.texts)
            yield r"\end{itemize}"
        case Code():
            yield from _code(block.text)
        case Link():
            yield _link(block.address, escaped(block.text))
        case Figure():
            yield r"\begin{center}"
            size = r"width=\linewidth,height=0.8\textheight,keepaspectratio"
            yield f"\\includegraphics[{size}]{{{pictures[block.path]}}}"
            yield f"\\par\\small {escaped(block.caption)}"
            yield r"\end{center}"
        case Table():
            yield from table_latex(block)


def _code(text: str) -> Iterator[str]:
    """Lines that may be broken, as verbatim's are not."""
    yield r"{\raggedright\ttfamily\footnotesize"
    for line in lines(text):
        blanks = len(line) - len(line.lstrip(" "))
        yield f"\\hspace*{{{blanks / 2:g}em}}{escaped(line.strip())}\\par"
    yield "}"


def _link(address: str, text: str) -> str:
    address = re.sub(r"[\\{}%#^~]|[^!-~]", _hexed, one_line(address))
    return f"\\href{{{address}}}{{{text}}}"


def _hexed(found: re.Match[str]) -> str:
    """Of a character that an address may hold as it is, but LaTeX may not."""
    if found.group() in "%#":
        return "\\" + found.group()
    return "".join(f"\\%{byte:02X}" for byte in found.group().encode())


def _cell(cell: Shown) -> str:
    text = escaped(cell.text)
    text = f"\\textbf{{{text}}}" if cell.bold and text else text
    return f"{text}\\textsuperscript{{{{*}}}}" if cell.star else text


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _prose(tree: SyntaxTreeNode) -> Iterator[str]:
    """The blocks of a text; what has no like in LaTeX is its content."""
    for node in tree.children:
        match node.type:
            case "paragraph":
                yield f"{_inline(node)}\n"
            case "heading":
                yield f"\\subsection*{{{_inline(node)}}}"
            case "bullet_list" | "ordered_list":
                kind = "itemize" if node.type == "bullet_list" else "enumerate"
                yield f"\\begin{{{kind}}}"
                for item in node.children:
                    yield f"\\item {' '.join(_prose(item)).strip()}"
                yield f"\\end{{{kind}}}\n"
            case "code_block" | "fence":
                yield from (*_code(node.content), "")
            case "table":
                yield from (*_prose_table(node), "")
            case "hr":
                yield "\\medskip\\hrule\\medskip\n"
            case _:
                yield from _prose(node)


def _prose_table(node: SyntaxTreeNode) -> list[str]:
    rows = [
        [_inline(cell) for cell in row.children] for part in node.children for row in part.children
    ]
    styles = [str(cell.attrs.get("style", "")) for cell in node.children[0].children[0].children]
    return _tabular(rows[0], rows[1:], ["right" in style for style in styles])


def _inline(node: SyntaxTreeNode) -> str:
    return "".join(map(_inline_one, node.children))


def _inline_one(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            return escaped(node.content)
        case "code_inline":
            return f"\\texttt{{{escaped(node.content)}}}"
        case "softbreak":
            return "\n"
        case "hardbreak":
            return "\\newline\n"
        case "strong":
            return f"\\textbf{{{_inline(node)}}}"
        case "em":
            return f"\\emph{{{_inline(node)}}}"
        case "link" if is_elsewhere(str(node.attrs.get("href", ""))):
            return _link(str(node.attrs["href"]), _inline(node))
        case _:
            return _inline(node)
