"""The store: keys, hits, kills, locks, and what a full disk leaves."""

import errno
import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from segtrack.base import progress
from segtrack.base.errors import StageError
from segtrack.base.files import digest, file_digest, link_or_copy
from segtrack.base.metrics import Metric, MetricsFile, Report, read_metrics
from segtrack.store import calls as module
from segtrack.store.builders import waiting_for
from segtrack.store.store import StageCall, Store
from tests.store.elsewhere import living


def call(**changes: object) -> StageCall:
    values: dict[str, object] = {
        "name": "train",
        "version": 1,
        "settings": {"epochs": 3},
        "inputs": {"data": "abc"},
    }
    return StageCall(**{**values, **changes})  # type: ignore[arg-type]


def write_number(folder: Path, report: Report) -> None:
    (folder / "number.txt").write_text("7")
    report("train/loss", 0.5, 1)
    report("train/loss", 0.25, 2)


def test_a_result_is_built_once_and_replays_its_metrics(tmp_path: Path) -> None:
    store, heard = Store(tmp_path), []
    first = store.run(call(), write_number, heard.append)
    again = store.run(call(), lambda folder, report: pytest.fail("built twice"), heard.append)
    assert (first.hit, again.hit) == (False, True)
    assert again.folder == first.folder
    assert (again.folder / "number.txt").read_text() == "7"
    expected = [Metric("train/loss", 0.5, 1), Metric("train/loss", 0.25, 2)]
    assert heard == expected * 2
    assert not list((tmp_path / "partial").glob("*/*"))


def test_what_another_one_builds_is_not_waited_for(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def build(folder: Path, report: Report) -> None:
        assert Store(tmp_path).run_if_free(call(), write_number) is None
        write_number(folder, report)

    first = store.run_if_free(call(), build)
    again = store.run_if_free(call(), lambda folder, report: pytest.fail("built twice"))
    assert first is not None and again is not None
    assert (first.hit, again.hit, again.folder) == (False, True, first.folder)
    assert len(list(read_metrics(first.folder))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "predict"},
        {"version": 2},
        {"settings": {"epochs": 4}},
        {"inputs": {"data": "abd"}},
        {"libraries": ("numpy",)},
    ],
)
def test_everything_that_shapes_a_result_changes_its_key(changes: dict[str, object]) -> None:
    assert call(**changes).key != call().key


def test_the_key_does_not_depend_on_the_order_of_settings() -> None:
    assert call(settings={"a": 1, "b": 2}).key == call(settings={"b": 2, "a": 1}).key
    assert call(resumable=True).key == call().key


def _only(monkeypatch: pytest.MonkeyPatch, distribution: str, number: str) -> None:
    """From now on ``distribution`` alone is installed."""

    def version(name: str) -> str:
        if name != distribution:
            raise PackageNotFoundError(name)
        return number

    monkeypatch.setattr(module, "version", version)
    # What was looked up before counts no more, and what is looked up here counts nowhere else.
    monkeypatch.setattr(module, "_library_version", module._library_version.__wrapped__)


@pytest.mark.parametrize(
    "distribution",
    [
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ],
)
def test_every_build_of_opencv_is_opencv(
    monkeypatch: pytest.MonkeyPatch, distribution: str
) -> None:
    _only(monkeypatch, distribution, "4.12.0.88")
    of_opencv = call(libraries=("opencv-python",))
    assert of_opencv.describe()["libraries"] == {"opencv-python": "4.12.0.88"}


def test_a_library_that_is_not_installed_is_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "opencv-python", "4.12.0.88")
    with pytest.raises(PackageNotFoundError, match="lap"):
        call(libraries=("lap",)).describe()


def test_digests_are_sha256(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(file) == known
    assert digest([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(folder: Path, report: Report) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.run(call(), fail)
    assert store.find(call()) is None
    assert not list((tmp_path / "partial").glob("*/*"))


def test_a_resumable_stage_continues_in_its_folder_and_another_starts_afresh(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)

    def stop(folder: Path, report: Report) -> None:
        (folder / "epoch1").touch()
        report("train/loss", 0.5, 1)
        raise KeyboardInterrupt

    def go_on(folder: Path, report: Report) -> None:
        seen.append(sorted(p.name for p in folder.iterdir()))
        report("train/loss", 99.0, 1)  # reported before the stop: stays as it was
        report("train/loss", 0.25, 2)

    for resumable, expected in ((True, ["epoch1", "metrics.jsonl"]), (False, [])):
        seen: list[list[str]] = []
        one = call(name=f"r{resumable}", resumable=resumable)
        with pytest.raises(KeyboardInterrupt):
            store.run(one, stop)
        result = store.run(one, go_on)
        assert seen == [expected]
        losses = [m.value for m in read_metrics(result.folder)]
        assert losses == ([0.5, 0.25] if resumable else [99.0, 0.25])


def test_a_metrics_line_that_a_kill_cut_is_dropped(tmp_path: Path) -> None:
    MetricsFile(tmp_path)("a", 1.0, 1)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"name": "b", "val')
    MetricsFile(tmp_path)("c", float("nan"), 2)
    names = [(m.name, m.step) for m in read_metrics(tmp_path)]
    assert names == [("a", 1), ("c", 2)]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])["value"] is None


@pytest.mark.parametrize(
    "odd", [b"\xff\xfe", b"[1]", b"7", b'{"name": "b"}', b'{"name": "b", "value": "x", "step": 1}']
)
def test_metrics_end_where_a_line_is_none(odd: bytes, tmp_path: Path) -> None:
    MetricsFile(tmp_path)("a", 1.0, 1)
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(odd + b"\n")
    assert list(read_metrics(tmp_path)) == [Metric("a", 1.0, 1)]


def test_a_full_disk_is_said_with_the_stage_and_what_to_do(tmp_path: Path) -> None:
    def full(folder: Path, report: Report) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "weights.pt"))

    with pytest.raises(
        StageError, match=r"stage train: cannot write in .*weights.pt: No space left"
    ):
        Store(tmp_path).run(call(), full)
    assert not list((tmp_path / "partial").glob("*/*"))


def test_a_root_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StageError, match="store=FOLDER"):
        Store(tmp_path / "file").run(call(), write_number)


def _build_slowly(root: Path, log: Path) -> None:
    def build(folder: Path, report: Report) -> None:
        with log.open("a") as file:
            file.write("built\n")
        time.sleep(0.3)

    Store(root).run(call(), build)


def test_two_processes_build_a_result_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    workers = [context.Process(target=_build_slowly, args=(tmp_path / "s", log)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert log.read_text() == "built\n"


def _build_until(root: Path, end: Path) -> None:
    def build(folder: Path, report: Report) -> None:
        (root / "started").touch()
        while not end.exists():
            time.sleep(0.01)

    Store(root).run(call(), build)


def test_who_waits_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.05)
    monkeypatch.setattr(progress, "EVERY", 0.1)
    monkeypatch.setattr(progress, "TICK", 0.01)
    end = tmp_path / "end"
    with living(_build_until, tmp_path, end, mark=tmp_path / "started") as pid:
        threading.Timer(1, end.touch).start()
        result = Store(tmp_path).run(call(), lambda *_: pytest.fail("built twice"))
    assert result.hit
    said = set(capsys.readouterr().err.splitlines())
    assert f"wait for process {pid}, which builds train: 0 s so far" in said
    assert [path.suffix for path in (tmp_path / "locks").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("holder", "text"),
    [
        ("7 far", "wait for process 7 on far, which builds train:"),
        (f"7 {socket.gethostname()}", "wait for process 7, which builds train:"),
        ("", "wait for another process, which builds train:"),
        (f"{os.getpid()} {socket.gethostname()}", ""),
    ],
    ids=["far", "near", "unknown", "itself"],
)
def test_who_is_waited_for(holder: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.holder").write_text(holder)
    assert waiting_for(tmp_path / "a.holder", "train") == text


def _hang(root: Path) -> None:
    def build(folder: Path, report: Report) -> None:
        (folder / "half.txt").touch()
        (root / "started").touch()
        time.sleep(60)

    Store(root).run(call(), build)


def test_a_kill_leaves_no_result_and_no_lock(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_hang, args=(tmp_path,))
    worker.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    store = Store(tmp_path)
    assert store.find(call()) is None
    result = store.run(call(), write_number)
    assert sorted(p.name for p in result.folder.iterdir()) == [
        "metrics.jsonl",
        "number.txt",
        "stage.json",
    ]


def test_a_miss_is_explained_by_the_nearest_result(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.explain(call()) == "no result of this stage yet"
    store.run(call(), write_number)
    store.run(call(settings={"epochs": 9}, inputs={"data": "x"}), write_number)
    reason = store.explain(call(settings={"epochs": 4}))
    assert reason == "differs from the nearest result in settings.epochs: 3 -> 4"


def test_a_link_takes_no_space_and_replaces_what_was_there(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "sub" / "b"
    source.write_text("1")
    link_or_copy(source, target)
    link_or_copy(source, target)
    assert target.stat().st_ino == source.stat().st_ino
