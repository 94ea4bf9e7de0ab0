"""Multiruns: one training and one detection for all cells, a parent with a table, failures."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import TINY, Outcome, Project

WORDS = [*TINY, "model.weights=shipped", "trainer.imgsz=320", "model.imgsz=320"]
# Steps so small that the training leaves the shipped weights as good as they are.
GENTLE = ["trainer.lr0=1e-7", "dataset.width=480", "dataset.height=288", "dataset.density=1"]
Run = Callable[..., Outcome]


def test_a_sweep_over_a_threshold_trains_once_and_detects_once(here: Run, project: Project) -> None:
    outcome = here("-m", "tracker.track_thresh=0.2,0.4,0.6,0.8", *WORDS, *GENTLE)
    assert outcome.code == 0, outcome.err
    parent, *children = project.runs()
    assert parent.data.params["swept"] == '["tracker.track_thresh"]'
    assert [c.data.tags["mlflow.parentRunId"] for c in children] == [parent.info.run_id] * 4
    assert [c.info.status for c in [parent, *children]] == ["FINISHED"] * 5
    names = [c.info.run_name for c in children]
    assert names == [f"yolov8n-seg track_thresh={t}" for t in (0.2, 0.4, 0.6, 0.8)]
    for stage, count in (("train", 1), ("predict", 1), ("detect", 1), ("associate", 4)):
        assert sum(c.data.metrics[f"builds/{stage}"] for c in children) == count, stage
    assert [c.data.params["tracker.track_thresh"] for c in children] == ["0.2", "0.4", "0.6", "0.8"]
    documents = [_results(project, child) for child in children]
    assert [d["tracker"]["track_thresh"] for d in documents] == [0.2, 0.4, 0.6, 0.8]
    assert [d["run"]["mlflow_run_id"] for d in documents] == [c.info.run_id for c in children]
    assert len(documents[0]["objects"]) > len(documents[3]["objects"])
    assert not any("annotated.mp4" in name for c in children for name in project.artifacts(c))
    assert {"cells.csv", "cells.html"} <= project.artifacts(parent)


def test_seeds_give_mean_and_standard_deviation_and_the_objective_comes_back(
    here: Run, project: Project
) -> None:
    outcome = here(
        "-m",
        "seed=0,1,2",
        "trainer.lr0=0.01,0.05",
        *WORDS,
        "stages=[prepare,train,evaluate]",
        "trainer.imgsz=64",
        "objective=test/box_map50",
    )
    assert outcome.code == 0, outcome.err
    parent, *children = project.runs()
    assert len(children) == 6
    rows = _table(project, parent, "settings.csv")
    assert [row["trainer.lr0"] for row in rows] == ["0.01", "0.05"]
    for row in rows:
        values = [
            child.data.metrics["test/box_map50"]
            for child in children
            if child.data.params["trainer.lr0"] == row["trainer.lr0"]
        ]
        assert int(row["n"]) == 3
        assert math.isclose(float(row["test/box_map50"]), statistics.fmean(values))
        assert math.isclose(
            float(row["test/box_map50 std"]), statistics.stdev(values), abs_tol=1e-12
        )


def test_a_cell_that_fails_leaves_the_others_alone(here: Run, project: Project) -> None:
    missing = project.folder / "missing.mp4"
    outcome = here(
        "-m",
        f"video={missing},{project.folder / 'no.mp4'}",
        *WORDS,
        "stages=[prepare]",
    )
    assert outcome.code == 0  # prepare does not look at the video
    outcome = here("-m", f"video=null,{missing}", *WORDS, "stages=[prepare,train,track]")
    assert outcome.code == 1
    parent, good, bad = project.runs()[3:]
    assert [r.info.status for r in (parent, good, bad)] == ["FAILED", "FINISHED", "FAILED"]
    assert "missing.mp4" in bad.data.tags["error"]
    assert "missing.mp4" in outcome.err


def test_what_is_wrong_in_every_cell_is_said_before_the_first(here: Run, project: Project) -> None:
    missing = project.folder / "missing.mp4"
    words = ["stages=[track]", "model.weights=shipped"]
    outcome = here("-m", f"video={missing}", "tracker.track_thresh=0.4,0.5", *words)
    assert outcome.code == 2 and "missing.mp4: this video does not exist" in outcome.err
    outcome = here("-m", f"video={missing},{missing.with_name('no.mp4')}", *words)
    assert outcome.code == 2 and "missing.mp4" in outcome.err
    assert project.runs() == []
    assert not (project.folder / "multirun").exists() and not (project.folder / "outputs").exists()
    assert not (project.folder / ".segtrack").exists()


def test_a_bad_cell_is_found_before_the_first_one_starts(here: Run, project: Project) -> None:
    outcome = here("-m", "tracker.track_thresh=0.4,1.4", *WORDS)
    assert outcome.code == 2
    assert "tracker.track_thresh=1.4: must lie in 0 to 1" in outcome.err
    assert project.runs() == []


def test_the_objective_is_what_hydra_gets(
    here: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segtrack.command import app

    seen: list[float | None] = []
    original = app._hydra

    def spy(words: Any, task: Any) -> int:
        return original(words, lambda config: seen.append(task(config)) or seen[-1])

    monkeypatch.setattr(app, "_hydra", spy)
    words = [*WORDS, "stages=[prepare,train]", "trainer.imgsz=64"]
    assert here(*words, "objective=val/box_map50").code == 0
    (run,) = project.runs()
    assert seen == [run.data.metrics["val/box_map50"]]
    wrong = here(*words, "objective=val/box_map55")
    assert wrong.code == 2
    assert "objective=val/box_map55" in wrong.err and "val/box_map50" in wrong.err


def _results(project: Project, run: Any) -> dict[str, Any]:
    (name,) = (a for a in project.artifacts(run) if a.endswith("results.json"))
    root = project.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
    document: dict[str, Any] = json.loads((root / name).read_text())
    return document


def _table(project: Project, run: Any, name: str) -> list[dict[str, str]]:
    root = project.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
    return list(csv.DictReader(io.StringIO((root / name).read_text())))
