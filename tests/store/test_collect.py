"""gc: what it removes, what living processes keep, and what a kill of it leaves."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from segtrack.base.metrics import Report
from segtrack.store import store as module
from segtrack.store.store import StageCall, Store
from tests.store.elsewhere import FORK, elsewhere, living

ONE, TWO = (StageCall("train", version, {}, {}) for version in (1, 2))


def make(folder: Path, report: Report) -> None:
    (folder / "weights").mkdir()
    (folder / "weights" / "best.pt").write_text("7")


def run(root: Path, *calls: StageCall) -> None:
    for call in calls:
        Store(root).run(call, make)


def folder_of(root: Path, call: StageCall) -> Path:
    return root / "results" / call.name / call.key


def age(folder: Path, days: float = 40) -> None:
    past = time.time() - days * 86400
    for path in (folder / "stage.json", folder):
        if path.exists():
            os.utime(path, (past, past))


def test_gc_removes_only_what_was_not_used_lately(tmp_path: Path) -> None:
    elsewhere(run, tmp_path, ONE, TWO)
    old = folder_of(tmp_path, ONE)
    age(old)
    assert Store(tmp_path).collect(days=30) == [old]
    assert [entry.key for entry in Store(tmp_path).entries()] == [TWO.key]
    assert not list((tmp_path / "trash").iterdir())


@pytest.mark.parametrize("how", ["built", "found"])
def test_what_a_living_process_uses_stays(how: str, tmp_path: Path) -> None:
    if how == "found":
        elsewhere(run, tmp_path, ONE)
    elsewhere(run, tmp_path, TWO)
    with living(run, tmp_path, ONE, mark=tmp_path / "mark"):
        for call in (ONE, TWO):
            age(folder_of(tmp_path, call))
        assert Store(tmp_path).collect(days=1) == [folder_of(tmp_path, TWO)]
        assert folder_of(tmp_path, ONE).exists()
    assert Store(tmp_path).collect(days=1) == [folder_of(tmp_path, ONE)]  # it was killed


def test_what_this_process_uses_stays(tmp_path: Path) -> None:
    run(tmp_path, ONE)
    assert Store(tmp_path).collect(days=0) == []
    elsewhere(Store(tmp_path).collect, 0)
    assert Store(tmp_path).find(ONE)


def test_remains_go_when_they_are_old(tmp_path: Path) -> None:
    attempt = tmp_path / "partial" / "train" / "abc"
    half = tmp_path / "results" / "train" / "half"
    for folder in (attempt, half):
        folder.mkdir(parents=True)
        (folder / "x").touch()
    (tmp_path / "results" / "train" / "file").touch()
    (tmp_path / "results" / "file").touch()
    assert Store(tmp_path).collect(days=1) == []
    age(attempt)
    assert Store(tmp_path).collect(days=1) == [attempt]
    time.sleep(0.02)
    assert Store(tmp_path).collect(days=0) == [half.with_name("file"), half]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock") == [
        "file",
        "in_use",
    ]


def test_a_killed_gc_leaves_whole_results_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops within the removal of the first file, when half of the folder is gone."""
    elsewhere(run, tmp_path, ONE)

    def stop(path: Path, **_: object) -> None:
        (path / "stage.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(module.shutil, "rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).collect(days=0)
    monkeypatch.undo()
    assert not folder_of(tmp_path, ONE).exists()
    assert len(list((tmp_path / "trash").iterdir())) == 1
    elsewhere(run, tmp_path, ONE)
    assert Store(tmp_path).collect(days=30) == []
    assert not list((tmp_path / "trash").iterdir()) and Store(tmp_path).find(ONE)


def _use_again_and_again(root: Path, rounds: int) -> None:
    """Each use in a process of its own, as commands are."""

    def use() -> None:
        result = Store(root).run(ONE, make)
        time.sleep(0.001)
        os._exit(0 if (result.folder / "weights" / "best.pt").read_text() == "7" else 1)

    for _ in range(rounds):
        worker = FORK.Process(target=use)
        worker.start()
        worker.join(30)
        assert worker.exitcode == 0


def test_a_result_never_goes_between_being_found_and_being_read(tmp_path: Path) -> None:
    """gc removes everything that it can, all the time."""
    # Forks of a process that holds gigabytes by now would take longer than what is looked at.
    small = multiprocessing.get_context("spawn")
    users = [small.Process(target=_use_again_and_again, args=(tmp_path, 40)) for _ in range(2)]
    for user in users:
        user.start()
    removed = 0
    while any(user.is_alive() for user in users):
        removed += len(Store(tmp_path).collect(days=-1))
    assert [user.exitcode for user in users] == [0, 0]
    assert removed > 0


def test_threads_of_one_process_share_their_uses(tmp_path: Path) -> None:
    threads = [threading.Thread(target=run, args=(tmp_path, ONE, TWO)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert Store(tmp_path).collect(days=0) == []


def test_a_store_that_can_only_be_read_serves_its_results(tmp_path: Path) -> None:
    elsewhere(run, tmp_path / "made", ONE)
    shutil.copytree(tmp_path / "made" / "results", tmp_path / "other" / "results")
    (tmp_path / "other" / "in_use").mkdir()  # root may write everywhere, but not in this
    assert Store(tmp_path / "other").find(ONE)
