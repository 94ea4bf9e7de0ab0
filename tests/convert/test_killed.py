"""Killed in the middle: nothing half is at OUT, and the next command leaves no rest of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

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


def run(given: Path, out: Path, with_signal: str) -> subprocess.CompletedProcess[str]:
    code = KILLED.format(signal=with_signal)
    words = [sys.executable, "-c", code, "convert", str(given), str(out), "--to", "labelme"]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def test_killed(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(given, out, "SIGKILL")
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = [path for path in tmp_path.iterdir() if path != given]
    assert left.name.startswith(".out.") and left.name.endswith(".partial")
    assert len(list((left / "new").rglob("*.jpg"))) == 3
    done = run(given, out, "SIGTERM")  # asked to stop: nothing is left at all
    assert done.returncode == 130, done.stderr
    assert [path for path in tmp_path.iterdir() if path != given] == []
    done = run(given, out, "SIGCONT")  # which does nothing
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {given.name, "out"}
    assert len(list(out.rglob("*.json"))) == 6
