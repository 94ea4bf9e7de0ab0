"""Work spread over processes with flat memory: chunks go out as results come back, in order."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from segtrack.base import compiling
from segtrack.base.errors import StageError
from segtrack.base.processes import deaf_children

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 3  # chunks per process that are out at once
_LOOK = 0.5  # s between two looks whether they compile


def worker_count(wanted: int) -> int:
    """``wanted``, or one per CPU core that this process may use where it is 0."""
    return (
        wanted or len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (wanted or os.cpu_count() or 1)
    )


def map_chunks(
    function: Callable[[list[T]], list[R]],
    items: Iterable[T],
    workers: int,
    chunk: int,
    alone_below: int = 0,
    ahead: int = 0,
    alone: str = "dataset.workers=1",
) -> Iterator[R]:
    """Results of ``function`` over chunks of ``items``, flattened, in the order of ``items``.

    Args:
        function: module-level function of a list of at most ``chunk`` items.
        workers: processes; 1 works in this process.
        alone_below: with fewer items than this no process is started (a start costs half a second).
        ahead: chunks that may be out or done before their turn; 0 for a few per process.
        alone: what makes ``workers`` 1, for the message; empty where nothing does.

    Raises:
        StageError: a process died (killed, out of memory).
    """
    chunks = _chunked(items, chunk)
    waiting: list[list[T]] = []
    count = 0
    for part in chunks:
        waiting.append(part)
        count += len(part)
        if count >= alone_below:
            break
    else:
        workers = 1
    if workers == 1:
        for part in waiting:
            yield from function(part)
        for part in chunks:
            yield from function(part)
        return
    if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
        # A worker of joblib's: processes are told of its parent's way, and end as they know none.
        multiprocessing.set_start_method("spawn", force=True)
    context = multiprocessing.get_context("spawn")
    word = context.RawValue("b", 0)
    how = context, _start_worker, (word,)
    pool = ProcessPoolExecutor(workers, *how)
    out: deque[Future[list[R]]] = deque()
    try:
        for part in _both(waiting, chunks):
            with deaf_children():  # it starts a process where none is idle
                out.append(pool.submit(function, part))
            if len(out) >= (ahead or workers * _AHEAD):
                yield from _result(out.popleft(), word)
        while out:
            yield from _result(out.popleft(), word)
    except BrokenProcessPool as error:
        raise StageError(
            f"a worker process died while it worked on images (out of memory?); "
            f"{f'try {alone}, or ' * bool(alone)}free memory and run the same command again"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(coming: Future[R], word: Any) -> R:
    """What a process answers; meanwhile it is said that they compile, as soon as they do."""
    while not wait([coming], _LOOK).done and not word.value:
        pass
    if word.value:
        compiling.tell()
    return coming.result()


def _both(first: list[list[T]], then: Iterator[list[T]]) -> Iterator[list[T]]:
    yield from first
    yield from then


def _chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _start_worker(word: Any) -> None:
    compiling.tells_through(word)
    # What its libraries hold is not taken down piece by piece at the end: half a second.
    atexit.register(os._exit, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End with the parent: a killed one would leave its workers waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
