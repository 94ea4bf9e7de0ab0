"""A tracker and a data source of other packages run like those inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, TINY, Project

REMEMBERS = True
PLUGINS = "tests.plugins.toy_tracker,tests.plugins.toy_source"


@pytest.fixture
def project(
    tmp_path: Path, new_project: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.setenv("SEGTRACK_PLUGINS", PLUGINS)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    return new_project(tmp_path / "project")


def test_a_tracker_from_outside_of_the_package(project: Project) -> None:
    words = [*TINY, "stages=[prepare,track]", "tracker=toy", "model.weights=shipped"]
    outcome = project.run(*words, "tracker.reach=40", "render.enabled=false")
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    assert run.data.params["tracker.reach"] == "40"
    assert run.data.tags["choice.tracker"] == "toy"
    (file,) = project.folder.glob("outputs/*/*/tracking/*/results.json")
    written = json.loads(file.read_text())
    assert written["tracker"]["name"] == "toy" and written["tracker"]["reach"] == 40
    assert "track/hota" in run.data.metrics
    again = project.run(*words, "tracker.reach=40", "plan=true").out
    stages = {line.split()[0]: line.split()[1] for line in again.splitlines()}
    assert stages["associate"] == stages["score"] == "hit"
    changed = project.run(*words, "tracker.reach=10", "plan=true").out
    stages = {line.split()[0]: line.split()[1] for line in changed.splitlines()}
    assert (stages["detect"], stages["associate"]) == ("hit", "build")
    wrong = project.run(*words, "tracker.reach=-1")
    assert wrong.code == 2
    assert "tracker.reach=-1.0: must lie in 0 to 10000 px" in wrong.err
    listed = project.run("tracker=toy", "--help").out
    assert "tracker.reach=50" in listed and "begins a new one" in listed


def test_a_source_from_outside_of_the_package(project: Project) -> None:
    words = ["dataset=toy", "dataset.workers=1", "stages=[prepare]"]
    outcome = project.run(*words, "dataset.count=20")
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    assert run.data.tags["choice.dataset"] == "toy"
    shares = {split: run.data.metrics[f"data/images/{split}"] for split in ("train", "val", "test")}
    assert sum(shares.values()) == 20 and shares["train"] == 14
    facts = next(project.folder.glob(".segtrack/results/prepare/*/dataset.json"))
    counted = json.loads(facts.read_text())["classes"]
    assert sum(counted[split]["bright"] for split in counted) == 10
    assert project.run(*words, "dataset.count=20", "plan=true").out.split()[1] == "hit"
    assert project.run(*words, "dataset.count=21", "plan=true").out.split()[1] == "build"
    wrong = project.run(*words, "dataset.count=0", "dataset.cuont=3")
    assert wrong.code == 2 and "must lie in 1 to 1000 images" in wrong.err
    assert "dataset.cuont=3: no such setting; did you mean dataset.count?" in wrong.err


def test_a_plugin_that_is_not_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGTRACK_PLUGINS", "tests.plugins.toy_traker")
    outcome = project.run("--cfg", "job")
    assert outcome.code == 2
    assert "SEGTRACK_PLUGINS=tests.plugins.toy_traker" in outcome.err
    assert "lies in this folder or on PYTHONPATH" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_plugin_beside_the_work(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("SEGTRACK_PLUGINS", "mine")
    text = (ROOT / "tests" / "plugins" / "toy_tracker.py").read_text()
    (project.folder / "mine.py").write_text(text)
    assert "reach: 50.0" in project.run("tracker=toy", "--cfg", "job").out
