"""Processes: how to know one again, and how a polite kill ends a run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def process_mark(pid: int) -> str:
    """The process id with its start time, since ids are used again; empty if it is not running."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, start = stat.rsplit(")", 1)[1].split()[0], stat.rsplit(")", 1)[1].split()[19]
        return "" if state == "Z" else f"{pid}@{start}"
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    try:
        os.kill(pid, 0)  # no /proc (macOS): the id alone must do
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return f"{pid}@"


@contextlib.contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """Let SIGTERM (what schedulers and ``kill`` send) end a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
