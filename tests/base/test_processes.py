"""Signals that ask to stop: also where a library's callback prints their exception and goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segtrack.base import processes
from segtrack.base.errors import StageError
from segtrack.base.metrics import MetricsFile
from segtrack.base.processes import held, obeyed, stop_if_asked, stoppable
from segtrack.base.progress import progress
from segtrack.base.retry import retry

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Deaf:
    """Gets a signal while it is removed, where Python drops the exception."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    began = [signal.signal(number, signal.SIG_DFL) for number in SIGNALS]  # nohup ignores some
    yield
    after = [signal.signal(n, handler) for n, handler in zip(SIGNALS, began, strict=True)]
    assert after == [signal.SIG_DFL] * len(SIGNALS)
    stop_if_asked()  # nothing is remembered


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_raises_at_once(number: int) -> None:
    with pytest.raises(KeyboardInterrupt), stoppable():
        signal.raise_signal(number)
        pytest.fail("it went on")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_lost_signal_is_raised_at_the_next_look(number: int) -> None:
    after = []
    with pytest.raises(KeyboardInterrupt), stoppable():
        Deaf(number)
        after.append("went on")
        stop_if_asked()
        pytest.fail("it went on")
    assert after == ["went on"]


def test_a_signal_that_a_library_lost_is_obeyed_within_two_seconds() -> None:
    """By whatever looks at nothing, such as the drawing of a figure or a forest of trees."""
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), stoppable():
        Deaf()
        while time.monotonic() < begin + 10:
            sum(range(1000))
        pytest.fail("it went on")
    assert time.monotonic() - begin < 2


def test_what_ends_because_of_a_signal_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LOST", 0.02)
    done = []

    @contextlib.contextmanager
    def opened() -> Iterator[None]:
        try:
            yield
        finally:
            try:
                int("odd")
            except ValueError:
                time.sleep(0.2)
            done.append("closed")

    with pytest.raises(KeyboardInterrupt), stoppable():
        try:
            with opened():
                signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            time.sleep(0.2)
            done.append("told")
            raise
    assert done == ["closed", "told"]
    with stoppable():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            obeyed()
        time.sleep(0.2)  # a page that is served ends with it, and what it had is closed
    with pytest.raises(KeyboardInterrupt), stoppable():
        with held():
            Deaf()
            time.sleep(0.2)
            done.append("held")
        time.sleep(0.2)
        done.append("went on")
    assert done[2:] == ["held"]


def _loop(_: object) -> None:
    for number in progress(range(5), "five", 5, "numbers"):
        if number == 2:
            Deaf()
        assert number < 3


def _report(tmp_path: object) -> None:
    report = MetricsFile(tmp_path)  # type: ignore[arg-type]
    report("loss", 1.0)
    Deaf()
    report("loss", 0.5, 1)
    pytest.fail("it went on")


def _attempts(_: object) -> None:
    def attempt(number: int) -> int:
        Deaf()
        return number

    retry(attempt, 1, lambda _: 0.0)
    retry(lambda _: pytest.fail("it went on"), 1, lambda _: 0.0)


@pytest.mark.parametrize("work", [_loop, _report, _attempts])
def test_long_work_looks(work: Callable[[object], None], tmp_path: object) -> None:
    with pytest.raises(KeyboardInterrupt), stoppable():
        work(tmp_path)


@pytest.mark.parametrize("error", [ValueError("odd"), StageError("training failed"), ImportError()])
def test_what_it_became_ends_as_the_interruption_it_is(error: Exception) -> None:
    with pytest.raises(KeyboardInterrupt), stoppable(), stoppable():
        Deaf()
        raise error


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="odd"), stoppable():
        raise ValueError("odd")


def test_held_work_is_done_to_its_end_unless_somebody_insists() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), stoppable():
        with held():
            signal.raise_signal(signal.SIGTERM)
            stop_if_asked()
            signal.raise_signal(signal.SIGTERM)
            done.append(1)
        stop_if_asked()
        done.append(2)
    assert done == [1]
    with pytest.raises(KeyboardInterrupt), stoppable(), held():
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")


def test_one_ctrl_c_that_arrives_twice_is_one() -> None:
    """From the terminal and from a ``make`` or ``uv run`` that passes it on."""
    with pytest.raises(KeyboardInterrupt), stoppable():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            ended = True
    assert ended


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
            stop_if_asked()
    finally:
        signal.signal(signal.SIGHUP, before)


def _code(child: int) -> int:
    """The exit code of a fork. One that never ends would hold the pipes of who runs the tests."""
    until = time.monotonic() + 60
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1])


def test_a_fork_leaves_ctrl_c_to_its_parent_and_dies_of_the_rest() -> None:
    codes = []
    with stoppable():
        for number in (signal.SIGINT, signal.SIGTERM):
            child = os.fork()
            if not child:
                try:
                    os.kill(os.getpid(), number)
                    os._exit(7)
                finally:
                    os._exit(8)
            codes.append(_code(child))
        stop_if_asked()
    assert codes == [7, -signal.SIGTERM]


def test_other_threads_are_left_alone() -> None:
    found: list[BaseException] = []

    def look() -> None:
        try:
            stop_if_asked()
        except BaseException as error:
            found.append(error)

    with pytest.raises(KeyboardInterrupt), stoppable():
        Deaf()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        stop_if_asked()
    assert not found


def test_the_last_steps_of_a_process_are_short() -> None:
    """The objects of large libraries are not gone through at its end, only what says so ends."""
    code = """
import atexit, gc, tempfile
from segtrack.base.processes import until_asked
atexit.register(lambda: print(gc.get_freeze_count() > 0))
folder = tempfile.TemporaryDirectory()
print(folder.name)
raise SystemExit(until_asked(lambda: 3, lasting=True))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    folder, frozen = ended.stdout.split()
    assert (ended.returncode, frozen, ended.stderr) == (3, "True", "")
    assert not Path(folder).exists()
