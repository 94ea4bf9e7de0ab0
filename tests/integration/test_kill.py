"""A kill -9 in the middle of each stage, and the same command again."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segtrack.journal import Journal
from tests.integration.conftest import TINY, Outcome, Project

WORDS = [*TINY, "model.weights=shipped", "trainer.epochs=3"]
TRACKING = ["detect", "associate", "truth", "score", "render"]
STAGES = ["prepare", "train", "predict", "evaluate", *TRACKING]


def kill_in(project: Project, stage: str) -> None:
    done = project.module("tests.integration.killed", stage, *WORDS)
    assert done.code == -signal.SIGKILL, done.out + done.err


def test_a_kill_in_each_stage_costs_that_stage_only(
    tmp_path: Path, new_project: Callable[[Path], Project]
) -> None:
    project = new_project(tmp_path / "killed")
    finished: dict[str, float] = {}
    for stage in STAGES:
        kill_in(project, stage)
        results = {r.split("/")[0]: r for r in project.results()}
        assert sorted(results) == sorted(STAGES[: STAGES.index(stage)]), f"killed in {stage}"
        for name, result in results.items():
            created = _record(project, result)["created"]
            assert finished.setdefault(name, created) == created, f"{name} ran again"
    outcome = project.run(*WORDS)
    assert outcome.code == 0, outcome.err

    runs = project.runs()
    assert [run.info.status for run in runs] == ["KILLED"] * len(STAGES) + ["FINISHED"]
    assert runs[0].data.tags["error"] == "the process was killed"
    last = runs[-1]
    history = project.client.get_metric_history(last.info.run_id, "train/box_loss")
    assert [m.step for m in history] == [1, 2, 3]
    (training,) = (r for r in project.results() if r.startswith("train/"))
    _epoch_one_was_not_trained_again(project.folder / ".segtrack" / "results" / training)

    # An undisturbed run after the same training: everything else must be the same.
    other = new_project(tmp_path / "undisturbed")
    for result in project.results():
        if result.startswith(("prepare/", "train/")):
            source = project.folder / ".segtrack" / "results" / result
            shutil.copytree(source, other.folder / ".segtrack" / "results" / result, symlinks=True)
    assert other.run(*WORDS).code == 0
    (undisturbed,) = other.runs()
    assert _lasting(last.data.metrics) == _lasting(undisturbed.data.metrics)
    assert project.results() == other.results()
    assert _trajectories(project) == _trajectories(other)
    for stage in ("predict", "evaluate", *TRACKING):
        files = [_files(p, stage) for p in (project, other)]
        assert files[0] == files[1], stage


class Deaf:
    """Gets SIGTERM while it is removed, where Python drops the exception."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_a_library_swallows_ends_the_run(
    here: Callable[..., Outcome], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segtrack.model.ultralytics.detector import YoloDetector
    from segtrack.model.ultralytics.engine import Trainer

    words = [*TINY, "model.weights=shipped", "trainer.epochs=1"]
    interrupted = "interrupted; the same command continues where this one stopped"

    def swallow(self: Any, *values: Any) -> Any:
        Deaf()
        return batch(self, *values)

    batch = Trainer.preprocess_batch
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "preprocess_batch", swallow)
        outcome = here(*words, "stages=[prepare,train]")
    assert outcome.code == 130 and outcome.err.splitlines()[-1] == interrupted
    assert [r.split("/")[0] for r in project.results()] == ["prepare"]

    def convert(self: Any, *values: Any) -> Any:
        Deaf()
        raise ValueError("a callback failed")

    with monkeypatch.context() as patch:
        patch.setattr(YoloDetector, "predict", convert)
        outcome = here(*words, "stages=[prepare,evaluate]")
    assert outcome.code == 130 and outcome.err.splitlines()[-1] == interrupted
    assert [run.info.status for run in project.runs()] == ["KILLED", "KILLED"]
    assert {run.data.tags["error"] for run in project.runs()} == {"interrupted"}


def test_a_signal_while_a_cell_ends_ends_the_sweep(
    here: Callable[..., Outcome], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Journal.end

    def then_asked(self: Journal, status: str, message: str = "") -> None:
        signal.raise_signal(signal.SIGTERM)
        end(self, status, message)

    monkeypatch.setattr(Journal, "end", then_asked)
    words = [word for word in TINY if not word.startswith("dataset.val=")]
    outcome = here(*words, "stages=[prepare]", "-m", "dataset.val=2,3,4")
    assert outcome.code == 130
    parent, cell = project.runs()
    assert (parent.info.status, cell.info.status) == ("KILLED", "FINISHED")


def _record(project: Project, result: str) -> dict[str, Any]:
    path = project.folder / ".segtrack" / "results" / result / "stage.json"
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def _epoch_one_was_not_trained_again(folder: Path) -> None:
    rows = (folder / "results.csv").read_text().splitlines()
    assert [row.split(",")[0].strip() for row in rows[1:]] == ["1", "2", "3"]


def _lasting(metrics: dict[str, float]) -> dict[str, float]:
    """What does not depend on how fast the machine was or on what was built in this run."""
    return {k: v for k, v in metrics.items() if not k.startswith(("speed/", "builds/"))}


def _files(project: Project, stage: str) -> list[str]:
    (folder,) = (project.folder / ".segtrack" / "results" / stage).iterdir()
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _trajectories(project: Project) -> Any:
    path = sorted(project.folder.glob("outputs/*/*/tracking/*/results.json"))[-1]
    document = json.loads(path.read_text())
    return {key: value for key, value in document.items() if key != "run"}
