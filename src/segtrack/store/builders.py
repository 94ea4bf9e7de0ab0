"""Who builds a result: one process at a time, and those that wait for it say for whom."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from segtrack.base.progress import doing

_QUIET = 0.3  # s of waiting of which nothing is said; by then the other one has said who it is


@contextlib.contextmanager
def building(path: Path, what: str, wait: bool) -> Iterator[None]:
    """Be the one that builds ``what``, as the lock ``path`` has it.

    Args:
        wait: for another one that builds it, as long as it takes.

    Raises:
        Timeout: another one builds it, and is not waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not in the lock itself: whoever asks for that empties it.
    lock, holder = FileLock(path), path.with_suffix(".holder")
    try:
        lock.acquire(timeout=_QUIET if wait else 0)
    except Timeout:
        if not wait:
            raise
        text = waiting_for(holder, what)
        with doing(text) if text else contextlib.nullcontext():
            lock.acquire()
    try:
        with contextlib.suppress(OSError):
            holder.write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def waiting_for(holder: Path, what: str) -> str:
    """What is said while another one builds it; nothing where that is a thread of this process,
    which says itself how far it is."""
    try:
        pid, _, host = holder.read_text(encoding="utf-8").partition(" ")
    except (OSError, ValueError):
        pid = host = ""
    here = host == socket.gethostname()
    if here and pid == str(os.getpid()):
        return ""
    who = f"process {pid}" if pid else "another process"
    where = f" on {host}" if host and not here else ""
    return f"wait for {who}{where}, which builds {what}:"
