"""Multiruns: one training and one detection for all cells, a parent with a table, failures."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import TINY, Outcome, Project

REMEMBERS = True
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


def test_settings_are_compared_over_seeds_and_tested_on_images(here: Run, project: Project) -> None:
    words = [*WORDS, "stages=[prepare,train,evaluate]", "trainer.imgsz=64"]
    refused = here("-m", "trainer.lr0=0.01,0.05", *words, "objective=test/box_map50")
    assert refused.code == 2 and "choose by val/box_map50" in refused.err and not project.runs()
    outcome = here("-m", "seed=0,1", "trainer.lr0=0.01,0.05", *words, "objective=val/box_map50")
    assert outcome.code == 0, outcome.err
    parent, *children = project.runs()
    assert len(children) == 4
    rows = _table(project, parent, "settings.csv")
    assert [row["trainer.lr0"] for row in rows] == ["0.01", "0.05"]
    for row in rows:
        values = [
            child.data.metrics["val/best/box_map50_95"]
            for child in children
            if child.data.params["trainer.lr0"] == row["trainer.lr0"]
        ]
        name = "val/best/box_map50_95"
        assert int(row["n"]) == 2
        assert math.isclose(float(row[name]), statistics.fmean(values))
        assert math.isclose(float(row[f"{name} std"]), statistics.stdev(values), abs_tol=1e-12)
    printed = outcome.out[outcome.out.index("Mean and standard deviation (std) over seed") :]
    assert "val/best/mask_map50_95 std" in printed and "test/mask_map50_95" not in printed
    assert (
        "2 settings of 2 seeds each, chosen by validation images, measured on 3 test images\n"
        "the default is lr0=0.01"
    ) in printed
    assert [row["metric"] for row in _table(project, parent, "images/best.csv")] == [
        "mask_map50_95",
        "box_map50_95",
    ]
    compared = _table(project, parent, "images/comparison.csv")
    assert [row["setting"] for row in compared] == ["lr0=0.01", "lr0=0.05"]
    for row, mine in zip(compared, (children[0::2], children[1::2]), strict=True):
        values = [100 * child.data.metrics["test/mask_map50_95"] for child in mine]
        assert math.isclose(float(row["mask_map50_95 %"]), statistics.fmean(values), abs_tol=1e-4)
    assert "figures/differences_mask_map50_95.png" in project.artifacts(parent)


def test_a_sweep_over_seeds_alone_is_a_study_of_noise(here: Run, project: Project) -> None:
    outcome = here(
        "-m", "seed=0,1,2", *_sequences(project.folder, tuning="ABC", test="DEF"), "stages=[track]"
    )
    assert outcome.code == 0, outcome.err
    assert "3 cells that differ in seed alone: how far scores spread by chance" in outcome.out
    assert "best" not in outcome.out.replace("None of them is better", "")
    parent, *children = project.runs()
    rows = {row["metric"]: row for row in _table(project, parent, "noise.csv")}
    hota = children[0].data.metrics["track/tuning/hota"]
    assert float(rows["track/tuning/hota"]["mean"]) == pytest.approx(hota)
    assert float(rows["track/tuning/hota"]["SD"]) == pytest.approx(0, abs=1e-12)
    assert not project.artifacts(parent) & {"best.csv", "comparison.csv", "outcome.txt"}


def test_the_chosen_setting_makes_its_claim_on_test_sequences(here: Run, project: Project) -> None:
    where = _sequences(project.folder, tuning="ABC", test="DEF")
    words = ["stages=[track]", "tracker.track_thresh=0.3,0.5,0.8", "mlflow.run_name=mine"]
    outcome = here("-m", *where, *words)
    assert outcome.code == 0, outcome.err
    parent, *children = project.runs()
    names = [run.info.run_name for run in (parent, *children)]
    assert names == ["mine", *(f"mine track_thresh={value}" for value in (0.3, 0.5, 0.8))]
    table, _, said = outcome.out.partition("3 settings, chosen by 3 tuning sequences, ")
    table = table[table.rindex("status") :]
    assert "track/tuning/hota" in table and "track/test" not in table and "track/hota" not in table
    lines = said.splitlines()
    assert lines[:2] == ["measured on 3 test sequences", "the default is track_thresh=0.5"]
    assert [line.split()[0] for line in lines[5:8]] == ["D", "E", "F"]  # few: one by one first
    best = {row["metric"]: row for row in _table(project, parent, "best.csv")}
    by_tuning = max(children, key=lambda run: run.data.metrics["track/tuning/mota"])
    thresh = by_tuning.data.params["tracker.track_thresh"]
    assert best["MOTA"]["setting"] == f"track_thresh={thresh}"
    for column, metric in (("test sequences %", "track/test"), ("tuning %", "track/tuning")):
        score = 100 * by_tuning.data.metrics[f"{metric}/mota"]
        assert float(best["MOTA"][column]) == pytest.approx(score, abs=1e-4), column
    assert thresh == "0.3" and by_tuning.data.metrics["track/test/mota"] == pytest.approx(1)
    note = parent.data.tags["mlflow.note.content"]
    sentence = next(line for line in lines if line.startswith("track_thresh=0.3 "))
    assert note.startswith("3 settings, chosen by 3 tuning sequences, measured on 3 test sequences")
    assert f"- {sentence}." in note and "| track_thresh=0.5 (reference) | " in note
    assert (
        f"(get-artifact?path=figures%2Fdifferences_hota.png&run_uuid={parent.info.run_id})" in note
    )
    assert "figures/differences_hota.png" in project.artifacts(parent)
    assert here("report", "mine", "--to", "md").code == 0
    (report,) = (project.folder / "outputs" / "reports").glob("mine-*/report.md")
    assert f"- {sentence}." in report.read_text()
    refused = here("-m", *where, "stages=[track]", "seed=0,1", "objective=track/test/hota")
    assert refused.code == 2 and "choose by track/tuning/hota" in refused.err


def test_without_test_sequences_nothing_tests_the_choice(here: Run, project: Project) -> None:
    where = _sequences(project.folder, tuning="ABCDEF", test="")
    outcome = here("-m", *where, "stages=[track]", "tracker.track_thresh=0.3,0.8")
    assert outcome.code == 0, outcome.err
    assert "2 settings, measured on 6 tuning sequences" in outcome.out
    assert "none of them is the default; compared with the first, track_thresh=0.3" in outcome.out
    assert "nothing tests the choice" in outcome.out


def test_a_cell_that_fails_leaves_the_others_alone(here: Run, project: Project) -> None:
    missing = project.folder / "missing.mp4"
    outcome = here(
        "-m",
        f"video={missing},{project.folder / 'no.mp4'}",
        *WORDS,
        "stages=[prepare]",
    )
    assert outcome.code == 0  # prepare does not look at the video
    words = [*TINY, "model.weights=shipped", "stages=[prepare,train,track]"]
    outcome = here("-m", f"video=null,{missing}", *words)
    assert outcome.code == 1
    parent, good, bad = project.runs()[3:]
    assert [r.info.status for r in (parent, good, bad)] == ["FAILED", "FINISHED", "FAILED"]
    assert "missing.mp4" in bad.data.tags["error"]
    assert "missing.mp4" in outcome.err
    said = bad.data.tags["error"].splitlines()[0]
    assert f"\nFAILED  video={missing}: {said}\n" in outcome.out


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


def _sequences(folder: Path, tuning: str, test: str) -> list[str]:
    """Three people who walk, of whom one is found with a low score; words of the command."""
    for shift, name in enumerate(dict.fromkeys([*tuning, *test])):
        rows: dict[str, list[str]] = {"gt": [], "det": []}
        for frame in range(1, 21):
            for i, score in enumerate((0.9, 0.85, 0.45)):
                box = f"{20 + 150 * i + (2 + shift) * frame},{40 + shift},40,90"
                rows["gt"].append(f"{frame},{i + 1},{box},1,1,1\n")
                rows["det"].append(f"{frame},-1,{box},{score}\n")
        for kind, lines in rows.items():
            (folder / "seq" / name / kind).mkdir(parents=True, exist_ok=True)
            (folder / "seq" / name / kind / f"{kind}.txt").write_text("".join(lines))
        info = "[Sequence]\nframeRate=25\nseqLength=20\nimWidth=640\nimHeight=240\n"
        (folder / "seq" / name / "seqinfo.ini").write_text(info)
    roles = [f"dataset.tuning=[{','.join(tuning)}]", f"dataset.test=[{','.join(test)}]"]
    return ["dataset=sequences", f"dataset.path={folder / 'seq'}", *roles]


def _results(project: Project, run: Any) -> dict[str, Any]:
    (name,) = (a for a in project.artifacts(run) if a.endswith("results.json"))
    root = project.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
    document: dict[str, Any] = json.loads((root / name).read_text())
    return document


def _table(project: Project, run: Any, name: str) -> list[dict[str, str]]:
    root = project.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
    return list(csv.DictReader(io.StringIO((root / name).read_text())))
