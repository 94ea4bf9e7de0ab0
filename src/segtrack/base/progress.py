"""Long loops: their progress, on the terminal only (a log file gets no bars), and their end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from segtrack.base.processes import stop_if_asked

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` with a bar, rate and remaining time on stderr where that is a terminal.

    Asked for by another thread than the main one there is no bar: several would write over each
    other.

    Raises:
        KeyboardInterrupt: before an item, if the process was asked to stop.
    """
    alone = threading.current_thread() is threading.main_thread()
    shown = alone and sys.stderr.isatty()
    return _with_bar(items, label, total) if shown else _while_wanted(items)


def _with_bar(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
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
