"""The listing of the store."""

from pathlib import Path

import pytest

from segtrack.command import results
from segtrack.store.store import StageCall, Store


def test_results_are_listed_in_the_order_of_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    for name in ("associate", "forgotten", "train", "evaluate", "prepare"):
        store.run(StageCall(name, 1, {}, {}), lambda folder, report: None)
    monkeypatch.setattr("sys.argv", ["store", "--root", str(tmp_path), "ls"])
    assert results.main() == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines[:-1]]
    assert listed == ["prepare", "train", "evaluate", "associate", "forgotten"]
    assert lines[-1].endswith(f"MB in {tmp_path}")


def test_a_store_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["store", "--root", str(tmp_path / "none"), "ls"])
    assert results.main() == 2
    assert f"--root {tmp_path / 'none'}: no such folder" in capsys.readouterr().err
