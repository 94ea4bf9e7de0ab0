"""Processes beside the test: what one uses, gc leaves alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")


def elsewhere(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function in another process, which has ended then."""
    worker = FORK.Process(target=function, args=arguments)
    worker.start()
    worker.join(30)
    assert worker.exitcode == 0


@contextmanager
def living(function: Callable[..., Any], *arguments: Any, mark: Path) -> Iterator[int]:
    """A process that has called a function, or touched ``mark`` in it, and lives on: its id. At
    the end it is killed."""

    def live() -> None:
        function(*arguments)
        mark.touch()
        time.sleep(60)

    worker = FORK.Process(target=live)
    worker.start()
    deadline = time.monotonic() + 30
    while not mark.exists():
        assert worker.is_alive() and time.monotonic() < deadline
        time.sleep(0.005)
    assert worker.pid is not None
    try:
        yield worker.pid
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.join(10)
