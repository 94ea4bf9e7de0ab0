"""The commands of experiments/labellerr_loop on a data set of a few images, up to the training."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labellerr_loopback import Delays, Emulator, start_emulator
from tests.dataset.conftest import YoloFolder, write_image
from tests.integration.conftest import ROOT, Outcome, Project


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "emulator", delays=Delays(0, 0, 0)) as running:
        yield running


def script(name: str, *words: str) -> int:
    """``python scripts/NAME WORDS``, in this process."""
    before = sys.argv
    sys.argv = [name, *words]
    try:
        return int(runpy.run_path(str(ROOT / "scripts" / name))["main"]())
    finally:
        sys.argv = before


def test_raw_images_are_annotated_and_the_held_out_ones_keep_their_labels(
    project: Project,
    here: Callable[..., Outcome],
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
) -> None:
    raw = YoloFolder(project.folder / "a", count=5)
    held = YoloFolder(project.folder / "b", count=4, names="[person, car]")
    for i in range(4):  # other pictures than those of the first folder
        write_image(held.image(i), 100 + i)
        held.image(i).rename(held.image(i).with_name(f"b{i}.jpg"))
        held.label(i).rename(held.label(i).with_name(f"b{i}.txt"))
    words = ["--raw", str(raw.root), "--labelled", str(held.root), "--pool", "3", "--out", "loop"]
    assert script("make_loop_folder.py", *words) == 0
    assert json.loads(capfd.readouterr().out) == {"raw": 5, "images/pool": 3, "images/test": 1}
    assert sorted(p.name for p in (project.folder / "loop" / "labels").rglob("*.txt")) == [
        f"b{i}.txt" for i in range(4)
    ]
    assert not list((project.folder / "loop" / "raw").rglob("*.txt"))
    assert script("make_loop_folder.py", *words) == 2  # what is there is not overwritten
    assert "File exists" in capfd.readouterr().err

    url = f"labellerr.url={emulator.url}"
    classes = "dataset.classes=[car,person]"
    outcome = here("stages=[push]", "dataset=images", "dataset.path=loop/raw", classes, url)
    assert outcome.code == 0, outcome.err
    made = project.runs()[-1].data.tags["labellerr.project"]
    shared = ["--url", emulator.url, "--project", made]
    assert script("annotate.py", *shared, "--labels", str(raw.root)) == 0
    done = json.loads(capfd.readouterr().out)
    assert (done["files"], done["added"]) == (5, 5)
    assert script("annotate.py", *shared, "--labels", str(held.root)) == 0
    assert json.loads(capfd.readouterr().out)["files"] == 0  # what somebody did stays

    words = ["dataset=labellerr", f"dataset.project_id={made}", "dataset.path=loop"]
    words += ["dataset.splits={train: 0.8, val: 0.2, test: 0, pool: 0}", url]
    outcome = here(*words, "stages=[prepare]")
    assert outcome.code == 0, outcome.err
    metrics = project.runs()[-1].data.metrics
    splits = ("train", "val", "test", "pool")
    assert [metrics[f"data/images/{s}"] for s in splits] == [4, 1, 1, 3]
    assert [metrics[f"data/annotations/{s}"] for s in splits] == [4, 1, 1, 3]
    (facts,) = [
        facts
        for p in project.folder.glob(".segtrack/results/prepare/*/dataset.json")
        if (facts := json.loads(p.read_text()))["counts"]["train"]
    ]
    # Class 0 is "car" in the one folder and "person" in the other.
    assert facts["classes"]["train"] == {"car": 4, "person": 0}
    assert facts["classes"]["test"] == {"car": 0, "person": 1}


def test_a_project_whose_images_have_no_labels_is_said(
    emulator: Emulator, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = YoloFolder(tmp_path / "a", count=2)
    shared = ["--url", emulator.url, "--labels", str(folder.root), "--project"]
    assert script("annotate.py", *shared, "nope") == 2
    assert "annotate.py: GET" in (said := capfd.readouterr().err) and "404" in said


def test_where_no_emulator_runs_one_line_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = YoloFolder(tmp_path / "a", count=2)
    words = ["--url", "http://127.0.0.1:9", "--labels", str(folder.root), "--project", "p"]
    assert script("annotate.py", *words) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("annotate.py")]
    assert len(said) == 1 and "no answer of an emulator" in said[0]


def test_a_wrong_override_of_a_study_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert script("collect_study.py", "run", str(tmp_path / "study"), "mlflow.foo=1") == 2
    assert "error: mlflow.foo=1: no such setting" in capfd.readouterr().err
    assert not (tmp_path / "study").exists()
