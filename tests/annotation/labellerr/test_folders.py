"""Folders that are whole or not there, also with two processes at them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from segtrack.annotation.labellerr.folders import whole


def test_a_folder_is_replaced_at_the_end_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "a"
    with whole(folder) as partial:
        (partial / "x").write_text("1")
        assert not folder.exists()
    with pytest.raises(RuntimeError, match="broken"), whole(folder) as partial:
        (partial / "x").write_text("2")
        raise RuntimeError("broken")
    assert [p.read_text() for p in folder.iterdir()] == ["1"]
    assert sorted(p.name for p in folder.parent.iterdir()) == [".a.lock", "a"]


def test_a_second_writer_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, begun, seen = tmp_path / "a", threading.Event(), []

    def second() -> None:
        begun.set()
        with whole(folder) as partial:
            seen.append((folder / "x").read_text())
            (partial / "x").write_text("second")

    thread = threading.Thread(target=second)
    with whole(folder) as partial:
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
