"""What is said stands on the terminal and in the run's log, once, and without secrets."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from pathlib import Path

import pytest

from segtrack.base.saying import led_by, logged, note, overheard, say
from segtrack.base.secrets import hidden

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


def lines(path: Path) -> list[str]:
    """The log's lines without their times, which each of them has."""
    found = path.read_text(encoding="utf-8").splitlines()
    assert all(STAMP.match(line) for line in found)
    return [STAMP.sub("", line, count=1) for line in found]


def test_each_line_is_said_once_and_logged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say("before")
    with logged(tmp_path / "a.log"):
        say("one\n\n  two  three")
        say("error: four", error=True)
        note("five")
        with logged(tmp_path / "b.log"):
            say("six")
    say("after")
    out, err = capsys.readouterr()
    assert out == "before\none\n\n  two  three\nsix\nafter\n"
    assert err == "error: four\n"
    assert lines(tmp_path / "a.log") == ["one", "  two  three", "error: four", "five"]
    assert lines(tmp_path / "b.log") == ["six"]


def test_secrets_stand_in_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "q7Rt-x9z")
    with hidden(), logged(tmp_path / "a.log"):
        say("rtsp://me:q7Rt-x9z@there/1")
        note("q7Rt-x9z")
    assert "q7Rt" not in (tmp_path / "a.log").read_text() + capsys.readouterr().out
    assert lines(tmp_path / "a.log") == ["rtsp://***@there/1", "***"]


def test_a_log_that_cannot_be_written_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logged(tmp_path / "gone" / "a.log"):
        say("heard all the same")
    assert capsys.readouterr().out == "heard all the same\n"


def test_what_ended_a_run_is_in_its_log(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), logged(tmp_path / "a.log"):
        raise KeyboardInterrupt
    assert lines(tmp_path / "a.log") == ["interrupted"]


def test_libraries_are_overheard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their warnings are said; Python's, which are for programmers, are only written down."""
    with overheard(), logged(tmp_path / "a.log"):
        logging.getLogger("somebody").info("chatter")
        logging.getLogger("somebody").warning("%s is odd", "it")
        warnings.warn("old name", UserWarning, stacklevel=1)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "WARNING: somebody: it is odd\n")
    first, second = lines(tmp_path / "a.log")
    assert first == "WARNING: somebody: it is odd"
    assert second.endswith("UserWarning: old name")
    logging.getLogger("somebody").warning("nobody listens")
    assert "somebody: nobody" not in capsys.readouterr().err


def test_lines_among_those_of_others_say_whose_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with led_by("cell 3: "), logged(tmp_path / "a.log"):
        say("\none\ntwo")
    assert capsys.readouterr().out == "\ncell 3: one\ncell 3: two\n"
    assert lines(tmp_path / "a.log") == ["one", "two"]


def test_whole_lines_from_several_threads(capsys: pytest.CaptureFixture[str]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: say(f"{n:04}" * 100), range(200)))
    found = capsys.readouterr().out.splitlines()
    assert sorted(found) == [f"{n:04}" * 100 for n in range(200)]
    assert sys.stdout is not None
