"""Models of another package are trained, evaluated and tracked with, like those inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.conftest import ROOT, Project

SIZE = (96, 64)  # px, width and height
WORDS = [
    *("model=toy-bright", "dataset=yolo", "dataset.path=data", "dataset.workers=1"),
    *("trainer=smoke", "trainer.epochs=3", "model.weights=scratch", "video=v.avi"),
    *("evaluation.gallery=1", "stages=[prepare,train,evaluate,track]"),
]


def scene(x: int, y: int) -> np.ndarray:
    """A bright car of 24 x 16 px on a dark street."""
    image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    image[y : y + 16, x : x + 24] = 230
    return image


def draw(folder: Path) -> None:
    """A YOLO data set of seven images, and a video of ten frames in which the car drives."""
    places = {"train": [(8, 8), (40, 30), (60, 12)], "val": [(20, 20)], "test": [(5, 40), (50, 6)]}
    for split, corners in places.items():
        images, labels = folder / "data/images" / split, folder / "data/labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for i, (x, y) in enumerate(corners):
            cv2.imwrite(str(images / f"{split}{i}.png"), scene(x, y))
            outline = [(x, y), (x + 24, y), (x + 24, y + 16), (x, y + 16)]
            text = " ".join(f"{px / SIZE[0]:.6f} {py / SIZE[1]:.6f}" for px, py in outline)
            (labels / f"{split}{i}.txt").write_text(f"0 {text}\n")
    lines = [f"{split}: images/{split}" for split in places]
    (folder / "data/data.yaml").write_text("\n".join([*lines, "names: [car]\n"]))
    writer = cv2.VideoWriter(str(folder / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, SIZE)
    for t in range(10):
        writer.write(scene(5 + 5 * t, 20))
    writer.release()


def plan(project: Project, *words: str) -> dict[str, str]:
    """What a plan says of each stage: hit, build, ..."""
    outcome = project.run(*WORDS, *words, "plan=true")
    assert outcome.code == 0, outcome.err
    return {line.split()[0]: line.split()[1] for line in outcome.out.splitlines()}


def test_a_family_from_outside_of_the_package(
    tmp_path: Path, new_project: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTRACK_PLUGINS", "tests.plugins.toy_family")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    project = new_project(tmp_path)
    draw(project.folder)
    outcome = project.run(*WORDS, "model.trust=true")
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    assert run.data.tags["weights.trusted"] == "true"
    assert run.data.metrics["test/mask_map50"] == pytest.approx(1)
    assert run.data.metrics["test/mask_map50_95"] > 0.8
    assert run.data.metrics["track/tracks"] == 1
    losses = project.client.get_metric_history(run.info.run_id, "train/loss")
    assert [metric.step for metric in losses] == [1, 2, 3] and losses[-1].value < 1e-9
    assert (run.data.tags["weights.start"], run.data.tags["weights.origin"]) == (
        "scratch",
        "trained",
    )
    (file,) = project.folder.glob("outputs/*/*/tracking/v/results.json")
    results = json.loads(file.read_text())
    assert (results["model"]["name"], results["model"]["classes"]) == ("toy-bright", {"0": "car"})
    (track,) = results["tracks"]
    assert (track["class_name"], track["first_frame"], track["last_frame"]) == ("car", 0, 9)

    again = plan(project)
    assert (again["train"], again["predict"], again["detect"]) == ("hit", "hit", "hit")
    larger = plan(project, "model.min_pixels=9")
    assert (larger["train"], larger["predict"], larger["detect"]) == ("hit", "build", "build")
    assert plan(project, "trainer.lr0=0.5")["train"] == "hit"
    assert plan(project, "trainer.epochs=4")["train"] == "build"
    misspelt = project.run("model=toy-brigth", "plan=true")
    assert misspelt.code == 2 and "did you mean toy-bright?" in misspelt.err
