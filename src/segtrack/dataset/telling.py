"""Who is told what was odd about an input, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from segtrack.base.saying import say

Warn = Callable[[str, str, str, str], None]
"""Takes code, file, message and hint, like ``Checks.warn``."""


def unheard(code: str, file: str, message: str, hint: str) -> None:
    """Tells nobody."""


@contextmanager
def told_by_kind(warn: Warn | None = None) -> Iterator[Warn]:
    """``warn``; where there is none, a line per code is said at the end: the first of each."""
    if warn is not None:
        yield warn
        return
    first: dict[str, tuple[str, str, str]] = {}
    counts: dict[str, int] = {}

    def count(code: str, file: str, message: str, hint: str) -> None:
        first.setdefault(code, (file, message, hint))
        counts[code] = counts.get(code, 0) + 1

    yield count
    for code, (file, message, hint) in first.items():
        more = f"; {counts[code] - 1} more like it" if counts[code] > 1 else ""
        say(f"warning: {file}: {message} ({hint}){more}", error=True)
