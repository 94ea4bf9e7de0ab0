"""Long loops: their progress, on the terminal only (a log file gets no bars), and their end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from segtrack.base.processes import stop_if_asked

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` with a bar, rate and remaining time on stderr where that is a terminal.

    Raises:
        KeyboardInterrupt: before an item, if the process was asked to stop.
    """
    if not sys.stderr.isatty():
        yield from _while_wanted(items)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(_while_wanted(items), total=total)


def _while_wanted(items: Iterable[T]) -> Iterator[T]:
    for item in items:
        stop_if_asked()
        yield item
