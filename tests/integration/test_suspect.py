"""stages=[suspect] as it is typed: planted errors come first, and a killed run goes on."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.conftest import ROOT, Outcome, Project

SIZE, SIDE = 96, 16  # px
PLACES = [(8, 8), (60, 12), (20, 60)]  # of three bright squares in each image
DATA = ["dataset=yolo", "dataset.path=data", "dataset.workers=1"]
WORDS = [
    *DATA,
    *("model=toy-bright", "model.weights=scratch", "trainer=smoke", "trainer.epochs=2"),
    *("stages=[prepare,suspect]", "suspect.folds=3", "suspect.gallery=4"),
]


def draw(folder: Path) -> None:
    """Twelve images of three squares, some of whose labels are wrong; names say what they are."""
    wrong = {2: "overlooked", 4: "badly_located", 6: "spurious", 8: "duplicate"}
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for i in range(12):
        image = np.full((SIZE, SIZE, 3), 40 + i, np.uint8)
        for x, y in PLACES:
            image[y : y + SIDE, x : x + SIDE] = 230
        stem = f"{i:02}_{wrong.get(i, 'right')}"
        cv2.imwrite(str(folder / "images" / f"{stem}.png"), image)
        labels = list(PLACES)
        if i == 2:
            labels.pop()
        if i == 4:
            labels[0] = (PLACES[0][0] + 8, PLACES[0][1])  # IoU 1/3
        if i == 6:
            labels.append((70, 70))
        if i == 8:
            labels.append((PLACES[1][0] + 1, PLACES[1][1] + 1))  # IoU .78
        rows = []
        for x, y in labels:
            corners = [(x, y), (x + SIDE, y), (x + SIDE, y + SIDE), (x, y + SIDE)]
            rows.append("0 " + " ".join(f"{a / SIZE:.6f} {b / SIZE:.6f}" for a, b in corners))
        (folder / "labels" / f"{stem}.txt").write_text("\n".join(rows) + "\n")
    (folder / "data.yaml").write_text("train: images\nval: images\nnames: [square]\n")


@pytest.fixture
def toy(
    tmp_path: Path, new_project: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.setenv("SEGTRACK_PLUGINS", "tests.plugins.toy_family")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    project = new_project(tmp_path)
    draw(project.folder / "data")
    return project


def test_planted_errors_come_first_and_a_run_goes_on_where_it_ended(toy: Project) -> None:
    plan = toy.run(*WORDS, "plan=true")
    assert {line.split()[0]: line.split()[1] for line in plan.out.splitlines()[:3]} == {
        "start": "given",
        "prepare": "build",
        "suspect": "after",
    }
    outcome = toy.run(*WORDS)
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("fold_train built") == outcome.out.count("fold_predict built") == 3
    (folder,) = toy.folder.glob(".segtrack/results/suspect/*/")
    with (folder / "suspects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = {row["kind"]: row for row in rows[:4]}
    assert set(wrong) == {"overlooked", "badly_located", "spurious", "duplicate"}
    for kind, row in wrong.items():
        assert kind in row["file_name"], "the planted one"
        assert float(row["suspicion"]) > 0.5
    # What is predicted beside the label that is badly located is overlooked to some degree too.
    assert max(float(row["suspicion"]) for row in rows[4:]) < 0.35
    assert max(float(row["suspicion"]) for row in rows if "right" in row["file_name"]) < 0.1
    assert wrong["overlooked"]["annotation_id"] == ""
    x1, y1 = (float(wrong["overlooked"][name]) for name in ("x1", "y1"))
    assert (x1, y1) == PLACES[2]
    assert float(wrong["badly_located"]["iou"]) == pytest.approx(1 / 3, abs=0.03)
    assert "nothing is labelled" in wrong["overlooked"]["reason"]
    with (folder / "images.csv").open(newline="") as file:
        images = list(csv.DictReader(file))
    assert len(images) == 12 and all("right" not in row["file_name"] for row in images[:4])
    assert [int(row["suspects"]) for row in images] == [1] * 4 + [0] * 8
    (run,) = toy.runs()
    numbers = {k: v for k, v in run.data.metrics.items() if k.startswith("suspect/")}
    assert numbers["suspect/suspects"] == numbers["suspect/suspect_images"] == 4
    assert numbers["suspect/labels"] == 37 and numbers["suspect/shown_share"] > 0.9
    assert numbers["suspect/fold_2/train/loss"] >= 0
    kept = toy.artifacts(run)
    assert {"suspect/suspects.csv", "suspect/gallery/sheet.jpg"} <= kept
    assert len([name for name in kept if name.startswith("suspect/gallery/00")]) == 4
    assert "4 objects in 4 images have a suspicion of 0.5 or more" in outcome.out

    # What a kill leaves: some folds are whole, others and what follows from them are not there.
    one = sorted(toy.folder.glob(".segtrack/results/fold_train/*"))[0]
    shutil.rmtree(one)
    shutil.rmtree(folder)
    again = toy.run(*WORDS)
    assert again.code == 0, again.err
    assert again.out.count("fold_train built") == 1 and again.out.count("fold_train reused") == 2
    assert again.out.count("fold_predict reused") == 3
    assert (folder / "suspects.csv").is_file()
    least = toy.run(*WORDS, "suspect.least=0.9")
    assert "fold_train built" not in least.out and "suspicion of 0.9 or more" in least.out


def test_what_cannot_judge_is_said_before_any_work(
    here: Callable[..., Outcome], project: Project
) -> None:
    draw(project.folder / "data")
    base = [*DATA, "stages=[prepare,suspect]"]
    cases = [
        (["suspect.folds=1"], "suspect.folds=1: one part leaves nothing to learn from"),
        (["suspect.splits=[train,tset]"], "suspect.splits=[train,tset]: must be a list of train"),
        (["suspect.folds=0"], "suspect.folds=0: the weights that judge have to be named"),
        (
            ["suspect.folds=0", "model.weights=shipped"],
            "suspect.folds=0: model.weights=shipped lack square",
        ),
        (["suspect.folds=13"], "equal files make 12 groups of 12 images, too few"),
        (
            ["dataset.group_by=_r", "suspect.folds=6"],
            "dataset.group_by=_r and equal files make 5 groups of 12 images, too few",
        ),
        (["suspect.splits=[pool]"], "the splits pool of the data set hold 0 images"),
    ]
    assert here(*DATA, "stages=[prepare]").code == 0
    for words, message in cases:
        outcome = here(*base, *words)
        assert outcome.code == 2 and message in outcome.err, (words, outcome.err)
    assert not any("fold_train" in name or "suspect" in name for name in project.results())
