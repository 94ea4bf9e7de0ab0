"""Markdown that a report's author wrote, as HTML and as a tree for other forms."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from segtrack.base.errors import DataError
from segtrack.base.names import storable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from markdown_it.tree import SyntaxTreeNode

_ELSEWHERE = re.compile(r"(?:https?|mailto):", re.IGNORECASE)


def check_prose(markdown: str, where: str) -> None:
    """Refuse what no form of a report could show.

    Args:
        where: what the text is of, for the message.

    Raises:
        DataError: it has a picture.
    """
    for token in _markdown().parse(markdown):
        for inner in token.children or []:
            if inner.type == "image":
                shown = inner.attrs.get("src")
                raise DataError(f"{where}: a picture within a text ({shown}); make it a figure")


def prose_html(markdown: str) -> str:
    """As HTML. Only links to other sites are links: a file beside the report is not with it."""
    markdown = storable(markdown)
    tokens = _markdown().parse(markdown)
    for token in tokens:
        _unlink(token.children or [])
    html: str = _markdown().renderer.render(tokens, _markdown().options, {})
    return html


def prose_tree(markdown: str) -> SyntaxTreeNode:
    """Its paragraphs, lists and tables as a tree."""
    from markdown_it.tree import SyntaxTreeNode

    return SyntaxTreeNode(_markdown().parse(storable(markdown)))


def is_elsewhere(address: str) -> bool:
    """Whether a link leads to another site, and so wherever the report is read."""
    return bool(_ELSEWHERE.match(address))


def _unlink(tokens: list[Token]) -> None:
    kept: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            kept.append(is_elsewhere(str(token.attrs.get("href", ""))))
            if not kept[-1]:
                token.tag, token.attrs = "span", {}
        elif token.type == "link_close" and not kept.pop():
            token.tag = "span"


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")
