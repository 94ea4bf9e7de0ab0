"""kill -9 of the command in the middle of a push, a review and a pull; the same command again."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labellerr_loopback import ask
from tests.integration.conftest import TINY, Project
from tests.integration.loopback import raw_images, there, with_predictions_of

SIM = [*TINY, "dataset.train=1", "dataset.val=1", "dataset.test=1", "dataset.video_count=0"]
SIM += ["dataset.pool=4", "model.imgsz=192", "model.weights=shipped"]
# The SDK numbers its calls itself, so that no platform can tell a repeated one from a new one.
SIM.append("labellerr.transport=http")
FILES, WORKERS = 150, 4


@dataclass(frozen=True)
class Other:
    """An emulator in a process of its own, with its state in ``folder``."""

    url: str
    folder: Path

    def fault(self, kind: str, **options: Any) -> None:
        fault = {"kind": kind, **options}
        ask("POST", f"{self.url}/_emulator/faults", json=fault)

    def clear(self) -> None:
        ask("DELETE", f"{self.url}/_emulator/faults")

    def calls(self, name: str) -> int:
        """How often a call came since the start."""
        return int(ask("GET", f"{self.url}/_emulator/calls").get(name, 0))


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    folder = tmp_path / "other"
    command = [sys.executable, "-m", "labellerr_loopback", "--port", "0", "--polls", "0"]
    command += ["--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert match is not None
            yield Other(match[0], folder)
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "API_SECRET", "CLIENT_ID"):
        monkeypatch.delenv(f"LABELLERR_{name}", raising=False)


@pytest.fixture(scope="module")
def reference(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> Project:
    """A review that nothing disturbed."""
    project = new_project(tmp_path_factory.mktemp("reference"))
    outcome = project.run(*SIM, "stages=[prepare,review,pull]")
    assert outcome.code == 0, outcome.err
    return project


@pytest.fixture
def predicted(reference: Project, project: Project) -> Project:
    """A project whose store has the data set and the predictions of ``reference``, no more."""
    return with_predictions_of(reference, project)


def kill(project: Project, words: list[str], seen: Callable[[], object]) -> None:
    """Begin the command and kill it (SIGKILL) as soon as ``seen``, which may ask a database that is
    not there yet."""
    with project.start(*words, merged=True) as process:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None, process.out
            assert time.monotonic() < until
            try:
                if seen():
                    break
            except sqlite3.OperationalError:
                pass
            time.sleep(0.02)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def finish(project: Project, words: list[str], killed: int) -> str:
    """Give the command once more, to its end; returns what it printed."""
    outcome = project.run(*words)
    said = [line for line in outcome.err.splitlines() if " gives way to " not in line]
    assert (outcome.code, said) == (0, []), outcome.out + outcome.err
    runs = project.runs()
    assert [run.info.status for run in runs] == [*["KILLED"] * killed, "FINISHED"]
    assert {run.data.tags["error"] for run in runs[:-1]} == {"the process was killed"}
    left = (project.folder / ".segtrack").rglob("*.partial")
    assert not list(left) and not list(project.folder.glob(".segtrack/partial/*/*"))
    return outcome.out


def push(tmp_path: Path, *more: str) -> list[str]:
    folder = raw_images(tmp_path / "raw", [f"raw-{i:03}.jpg" for i in range(FILES)])
    words = ["stages=[prepare,push]", "dataset=yolo", f'dataset.path="{folder}"']
    return [*words, f"labellerr.workers={WORKERS}", *more]


def test_a_push_that_is_killed_again_and_again(
    project: Project, other: Other, tmp_path: Path
) -> None:
    """While files are sent; then while the data set is made, and the project, whose answers do not
    come back before the end."""
    words = push(tmp_path, f"labellerr.url={other.url}", "labellerr.name=raw")
    kill(project, words, lambda: there(other.folder, "raw").puts >= FILES // 3)
    time.sleep(0.5)  # what was on its way arrives
    before = there(other.folder, "raw")
    assert FILES // 3 <= before.puts < FILES and before.datasets == []
    other.fault("cut", path="datasets/create", done=True, times=-1)
    kill(project, words, lambda: there(other.folder, "raw").datasets)
    other.clear()
    other.fault("cut", path="projects/create", done=True, times=-1)
    kill(project, words, lambda: there(other.folder, "raw").projects)
    other.clear()
    out = finish(project, words, killed=3)
    assert f"{FILES} files, 0 sent now" in out
    found = there(other.folder, "raw")
    assert found.datasets == [300] and len(found.files) == found.attached == FILES
    assert (len(found.projects), found.templates) == (1, 1)
    # Those that were on their way when it died may have arrived without being noted.
    assert found.puts <= FILES + WORKERS


def test_a_push_to_the_runs_own_emulator_that_is_killed_with_it(
    project: Project, tmp_path: Path
) -> None:
    words, state = push(tmp_path), project.folder / ".segtrack" / "labellerr" / "emulator"
    kill(project, words, lambda: there(state, "raw").puts >= FILES // 3)
    before = there(state, "raw").puts
    assert FILES // 3 <= before < FILES
    out = finish(project, words, killed=1)
    sent = re.search(rf"{FILES} files, (\d+) sent now", out)
    assert sent is not None
    assert FILES - before <= int(sent[1]) <= FILES - before + WORKERS
    found = there(state, "segtrack raw")
    assert found.datasets == [300] and len(found.files) == found.attached == FILES
    assert (len(found.projects), found.templates) == (1, 1)
    assert there(state, "raw").puts == before + int(sent[1])


def test_ctrl_c_does_not_wait_for_a_storage_that_does_not_answer(
    project: Project, other: Other, tmp_path: Path
) -> None:
    words = push(tmp_path, f"labellerr.url={other.url}", "labellerr.name=raw")
    other.fault("delay", path="storage/session", seconds=100, nth=9, times=-1)
    with project.start(*words) as process:
        until = time.monotonic() + 120
        while other.calls("PUT /storage/session/{id}") < 8 + WORKERS:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=50)  # half of what a file takes
    assert process.returncode == 130
    assert err == "interrupted; the same command continues where this one stopped\n"
    (run,) = project.runs()
    assert (run.info.status, run.data.tags["error"]) == ("KILLED", "interrupted")
    other.clear()
    outcome = project.run(*words)
    assert outcome.code == 0 and f"{FILES} files, {FILES - 8} sent now" in outcome.out


def test_a_review_and_a_pull_that_are_killed(
    predicted: Project, reference: Project, other: Other
) -> None:
    """After the images were sent; while a job is made whose answer does not come back; while the
    reviewed labels are downloaded."""
    words = [*SIM, f"labellerr.url={other.url}", "labellerr.name=loop"]
    words.append("stages=[prepare,review,pull]")
    other.fault("delay", path="search/project_files", seconds=60, times=-1)
    kill(predicted, words, lambda: other.calls("POST /search/project_files"))
    assert (there(other.folder, "loop").attached, there(other.folder, "loop").jobs) == (4, [])
    other.clear()
    other.fault("cut", path="upload_answers$", done=True, times=-1)
    kill(predicted, words, lambda: there(other.folder, "loop").jobs)
    assert len(there(other.folder, "loop").jobs) == 1
    other.clear()
    other.fault("delay", path="storage/exports", seconds=60, times=-1)
    kill(predicted, words, lambda: other.calls("GET /storage/exports/{id}"))
    scratch = predicted.folder / ".segtrack" / "labellerr"
    assert sorted(p.suffix for p in (scratch / "pulls").iterdir()) == [".lock", ".partial"]
    other.clear()
    finish(predicted, words, killed=3)
    same_as(reference, predicted, other.folder, "loop")


def test_a_review_that_is_killed_with_the_runs_own_emulator(
    predicted: Project, reference: Project
) -> None:
    words = [*SIM, "stages=[prepare,review,pull]"]
    state = predicted.folder / ".segtrack" / "labellerr" / "emulator"
    kill(predicted, words, lambda: there(state, "segtrack").jobs)
    finish(predicted, words, killed=1)
    same_as(reference, predicted, state, "segtrack")


def same_as(reference: Project, project: Project, state: Path, name: str) -> None:
    """Nothing is there twice, and numbers and labels are those of an undisturbed run."""
    expected = there(reference.folder / ".segtrack" / "labellerr" / "emulator", "segtrack")
    found = there(state, name)
    for key in ("datasets", "files", "templates", "jobs", "attached"):
        assert getattr(found, key) == getattr(expected, key), key
    assert len(found.projects) == len(expected.projects) == 1
    (undisturbed,), last = reference.runs(), project.runs()[-1]
    numbers = [
        {k: v for k, v in run.data.metrics.items() if k.startswith("review/")}
        for run in (undisturbed, last)
    ]
    assert numbers[0] == numbers[1] and len(numbers[0]) > 10
    versions = [run.data.tags["dataset.next_version"] for run in (undisturbed, last)]
    assert versions[0] == versions[1]
    labels = [
        (p.folder / ".segtrack" / "reviewed" / versions[0] / "labels.coco.json").read_bytes()
        for p in (reference, project)
    ]
    assert labels[0] == labels[1]
