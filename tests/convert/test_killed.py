"""Killed in the middle: nothing half is at OUT, and the next command leaves no rest of it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.forked import Outcome
from tests.integration.conftest import LOADED, with_ours

KILLED = """
import os, signal, sys
from segtrack.convert.places import Out
put, count = Out.put, 0
def killing(self, *words, **named):
    global count
    count += 1
    if count == 4:
        os.kill(os.getpid(), signal.{signal})
    put(self, *words, **named)
Out.put = killing
from segtrack.command.app import main
sys.exit(main(sys.argv[1:]))
"""


def run(given: Path, out: Path, with_signal: str) -> Outcome:
    code = KILLED.format(signal=with_signal)
    words = [sys.executable, "-c", code, "convert", str(given), str(out), "--to", "labelme"]
    return LOADED.run(words, given.parent, with_ours())


def test_killed(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(given, out, "SIGKILL")
    assert done.code == -signal.SIGKILL, done.err
    (left,) = [path for path in tmp_path.iterdir() if path != given]
    assert left.name.startswith(".out.") and left.name.endswith(".partial")
    assert len(list((left / "new").rglob("*.jpg"))) == 3
    done = run(given, out, "SIGTERM")  # asked to stop: nothing is left at all
    assert done.code == 130, done.err
    assert [path for path in tmp_path.iterdir() if path != given] == []
    done = run(given, out, "SIGCONT")  # which does nothing
    assert done.code == 0, done.err
    assert {path.name for path in tmp_path.iterdir()} == {given.name, "out"}
    assert len(list(out.rglob("*.json"))) == 6
