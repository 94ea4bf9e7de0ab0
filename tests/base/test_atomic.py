"""Files and folders that are whole or not there, also with two processes at them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from segtrack.base import atomic
from segtrack.base.atomic import (
    partial_name,
    replacing,
    settle,
    try_making,
    whole_file,
    whole_folder,
    write_whole,
)
from segtrack.base.errors import StageError
from segtrack.base.processes import stop_if_asked, stoppable


def test_a_folder_is_replaced_at_the_end_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "a"
    with whole_folder(folder) as partial:
        (partial / "x").write_text("1")
        assert not folder.exists()
    with pytest.raises(RuntimeError, match="broken"), whole_folder(folder) as partial:
        (partial / "x").write_text("2")
        raise RuntimeError("broken")
    assert [p.read_text() for p in folder.iterdir()] == ["1"]
    assert sorted(p.name for p in folder.parent.iterdir()) == [".a.lock", "a"]


def test_a_pipe_or_a_device_is_never_replaced(tmp_path: Path) -> None:
    """As root a rename takes the place of /dev/null."""
    pipe, link, partial = tmp_path / "pipe", tmp_path / "link", tmp_path / "partial"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    partial.touch()
    for path in (pipe, link):
        with pytest.raises(FileExistsError, match="device, pipe or socket"):
            settle(partial, path)
        with pytest.raises(FileExistsError), whole_file(path) as at:
            at.touch()
        with pytest.raises(StageError, match="device, pipe or socket"), replacing(path):
            pass
        with pytest.raises(FileExistsError), whole_folder(path):
            pass
    assert pipe.is_fifo()
    assert link.is_symlink()


@pytest.mark.parametrize("step", ["before", "between", "after"])
def test_a_kill_while_a_folder_is_replaced_leaves_the_old_one_or_the_new(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, done = tmp_path / "a", []
    with whole_folder(folder) as partial:
        (partial / "x").write_text("old")
    rename = Path.replace

    def killed(self: Path, target: Path) -> Path:
        done.append(step)
        if len(done) == {"before": 1, "between": 2, "after": 3}[step]:
            raise SystemExit
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(SystemExit), whole_folder(folder) as partial:
        (partial / "x").write_text("new")
        if step == "after":
            monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: killed(folder, folder))
    monkeypatch.undo()
    with pytest.raises(RuntimeError), whole_folder(folder):
        raise RuntimeError  # the next one finds a whole folder, and fails
    assert (folder / "x").read_text() == ("new" if step == "after" else "old")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a.lock", "a"]


@pytest.mark.parametrize("where", ["_write_out", "replace"])
def test_on_a_full_disk_the_old_folder_stays(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a"
    with whole_folder(folder) as partial:
        (partial / "x").write_text("old")
    rename = Path.replace

    def full(path: Path, target: Path = folder) -> Path:
        if where == "_write_out" or path.name == "a.partial":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return rename(path, target)

    monkeypatch.setattr(atomic if where == "_write_out" else Path, where, full)
    with pytest.raises(OSError, match="No space"), whole_folder(folder) as partial:
        (partial / "x").write_text("new")
    assert (folder / "x").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a.lock", "a"]


def test_a_second_writer_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, begun, seen = tmp_path / "a", threading.Event(), []

    def second() -> None:
        begun.set()
        with whole_folder(folder) as partial:
            seen.append((folder / "x").read_text())
            (partial / "x").write_text("second")

    thread = threading.Thread(target=second)
    with whole_folder(folder) as partial:
        thread.start()
        assert begun.wait(10)
        deadline = time.monotonic() + 10
        while "waiting for another process" not in capsys.readouterr().out:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # until it stands before the lock
        (partial / "x").write_text("first")
    thread.join(10)
    assert seen == ["first"]  # whole, when the second one's turn came
    assert (folder / "x").read_text() == "second"


def test_a_file_is_replaced_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with whole_file(path) as partial:
        assert partial == partial_name(path) == tmp_path / ".a.tar.partial.gz"
        partial.write_bytes(b"1")
        assert not path.exists()
    assert path.read_bytes() == b"1"
    with pytest.raises(RuntimeError, match="broken"), whole_file(path) as partial:
        partial.write_bytes(b"2")
        raise RuntimeError("broken")
    assert path.read_bytes() == b"1"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def test_text_is_utf_8_with_unix_lines(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "é\n")
    with replacing(tmp_path / "b.json") as file:
        file.write("é\n")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes() == b"\xc3\xa9\n"


def test_where_nothing_can_be_written_the_message_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path, told = tmp_path / "file" / "b", r"b: could not be written .*Make room or choose another"
    with pytest.raises(StageError, match=told), replacing(path):
        raise AssertionError("the block is not entered")
    with pytest.raises(OSError, match="Not a directory"):
        write_whole(tmp_path / "file" / "b", "")


@pytest.mark.parametrize("files", [2, 40])
def test_what_gets_its_name_lies_on_the_disk_already(
    files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file after the other, or the whole machine where they are many."""
    partial, final, done = tmp_path / "partial", tmp_path / "final", []
    (partial / "deep").mkdir(parents=True)
    for i in range(files):
        (partial / "deep" / str(i)).write_text(str(i))

    def note(what: str) -> None:
        done.append((what, final.exists()))

    monkeypatch.setattr(os, "sync", lambda: note("machine"))
    monkeypatch.setattr(os, "fsync", lambda _handle: note("one"))
    settle(partial, final)
    before = [what for what, there in done if not there]
    assert before == (["machine"] if files == 40 else ["one"] * 4)  # two files, two folders
    assert done[-1] == ("one", True)  # the folder that holds the name
    assert (final / "deep" / "1").read_text() == "1"
    assert not partial.exists()


def test_a_folder_that_has_something_is_not_replaced(tmp_path: Path) -> None:
    for name in ("partial", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    with pytest.raises(OSError, match="not empty"):
        settle(tmp_path / "partial", tmp_path / "final")
    assert (tmp_path / "final" / "x").read_text() == "final"


def test_trying_leaves_nothing_where_a_signal_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = atomic.mkdtemp

    def interrupted(**options: Any) -> str:
        made = real(**options)
        os.kill(os.getpid(), signal.SIGTERM)
        return made

    monkeypatch.setattr(atomic, "mkdtemp", interrupted)
    with pytest.raises(KeyboardInterrupt), stoppable():
        try_making(tmp_path)
        stop_if_asked()
    assert list(tmp_path.iterdir()) == []
