"""Long work: how far it is, how fast, and what is left, and its end where that was asked for.

On a terminal bars say it, and are gone with the work. Elsewhere it is a line from time to time, and
nothing of work of a few seconds; the run's log has these lines in both cases.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from segtrack.base.processes import stop_if_asked
from segtrack.base.saying import VOICE, note, say

T = TypeVar("T")
FIRST, EVERY = 5.0, 10.0  # s of work until its first line, and between two lines
SHOW = 0.3  # s of work until its bar
TICK = 0.2  # s between two looks
_PACE = 30  # looks, a second or more apart, over which the rate is taken


class Work:
    """Work that goes on.

    Attributes:
        label: what is done. unit: what is counted; empty where nothing is. total: of that, or None.
        done: so far.
    """

    def __init__(self, label: str, total: float | None, unit: str, done: float, apart: bool):
        self.label, self.unit, self.total, self.done = label, unit, total, done
        self.began = time.monotonic()
        self.apart = apart  # one of several threads' works, which have a line of their own together
        self._seen: deque[tuple[float, float]] = deque([(self.began, done)], _PACE)

    def advance(self, count: float = 1) -> None:
        """So much more is done."""
        self.done += count

    def look(self, now: float) -> None:
        """Remember how far it is."""
        when, done = self._seen[-1]
        if self.done == done or now - when < 1:
            return
        if when == self.began and len(self._seen) == 1 and now - when > FIRST:
            self._seen.clear()  # it took long to begin, which says nothing of its pace
        self._seen.append((now, self.done))

    def rate(self, now: float) -> float:
        """Per second, lately; 0 where it cannot be told."""
        (when, done), (last, reached) = self._seen[0], self._seen[-1]
        if last > when:
            return (reached - done) / (last - when)
        return (self.done - done) / (now - when) if now > when and when == self.began else 0.0

    def text(self, now: float) -> str:
        """``1,200 of 3,000 frames, 41 frames/s, 44 s left``; without a count, for how long."""
        if not self.unit or not self.done:
            so_far = f"{duration(now - self.began)} so far"
            amount = f"0 of {_number(self.total)} {self.unit}, " if self.unit and self.total else ""
            return amount + so_far
        of = f" of {_number(self.total)}" if self.total else ""
        parts = [f"{_number(self.done)}{of} {self.unit}"]
        if rate := self.rate(now):
            parts.append(f"{_pace(rate)} {self.unit}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
            if self.total and self.total > self.done:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join(parts)


def progress(items: Iterable[T], label: str, total: float | None, unit: str) -> Iterator[T]:
    """Yield ``items`` and show how many of them have been.

    Args:
        label: what is done with them.
        total: how many they are, or None where that is not known.
        unit: what they are, in the plural.

    Raises:
        KeyboardInterrupt: before an item, if the process was asked to stop.
    """
    return _followed(items, label, total, unit, _apart())


def _followed(
    items: Iterable[T], label: str, total: float | None, unit: str, apart: bool
) -> Iterator[T]:
    with _open(Work(label, total, unit, 0, apart)) as work:
        for item in items:
            stop_if_asked()
            yield item
            work.done += 1


@contextlib.contextmanager
def doing(
    label: str, total: float | None = None, unit: str = "", done: float = 0
) -> Iterator[Work]:
    """Show what is done in the block, which tells ``advance`` how far it is where that is known.

    Args:
        done: of ``total`` before it began.
    """
    with _open(Work(label, total, unit, done, _apart())) as work:
        yield work


def _apart() -> bool:
    return threading.current_thread() is not threading.main_thread()


@contextlib.contextmanager
def _open(work: Work) -> Iterator[Work]:
    # What helps another process is that one's work. One that says who it is is a run of its own.
    if multiprocessing.parent_process() is not None and not VOICE.before:
        yield work
        return
    _BOARD.open(work)
    try:
        yield work
    finally:
        _BOARD.close(work)


class _Board:
    """All works that go on in this process, and the thread that shows them."""

    def __init__(self) -> None:
        self._works: list[Work] = []
        self._told = -math.inf
        self._shown = _Bars()
        self._thread: threading.Thread | None = None

    def open(self, work: Work) -> None:
        with VOICE.lock:
            self._works.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
                self._thread.start()

    def close(self, work: Work) -> None:
        with VOICE.lock:
            self._works.remove(work)
            self._shown.remove(work)

    def _watch(self) -> None:
        while True:
            time.sleep(TICK)
            with VOICE.lock:
                if not self._works:
                    self._thread = None
                    return
                with contextlib.suppress(OSError, ValueError):  # the terminal has gone
                    self._look(time.monotonic())

    def _look(self, now: float) -> None:
        for work in self._works:
            work.look(now)
        bars = _on_terminal()
        if bars:
            self._shown.show([w for w in self._works if now - w.began >= SHOW], now)
        due = [w for w in self._works if now - w.began >= FIRST and not w.apart]
        if due and now - self._told >= EVERY:
            self._told = now
            line = f"{due[-1].label} {due[-1].text(now)}"  # the innermost: the others wait for it
            if bars:
                note(line)
            else:
                say(line, error=True)


class _Bars:
    """Bars on the terminal, one below the other."""

    def __init__(self) -> None:
        self._live: Any = None
        self._rows: dict[Work, Any] = {}

    def show(self, works: list[Work], now: float) -> None:
        if not works:
            return
        if self._live is None:
            self._live = _rich()
            self._live.start()
            VOICE.above = self._above
        for work in works:
            if work not in self._rows:
                row = self._live.add_task(work.label, total=work.total, text="")
                self._rows[work] = row
            self._live.update(self._rows[work], completed=work.done, text=work.text(now))
        self._live.refresh()

    def remove(self, work: Work) -> None:
        if work not in self._rows:
            return
        self._live.remove_task(self._rows.pop(work))
        if not self._rows:
            live, self._live, VOICE.above = self._live, None, None
            with contextlib.suppress(OSError, ValueError):
                live.stop()

    def _above(self, text: str) -> None:
        self._live.console.out(text, highlight=False)


def _rich() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[text]}", markup=False),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _on_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not VOICE.before


def _number(value: float | None) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _pace(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def duration(seconds: float) -> str:
    """``44 s``, ``12 min``, ``2.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


_BOARD = _Board()


def _forked() -> None:
    """A fork has none of the threads, and would wait for ever for what one of them held."""
    global _BOARD
    VOICE.lock, VOICE.above = threading.RLock(), None
    _BOARD = _Board()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
