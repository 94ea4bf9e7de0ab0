"""What is said to people: one place that writes it to the terminal and to the log of the run."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from segtrack.base.secrets import without_secrets

LOG = "segtrack.log"
"""Name of the log in a run's folder: each line that was said, with its time of this machine."""


class _Voice:
    """How this process speaks.

    Attributes:
        logs: files that get what is said, the innermost last. before: what each line begins with.
        above: prints on the terminal above bars that are shown there; None where none are.
        lock: lines stay whole, whichever thread says them.
    """

    logs: list[Path]
    before: str
    above: Callable[[str], None] | None
    lock: threading.RLock

    def __init__(self) -> None:
        self.logs, self.before, self.above = [], "", None
        self.lock = threading.RLock()


VOICE = _Voice()


def say(text: str, *, error: bool = False) -> None:
    """Print ``text`` on stdout and write it to the run's log, if there is one.

    Args:
        error: print it on stderr: what is no result.

    Raises:
        BrokenPipeError: nobody reads the output any more.
    """
    text = without_secrets(text)
    with VOICE.lock:
        note(text)
        lead = VOICE.before
        shown = "\n".join(f"{lead}{line}" if line else "" for line in text.split("\n"))
        stream = sys.stderr if error else sys.stdout
        if VOICE.above is not None and stream.isatty():
            VOICE.above(shown)
        else:
            print(shown, file=stream, flush=True)


def note(text: str) -> None:
    """Write ``text`` to the run's log alone. A log that cannot be written ends nothing."""
    with VOICE.lock:
        if not VOICE.logs:
            return
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = [f"{now} {line}\n" for line in without_secrets(text).splitlines() if line.strip()]
        # Opened for each: whoever removes the folder of a run that came to nothing finds no file
        # in use, and a run that is killed has lost no line.
        with (
            contextlib.suppress(OSError),
            VOICE.logs[-1].open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.writelines(lines)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """What is said meanwhile is written to ``path`` too, and what ended the block."""
    VOICE.logs.append(path)
    try:
        yield
    except KeyboardInterrupt:
        note("interrupted")
        raise
    finally:
        VOICE.logs.remove(path)


@contextlib.contextmanager
def led_by(lead: str) -> Iterator[None]:
    """Lines on the terminal begin with ``lead`` meanwhile: they stand among those of others."""
    before, VOICE.before = VOICE.before, lead
    try:
        yield
    finally:
        VOICE.before = before


def say_traceback() -> None:
    """Say what an exception that nobody foresaw came from."""
    say(traceback.format_exc().rstrip(), error=True)


@contextlib.contextmanager
def overheard() -> Iterator[None]:
    """Records of Python's logging are said meanwhile, from warnings on; Python's own warnings,
    which are for who writes programs, are only written to the log of the run."""
    root, records, shown = logging.getLogger(), _Records(), warnings.showwarning
    records.setFormatter(logging.Formatter("%(levelname)s: %(name)s: %(message)s"))
    root.addHandler(records)
    warnings.showwarning = _noted  # type: ignore[assignment]  # of fewer names for the rest
    try:
        yield
    finally:
        warnings.showwarning = shown
        root.removeHandler(records)


class _Records(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):
            say(self.format(record), error=True)


def _noted(message: Any, category: type[Warning], filename: str, line: int, *_: Any) -> None:
    note(f"{filename}:{line}: {category.__name__}: {message}")
