"""Processes: how to know one again, and how one is asked to stop."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from segtrack.base.saying import say


def cores() -> int:
    """CPU cores that this process may use: a container or a scheduler may give it some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


class _Stop:
    """What the signals said.

    Attributes:
        process: the one that listens, 0 for none. asked: signals that came. last: when, in seconds.
        held: blocks that are to end first. watched: whether somebody looks whether it is obeyed.
        again: the next one is no signal, but one that was lost.
    """

    process = asked = held = 0
    last = float("-inf")
    watched = again = False


_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Ctrl-C, kill, a closed terminal; Windows
_INSIST = 3  # signals after which nothing is waited for
_LOST = 0.5  # s; between two looks whether an exception was lost
_ONE = 1.0  # s; signals that are closer are one: what started us passes on what reached us as well


@contextlib.contextmanager
def stoppable(lasting: bool = False) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM (what schedulers and ``kill`` send) and SIGHUP end this block alike.

    They raise KeyboardInterrupt, and are remembered: an exception that arrives while a library's
    callback runs is lost, or becomes another one. ``stop_if_asked`` raises it again, half a second
    later it raises itself again wherever Python runs, and an error that leaves the block afterwards
    leaves it as KeyboardInterrupt.

    Args:
        lasting: the process ends with this block, so that nothing else need listen afterwards.
    """
    first = not _Stop.process and threading.current_thread() is threading.main_thread()
    before = _listen() if first else {}
    unraisable = sys.unraisablehook
    if first:
        sys.unraisablehook = _unless_asked(unraisable)
    try:
        yield
    except Exception:
        if _Stop.asked:
            raise KeyboardInterrupt from None
        raise
    finally:
        if first and lasting:
            _Stop.held += 1
            gc.freeze()  # Python's last search for garbage takes a second or two, for nothing
            # Python's last steps would give signals back their own ways, and end as if killed.
            atexit.register(_deaf, *before)
        elif first:
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = unraisable
            _Stop.process = _Stop.asked = 0


def until_asked(work: Callable[[], int], lasting: bool) -> int:
    """The exit code of ``work``; 130 and one line where it was asked to stop before its end."""
    try:
        with stoppable(lasting):
            return work()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal was closed
            text = "interrupted; the same command continues where this one stopped"
            say(text, error=True)
        return 130


def stop_if_asked() -> None:
    """Called wherever long work is between two pieces.

    Raises:
        KeyboardInterrupt: a signal asked to stop, and the exception that it raised was lost.
    """
    main = threading.main_thread()
    if _Stop.asked and not _Stop.held and threading.current_thread() is main:
        raise KeyboardInterrupt


def obeyed() -> None:
    """Whoever listens ended what was to end, and goes on to its own end."""
    _Stop.asked = 0


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let signals wait: a block of milliseconds that must not be left half done."""
    _Stop.held += 1
    try:
        yield
    finally:
        _Stop.held -= 1


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """What is started here never sees a terminal's Ctrl-C, not even while it loads: we end it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def lasting_port() -> Iterator[int]:
    """A port of this machine that is open as long as the block, and this process, last.

    Processes that a library starts, and would leave behind, call ``end_with`` to end with it.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield int(server.getsockname()[1])  # nobody accepts: the system keeps who connects waiting


def end_with(port: int) -> None:
    """End this process at once when the block of ``lasting_port`` is over, or if it is already."""

    def watch() -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as other:
            other.recv(1)
        os._exit(1)

    threading.Thread(target=watch, name="end", daemon=True).start()


def _deaf(*numbers: int) -> None:
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _listen() -> dict[int, Any]:
    """Take over the signals; returns the handlers that they had."""
    before: dict[int, Any] = {}
    _Stop.process, _Stop.asked, _Stop.last = os.getpid(), 0, float("-inf")
    _Stop.again = False
    for name in _STOPPING:
        number = getattr(signal, name, None)
        # What is ignored, as by nohup or in the background of a script, stays so.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, _asked)
    return before


def _unless_asked(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What prints exceptions that are lost, without those that are remembered here."""

    def show(unraisable: Any) -> None:
        if not (_Stop.asked and isinstance(unraisable.exc_value, KeyboardInterrupt)):
            hook(unraisable)

    return show


def _asked(number: int, _frame: Any) -> None:
    if os.getpid() != _Stop.process:  # a fork, which loads training images: its parent ends it
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        return
    lost, _Stop.again = _Stop.again, False
    if lost:
        stop_if_asked()
        return
    now = time.monotonic()
    again, _Stop.last = now - _Stop.last < _ONE, now
    _Stop.asked += 1
    if not _Stop.watched:
        _Stop.watched = True
        with contextlib.suppress(RuntimeError):  # no further thread, or Python is ending
            # Not threading's, which waits for the thread, perhaps with a lock that this one holds.
            _thread.start_new_thread(_watch, (number, threading.main_thread().ident or 0))
    if not (_Stop.held or again) or _Stop.asked >= _INSIST:
        raise KeyboardInterrupt


def _watch(number: int, main: int) -> None:
    """Raise it again where it was lost: neither raised any more, nor handled, with what ends."""
    try:
        while _Stop.asked and _Stop.process == os.getpid():
            time.sleep(_LOST)
            if _Stop.asked and not _Stop.held and not _ends(main):
                _Stop.again = True
                _thread.interrupt_main(signal.Signals(number))
    finally:
        _Stop.watched = False


def _ends(thread: int) -> bool:
    """Whether a KeyboardInterrupt is on its way there: ``finally`` and ``except`` are at work."""
    found = sys._current_exceptions().get(thread)
    error: Any = found[1] if isinstance(found, tuple) else found  # Python 3.11 gives a tuple
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
