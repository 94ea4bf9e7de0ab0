"""Runs that were started on the page: the very command, one after the other, each to its end."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.base.secrets import without_secrets
from segtrack.view.library import Unknown

LINES = 200  # of what a run says, that are kept
SHOWN = 12  # that the page has
MOST = 20  # that may wait
_PATIENCE = 10  # s that a run has for its end
_RUN = re.compile(r"run .*\(([0-9a-f]{32})\)")
_STATES = {0: "finished", 130: "ended", -signal.SIGINT: "ended", -signal.SIGTERM: "ended"}
_SOURCE = Path(__file__).resolve().parents[2]


@dataclass
class Attempt:
    """One of them.

    Attributes:
        upload: its key; title: of what, for people; kind: video or pictures.
        words: settings of the command.
        state: waiting, running, finished, failed or ended.
        run_id: of its MLflow run, once there is one.
        error: its one line, where it failed.
        lines: the last that it said.
    """

    number: int
    upload: str
    title: str
    kind: str
    words: tuple[str, ...]
    state: str = "waiting"
    run_id: str = ""
    error: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    process: subprocess.Popen[str] | None = None

    @property
    def command(self) -> str:
        """As it can be typed in a shell."""
        return command_of(self.words)


def command_of(words: Sequence[str]) -> str:
    """A run's settings as they are typed in a shell; it is shown, so secrets are ``***``."""
    return shlex.join(["segtrack", "run", *map(without_secrets, words)])


class Attempts:
    """A queue of runs, in the folder of the project."""

    def __init__(self, project: Path, settings: Sequence[str] = ()) -> None:
        """Settings are words that every run gets, such as ``mlflow=server``."""
        self.project, self.settings = project, tuple(settings)
        self._all: list[Attempt] = []
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False

    def start(self, upload: str, title: str, kind: str, words: Sequence[str]) -> Attempt:
        """Queue a run.

        Raises:
            SettingsError: too many wait.
        """
        with self._changed:
            if sum(one.state == "waiting" for one in self._all) >= MOST:
                raise SettingsError(f"{MOST} runs wait already: wait for some, or end them")
            number = len(self._all) + 1
            made = Attempt(number, upload, title, kind, (*words, *self.settings))
            self._all.append(made)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="runs", daemon=True)
                self._worker.start()
            self._changed.notify()
        return made

    def uses(self, upload: str) -> bool:
        """Whether a run that waits or goes on needs an upload."""
        return any(
            one.upload == upload and one.state in ("waiting", "running") for one in self._all
        )

    def rows(self) -> list[dict[str, Any]]:
        """What the page shows of each, newest first."""
        with self._changed:
            waiting = [one for one in self._all if one.state == "waiting"]
            return [
                {
                    "number": one.number,
                    "title": one.title,
                    "kind": one.kind,
                    "command": one.command,
                    "state": one.state,
                    "place": waiting.index(one) + 1 if one in waiting else 0,
                    "run": one.run_id,
                    "error": one.error,
                    "lines": list(one.lines)[-SHOWN:],
                }
                for one in reversed(self._all)
            ]

    def end(self, number: int) -> None:
        """Take a run out of the queue, or interrupt it as Ctrl-C does.

        Raises:
            Unknown: there is none of this number.
        """
        if not 1 <= number <= len(self._all):
            raise Unknown(f"no run {number} was started here")
        with self._changed:
            one = self._all[number - 1]
            if one.state == "waiting":
                one.state = "ended"
            elif one.process is not None:
                _interrupt(one.process)

    def close(self) -> None:
        """End all of them, and come back when nothing of them runs any more."""
        with self._changed:
            self._closed = True
            for one in self._all:
                if one.state == "waiting":
                    one.state = "ended"
            self._changed.notify()
            running = [one.process for one in self._all if one.process is not None]
        for process in running:
            _interrupt(process)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        if self._worker is not None:
            self._worker.join(_PATIENCE)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                one = self._next()
                if self._closed or one is None:
                    return
                try:
                    process = self._started(one)
                except OSError as error:
                    one.state, one.error = "failed", f"cannot be started: {error.strerror}"
                    continue
                one.state, one.process = "running", process
            self._follow(one, process)

    def _next(self) -> Attempt | None:
        return next((one for one in self._all if one.state == "waiting"), None)

    def _started(self, one: Attempt) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(_SOURCE), os.environ.get("PYTHONPATH", "")]))
        # A session of its own: it is ended with all that it started, and not by the terminal. What
        # it says goes to us: should this process be killed, it ends as soon as it says something.
        return subprocess.Popen(
            [sys.executable, "-m", "segtrack", "run", *one.words],
            cwd=self.project,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def _follow(self, one: Attempt, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for text in process.stdout:
            line = text.rstrip()
            with self._changed:
                if line:
                    one.lines.append(line)
                if not one.run_id and (found := _RUN.fullmatch(line)):
                    one.run_id = found[1]
        code = process.wait()
        with self._changed:
            one.process = None
            one.state = _STATES.get(code, "failed")
            if one.state == "failed":
                one.error = _error(one.lines) or f"it ended with exit code {code}"


def _error(lines: Sequence[str]) -> str:
    """From the line that says what was wrong on; what follows it are the single problems."""
    kept = list(lines)
    at = [place for place, line in enumerate(kept) if line.startswith("error: ")]
    if not at:
        return kept[-1] if kept else ""
    below = [line.strip() for line in kept[at[-1] + 1 :] if line.startswith("  ")]
    return " ".join([kept[at[-1]].removeprefix("error: "), *below])


def _interrupt(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C; where that is ignored here, as in the background of a script, as ``kill``."""
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    _signal(process, signal.SIGTERM if deaf else signal.SIGINT)


def _signal(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(OSError):  # it has ended
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()
