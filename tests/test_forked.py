"""A command that is a fork is as one that is a process from its beginning."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked import THERE, Forks, Outcome, Running

pytestmark = pytest.mark.skipif(not THERE, reason="commands are forks on Linux only")
SAY = """
import atexit, json, os, signal, sys
atexit.register(print, "at the end")
numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)
facts = {
    "argv": sys.argv, "cwd": os.getcwd(), "name": __name__, "file": globals().get("__file__"),
    "first": sys.path[0], "known": sys.argv[1] in sys.path,
    "mine": os.environ.get("SEGTRACK_STORE"),
    "home": os.environ["HOME"], "signals": [str(signal.getsignal(n)) for n in numbers],
    "group": os.getpgrp(), "stdin": sys.stdin.read(), "tests": "tests" in sys.modules,
    "open": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1],
}
print(json.dumps(facts))
print("said", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks("json")
    yield made
    made.close()


def fresh(command: list[str], cwd: Path, env: dict[str, str]) -> Outcome:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("how", ["script", "module", "code"])
def test_it_finds_what_a_process_finds(forks: Forks, tmp_path: Path, how: str) -> None:
    (tmp_path / "say.py").write_text(SAY)
    here = tmp_path / "here"
    here.mkdir()
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "SEGTRACK_STORE": "s"}
    words = {"script": [str(tmp_path / "say.py")], "module": ["-m", "say"], "code": ["-c", SAY]}
    command = [sys.executable, *words[how], str(tmp_path), "a b", "ü"]
    forked = forks.run(command, here, env)
    assert forked == fresh(command, here, env)
    assert (forked.code, forked.err) == (7, "said\n")
    said, end = forked.out.splitlines()
    assert json.loads(said)["mine"] == "s" and end == "at the end"


@pytest.mark.parametrize(
    "code",
    [
        "1 / 0",
        "import sys; sys.exit('why')",
        "import os; os._exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    ],
)
def test_it_ends_as_a_process_ends(forks: Forks, tmp_path: Path, code: str) -> None:
    command = [sys.executable, "-c", code]
    forked, other = forks.run(command, tmp_path), fresh(command, tmp_path, dict(os.environ))
    assert (forked.code, forked.out) == (other.code, other.out) and forked.code != 0
    assert forked.err.splitlines()[-1:] == other.err.splitlines()[-1:]


def test_it_is_watched_and_sent_signals(forks: Forks, tmp_path: Path) -> None:
    code = "import sys, time; print('up', flush=True); sys.stderr.write('too'); time.sleep(60)"
    with forks.start([sys.executable, "-c", code], tmp_path, merged=True) as running:
        wait_for(running, "up\n")
        assert running.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.01)
        running.send_signal(signal.SIGTERM)
        assert running.communicate(20) == ("up\ntoo", "")
    assert running.returncode == -signal.SIGTERM


def test_several_at_once(forks: Forks, tmp_path: Path) -> None:
    code = "import sys, time; time.sleep(float(sys.argv[1])); sys.exit(int(sys.argv[2]))"
    waits = ("0.3", "0.1", "0.2")
    all_ = [
        forks.start([sys.executable, "-c", code, wait, str(number)], tmp_path)
        for number, wait in enumerate(waits)
    ]
    assert [running.wait(20) for running in all_] == [0, 1, 2]


def test_what_was_decided_when_a_library_was_loaded_is_refused(
    forks: Forks, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=r"OMP_NUM_THREADS.*use subprocess"):
        forks.run([sys.executable, "-c", ""], tmp_path, {**os.environ, "OMP_NUM_THREADS": "7"})


def wait_for(running: Running, text: str) -> None:
    until = time.monotonic() + 20
    while not running.out.startswith(text):
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.01)


def test_what_a_library_says_later_is_taken_over(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that runs meanwhile still ends where it began."""
    code = "import os, sys; print(os.environ.get('SAID_LATER')); sys.stdin.close(); sys.exit(3)"
    command = [sys.executable, "-c", code]
    assert forks.run(command, tmp_path).out == "None\n"
    waiting = [sys.executable, "-c", "import time; time.sleep(1.5); raise SystemExit(5)"]
    with forks.start(waiting, tmp_path) as running:
        monkeypatch.setenv("SAID_LATER", "yes")
        assert forks.run(command, tmp_path) == Outcome(3, "yes\n", "")
        assert running.wait(20) == 5
    with pytest.raises(AssertionError, match="SAID_LATER"):
        forks.run(command, tmp_path, {**os.environ, "SAID_LATER": "no"})
    monkeypatch.delenv("SAID_LATER")
    assert forks.run(command, tmp_path).out == "None\n"
