"""How far long work is: lines where nobody watches, bars on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segtrack.base import progress as module
from segtrack.base.progress import Work, doing, duration, progress
from segtrack.base.saying import logged


@pytest.fixture(autouse=True)
def five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for people."""
    monkeypatch.setattr(module, "FIRST", 5.0)


@pytest.fixture
def hasty(five_seconds: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are hundredths."""
    monkeypatch.setattr(module, "TICK", 0.005)
    monkeypatch.setattr(module, "FIRST", 0.05)
    monkeypatch.setattr(module, "EVERY", 0.1)


def text_after(seconds: list[float], done: list[float], total: float | None, unit: str) -> str:
    """What is said of work that was looked at so many seconds after its beginning."""
    work = Work("it", total, unit, 0, apart=False)
    for when, count in zip(seconds, done, strict=True):
        work.done = count
        work.look(work.began + when)
    return work.text(work.began + seconds[-1])


@pytest.mark.parametrize(
    ("seconds", "done", "total", "unit", "text"),
    [
        ([10, 20, 29.3], [420, 820, 1211], 3000, "frames", "41 frames/s, 44 s left"),
        ([1], [5], 10, "images", "5 of 10 images, 5.0 images/s, 1 s left"),
        ([4, 8, 12], [1, 2, 3], 10, "epochs", "3 of 10 epochs, 4.0 s each, 28 s left"),
        ([60, 120], [50, 100], 100000, "images", "100 of 100,000 images, 1.2 s each, 33.3 h left"),
        ([1, 2], [2.5, 5.0], 12.5, "MB", "5.0 of 12.5 MB, 2.5 MB/s, 3 s left"),
        ([2, 3], [7, 9], None, "pictures", "9 pictures, 3.0 pictures/s"),
        ([30], [0], 80, "images", "0 of 80 images, 30 s so far"),
        ([90], [0], None, "", "90 s so far"),
        ([5], [10], 10, "frames", "10 of 10 frames, 2.0 frames/s"),
    ],
)
def test_the_text(
    seconds: list[float], done: list[float], total: float | None, unit: str, text: str
) -> None:
    assert text_after(seconds, done, total, unit).endswith(text)


def test_the_pace_is_that_of_lately() -> None:
    """Not of a slow beginning, as where a network is compiled for the first image."""
    seconds, done = [20.0, *(20.0 + n for n in range(1, 41))], [1.0, *range(11, 411, 10)]
    assert ", 10 images/s, 60 s left" in text_after(seconds, done, 1000, "images")


def test_durations() -> None:
    assert [duration(s) for s in (0.4, 119, 121, 7000, 9000)] == [
        *("0 s", "119 s", "2 min", "117 min", "2.5 h")
    ]


def test_a_line_from_time_to_time(
    hasty: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logged(tmp_path / "a.log"):
        for _ in progress(range(50), "detect sim-0", 50, "frames"):
            time.sleep(0.01)
    out, err = capsys.readouterr()
    found = err.splitlines()
    assert out == "" and 2 <= len(found) <= 6
    assert all(re.match(r"detect sim-0 \d+ of 50 frames, \d+ frames/s", line) for line in found)
    counts = [int(line.split()[2]) for line in found]
    assert counts == sorted(counts) and counts[-1] > counts[0]
    logged_lines = (tmp_path / "a.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in logged_lines] == found


def test_nothing_of_short_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(1000), "x", 1000, "frames")) == list(range(1000))
    with doing("y"):
        time.sleep(2 * module.TICK)
    assert capsys.readouterr() == ("", "")


def test_of_work_within_work_the_innermost_speaks(
    hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def speaks(*, of: str, within: int = 500) -> bool:
        for _ in range(within):
            time.sleep(0.01)
            if words := [line.split()[0] for line in capsys.readouterr().err.splitlines()]:
                return words[-1] == of
        return False

    with doing("evaluate"):
        assert speaks(of="evaluate")
        with doing("compare masks"):
            assert speaks(of="evaluate") or speaks(of="compare")  # the younger is not due at once
            assert speaks(of="compare")
        assert speaks(of="evaluate")


def test_of_several_threads_their_sum_speaks(
    hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def one(number: int) -> None:
        for _ in progress(range(30), f"video {number}", 30, "frames"):
            time.sleep(0.01)

    with ThreadPoolExecutor(3) as pool, doing("detect in 3 videos", 90, "frames"):
        for future in [pool.submit(one, n) for n in range(3)]:
            future.result()
    found = capsys.readouterr().err.splitlines()
    assert found and all(line.startswith("detect in 3 videos ") for line in found)


def test_its_thread_ends_with_it(hasty: None) -> None:
    with doing("x"):
        pass
    for _ in range(100):
        if not any(thread.name == "progress" for thread in threading.enumerate()):
            return
        time.sleep(0.01)
    raise AssertionError("the thread goes on")


def test_an_error_leaves_no_work_behind(hasty: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"):
        for _ in progress(range(3), "x", 3, "frames"):
            raise ValueError("no")
    time.sleep(0.2)
    assert capsys.readouterr() == ("", "")


WATCHED = """
    import time
    from concurrent.futures import ThreadPoolExecutor
    from segtrack.base.progress import doing, progress
    from segtrack.base.saying import logged, say

    def one(number):
        for i in progress(range(20), f"[video] {number}", 20, "frames"):
            time.sleep(.05)
            if i == 12 and number == 0:
                say("a line in between")

    with ThreadPoolExecutor(2) as pool, doing("both", 40, "frames"):
        for future in [pool.submit(one, n) for n in range(2)]:
            future.result()
    say("the end")
"""


def on_terminal(code: str, **environment: str) -> str:
    """What a terminal of 80 columns gets."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "", "NO_COLOR": "1", **environment},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # nobody writes any more
            break
        if not part:
            break
        text += part
    os.close(ours)
    assert process.wait(timeout=30) == 0, text
    return text.decode()


def screen(text: str) -> list[str]:
    """What is left to be seen of what a terminal got: of its letters and movements, ours alone."""
    rows: list[str] = [""]
    at = 0
    for part in re.findall(r"\x1b\[\??\d*(?:;\d+)*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r":
            continue
        if part == "\n":
            at += 1
            rows += [""] * (at - len(rows) + 1)
        elif part.endswith("A") and part.startswith("\x1b"):
            at -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            rows[at] = ""
        elif not part.startswith("\x1b"):
            rows[at] += part
    return [row.rstrip() for row in rows if row.strip()]


def test_bars_on_a_terminal_are_gone_afterwards() -> None:
    text = on_terminal(WATCHED)
    assert re.search(r"both +\S* *0 of 40 frames", text)
    assert re.search(r"\[video\] 0 +\S* *\d+ of 20 frames", text)
    assert re.search(r"\[video\] 1 +\S* *\d+ of 20 frames", text)
    assert screen(text) == ["a line in between", "the end"]
    assert text.count("a line in between") == 1


def test_no_bars_where_the_terminal_can_show_none() -> None:
    assert on_terminal(WATCHED, TERM="dumb") == "a line in between\r\nthe end\r\n"
