"""A stage of another package runs, is kept, planned and listed like those inside."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, TINY, Project

REMEMBERS = True
WORDS = [*TINY, "stages=[prepare,sizes]"]


def test_a_stage_from_outside_of_the_package(
    tmp_path: Path, new_project: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTRACK_PLUGINS", "tests.plugins.toy_stage")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    project = new_project(tmp_path)
    assert [line.split() for line in project.run(*WORDS, "plan=true").out.splitlines()] == [
        ["prepare", "build", "no", "result", "of", "this", "stage", "yet"],
        ["sizes", "after", "prepare"],
    ]
    outcome = project.run(*WORDS)
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    assert run.data.metrics["builds/sizes"] == 1
    assert "sizes/sizes.csv" in project.artifacts(run)
    (file,) = project.folder.glob(".segtrack/results/sizes/*/sizes.csv")
    with file.open() as text:
        rows = {row["class"]: row for row in csv.DictReader(text)}
    facts = json.loads(
        next(project.folder.glob(".segtrack/results/prepare/*/dataset.json")).read_text()
    )
    counted = {name: int(row["objects"]) for name, row in rows.items()}
    assert counted == {name: n for name, n in facts["classes"]["train"].items() if n}
    for name, row in rows.items():
        shown = float(row["mean area px2"])
        assert run.data.metrics[f"sizes/{name}"] == pytest.approx(shown, abs=0.05)
    again = project.run(*WORDS)
    assert "sizes      reused" in again.out
    listing = [sys.executable, "-m", "segtrack.store", "ls"]
    done = subprocess.run(listing, cwd=project.folder, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == ["prepare", "sizes"]
    misspelt = project.run(*TINY, "stages=[prepare,size]")
    assert misspelt.code == 2 and "there is no stage size; " in misspelt.err
    assert "did you mean sizes?" in misspelt.err
