"""Objects in pictures that nobody labelled, from the command to the pages."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from segtrack.runs import KeptRun, find
from segtrack.settings import MlflowSettings
from segtrack.view.image_pages import pictures_of
from tests.integration.conftest import Outcome, Project
from tests.model.conftest import make_tiny_weights

Run = Callable[..., Outcome]
NAMES = ("car", "truck", "traffic light")
SIZES = {"a.png": (96, 64), "below/b.png": (64, 64)}


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """Pictures of noise, and weights whose every guess is taken."""
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    noise = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        Image.fromarray(noise.integers(0, 255, (height, width, 3), np.uint8)).save(photos / name)
    weights = make_tiny_weights(tmp_path / "tiny.pt", NAMES)
    return (
        *("stages=[segment]", "dataset=images", f"dataset.path={photos}", "dataset.workers=1"),
        *(f"model.weights={weights.path}", "model.max_det=5", "model.imgsz=64"),
        *("evaluation.conf_floor=0.0001", "evaluation.confusion_conf=0.0001"),
    )


def test_every_object_of_every_picture(here: Run, project: Project, words: tuple[str, ...]) -> None:
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    (folder,) = (project.folder / "outputs").rglob("segment")
    document = json.loads((folder / "coco.json").read_text())
    assert [one["name"] for one in document["categories"]] == list(NAMES)
    sizes = {one["file_name"]: (one["width"], one["height"]) for one in document["images"]}
    assert sizes == {Path(name).name: size for name, size in SIZES.items()}
    counts = Counter(one["image_id"] for one in document["annotations"])
    assert set(counts) == {1, 2}, "the network guesses something everywhere"
    with (folder / "objects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for one, row in zip(document["annotations"], rows, strict=True):
        assert one["area"] == int(coco.area(one["segmentation"])) == int(row["mask_px"])
        assert NAMES[one["category_id"] - 1] == row["class_name"]
        assert one["score"] == float(row["score"])
        x, y, w, h = one["bbox"]
        box = [float(row[side]) for side in ("x1", "y1", "x2", "y2")]
        assert box == pytest.approx([x, y, x + w, y + h], abs=0.01)
    (run,) = project.runs()
    assert (run.data.metrics["segment/images"], run.data.metrics["segment/objects"]) == (
        2,
        len(rows),
    )
    assert {"segment/coco.json", "segment/objects.csv"} <= project.artifacts(run)

    again = here(*words)
    assert "segment    reused" in again.out
    settings = MlflowSettings(uri=f"sqlite:///{project.folder / 'mlruns' / 'mlflow.db'}")
    (kept,) = find(settings, [], project.folder)  # of all runs that found something, the newest
    assert isinstance(kept, KeptRun)
    pictures = pictures_of(kept)
    assert (pictures.split, pictures.names, pictures.plain) == ("pool", NAMES, True)
    assert {one.row.file_name: one.objects for one in pictures.facts([0, 1])} == {
        "a.png": counts[1],
        "below/b.png": counts[2],
    }
    shapes = pictures.shapes([0, 1])
    assert [len(one) for one in shapes.values()] == [counts[1], counts[2]]
    assert {shape.state for one in shapes.values() for shape in one} == {"plain"}


def test_only_what_is_asked_for(here: Run, project: Project, words: tuple[str, ...]) -> None:
    outcome = here(*words, "dataset.classes=[car,unicorn]")
    assert outcome.code == 0, outcome.err
    assert "the weights have no class unicorn" in outcome.out
    (path,) = (project.folder / "outputs").rglob("segment/coco.json")
    document = json.loads(path.read_text())
    assert [one["name"] for one in document["categories"]] == ["car", "unicorn"]
    assert {one["category_id"] for one in document["annotations"]} <= {1}


def test_no_picture(here: Run, project: Project, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    outcome = here(*words, f"dataset.path={tmp_path / 'empty'}")
    assert outcome.code == 2 and str(tmp_path / "empty") in outcome.err


def test_weights_that_cannot_be_had(
    here: Run, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from segtrack.model.ultralytics import weights

    monkeypatch.setattr(weights, "download_weights", lambda name: (None, "no internet"))
    others = [word for word in words if not word.startswith("model.weights=")]
    outcome = here(*others, "model=yolov8s-seg", "model.weights=auto")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert outcome.err.startswith("error: model=yolov8s-seg has no weights to predict with (model.")
    assert "no internet): put yolov8s-seg.pt into a folder" in outcome.err
