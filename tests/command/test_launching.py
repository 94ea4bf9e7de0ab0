"""What happens where Hydra cannot begin any cell, or ends in their middle."""

import errno
import os
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.base.errors import SettingsError
from segtrack.base.processes import process_mark
from segtrack.command import app, launching
from segtrack.settings import MlflowMode, MlflowSettings

SETTINGS = MlflowSettings(mode=MlflowMode.local, uri="sqlite:///none.db")


@pytest.fixture
def tries() -> list[int]:
    return []


@pytest.fixture
def begin(tries: list[int]) -> Any:
    def cannot() -> int:
        tries.append(1)
        raise SettingsError("Hydra cannot run this: no srun")

    return cannot


def test_a_launcher_that_cannot_begin_is_told_once_and_leaves_no_sweep(
    begin: Any, tries: list[int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(launching, "_when_ended", lambda journal, settings: [])
    with pytest.raises(SettingsError, match="no srun"):
        launching.launch(begin, SimpleNamespace(), SETTINGS, 2)  # type: ignore[arg-type]
    assert len(tries) == 1
    assert capsys.readouterr().err == ""  # who ends the command tells it


def test_cells_that_are_there_keep_their_sweep(
    begin: Any, tries: list[int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(launching, "_when_ended", lambda journal, settings: ["a cell"])
    assert launching.launch(begin, SimpleNamespace(), SETTINGS, 2) == 2  # type: ignore[arg-type]
    assert len(tries) == 1
    assert capsys.readouterr().err == "error: Hydra cannot run this: no srun\n"


def test_cells_that_run_here_end_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def cell(status: str, host: str, process: str) -> Any:
        tags = {"segtrack.host": host, "segtrack.process": process}
        return SimpleNamespace(info=SimpleNamespace(status=status), data=SimpleNamespace(tags=tags))

    def stop() -> int:
        raise KeyboardInterrupt

    words = [sys.executable, "-c", "input()"]
    here = socket.gethostname()
    with subprocess.Popen(words, stdin=subprocess.PIPE) as one, \
            subprocess.Popen(words, stdin=subprocess.PIPE) as other:  # fmt: skip
        runs = [
            cell("RUNNING", here, process_mark(one.pid)),
            cell("FINISHED", here, process_mark(other.pid)),
            cell("RUNNING", here, f"{other.pid}@0"),  # another process had its number
            cell("RUNNING", here, process_mark(os.getpid())),  # by the basic launcher
            cell("RUNNING", "node7", process_mark(other.pid)),
        ]
        monkeypatch.setattr(launching.journals, "cells", lambda settings, parent: runs)
        with pytest.raises(KeyboardInterrupt):
            launching.launch(stop, SimpleNamespace(run_id="a"), SETTINGS, 5)  # type: ignore[arg-type]
        assert one.wait(10) == -15 and other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0
    assert capsys.readouterr().err == "warning: cells may still be running on node7\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("No running Ray\nat all"), "Hydra cannot run this: No running Ray; look"),
        (ConnectionRefusedError(111, "Connection refused"), r"Hydra cannot run this: .*refused; l"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write /.*: No space left on d"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "cannot write /x: Permission d"),
    ],
)
def test_what_keeps_hydra_from_beginning(
    error: OSError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise error

    monkeypatch.setattr("hydra.main", lambda **settings: lambda task: stop)
    with pytest.raises(SettingsError, match=said):
        app._hydra([], lambda config: None)
