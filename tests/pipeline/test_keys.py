"""What enters the keys of segtrack's own stages, and what does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.model import Weights
from segtrack.pipeline import STAGES, Planner, Recipe, Result
from segtrack.pipeline.walk import Asking
from segtrack.store.store import Store

WEIGHTS = Weights(Path("w.pt"), "abc", "path", ("car",), 640)
DATASET: Any = SimpleNamespace(
    names=("car",),
    class_map={},
    counts={"train": 1, "val": 1, "test": 1},
    split_fingerprint=lambda split: f"print of {split}",
    iter_images=lambda split: [],
)
THERE = {"start": WEIGHTS, "weights": WEIGHTS}


def key(root: Path, name: str, *words: str, of: dict[str, Any] | None = None) -> str:
    """The key of a stage under these settings; what comes before it is taken for granted."""
    stage = STAGES.get(name)
    planner = Planner(compose_settings(CONF, words), Store(root))
    for other, value in THERE.items():
        planner._made[(other,)] = Result(value)
    if name != "prepare":
        planner._made[("prepare",)] = Result(DATASET)
    recipe = stage.make(Asking(planner, stage, name), **(of or {}))
    assert isinstance(recipe, Recipe)
    return planner.find(stage, recipe)[0].key


@pytest.mark.parametrize(
    "words",
    [
        ["dataset.starting_weights=shipped"],
        ["dataset.sources=others.md"],
        ["dataset.workers=3"],
        ["device=cpu", "trainer.epochs=9", "model.imgsz=320", "tracker=botsort"],
        ["dataset.video_count=0", "dataset.video_seconds=99"],
        ["dataset.video_count=0", "dataset.fps=5", "dataset.shake=0"],
    ],
)
def test_what_does_not_shape_a_data_set_is_not_in_its_key(tmp_path: Path, words: list[str]) -> None:
    without = [word for word in words if word.endswith("count=0")]
    assert key(tmp_path, "prepare", *words) == key(tmp_path, "prepare", *without)


@pytest.mark.parametrize(
    "word", ["seed=1", "dataset.train=9", "dataset.video_seconds=99", "dataset.light=day"]
)
def test_what_shapes_a_data_set_is_in_its_key(tmp_path: Path, word: str) -> None:
    assert key(tmp_path, "prepare", word) != key(tmp_path, "prepare")


def test_a_data_set_counts_by_its_content_not_by_its_place(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "images").mkdir(parents=True)
    (first / "images" / "0.jpg").write_bytes(b"picture")
    (first / "data.yaml").write_text("names: [car]\ntrain: images\nval: images\n")
    shutil.copytree(first, second)
    found = [key(tmp_path, "prepare", "dataset=yolo", f"dataset.path={p}") for p in (first, second)]
    assert found[0] == found[1]
    (second / "images" / "0.jpg").write_bytes(b"another")
    assert key(tmp_path, "prepare", "dataset=yolo", f"dataset.path={second}") != found[0]


def test_the_name_of_a_sequence_counts(tmp_path: Path) -> None:
    """It is that of its folder, and stands in the result."""
    first, second = tmp_path / "MOT17-02", tmp_path / "MOT17-04"
    (first / "img1").mkdir(parents=True)
    (first / "img1" / "000001.jpg").write_bytes(b"picture")
    shutil.copytree(first, second)
    words = ["dataset=sequences", "dataset.classes=[person]"]
    found = {key(tmp_path, "prepare", *words, f"dataset.path={p}") for p in (first, second)}
    assert len(found) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["trainer.workers=3"],
        ["trainer.threads=1"],
        ["model.imgsz=320", "model.conf_floor=0.1", "render.trail=3"],
    ],
)
def test_what_does_not_shape_a_training(tmp_path: Path, words: list[str]) -> None:
    assert key(tmp_path, "train", *words) == key(tmp_path, "train")


@pytest.mark.parametrize(
    "word", ["seed=1", "trainer.lr0=0.02", "trainer.imgsz=320", "trainer.cache=false"]
)
def test_what_shapes_a_training(tmp_path: Path, word: str) -> None:
    assert key(tmp_path, "train", word) != key(tmp_path, "train")


@pytest.mark.parametrize(
    ("stage", "of"), [("train", {}), ("predict", {"split": "test", "floor": 0.1, "limit": 9})]
)
def test_a_cpu_and_a_gpu_do_not_share_results(
    tmp_path: Path, stage: str, of: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = key(tmp_path, stage, "device=cpu", of=of)
    monkeypatch.setattr("segtrack.model.devices.device_class", lambda device: "cuda")
    assert key(tmp_path, stage, "device=cpu", of=of) != own


def test_the_precision_of_a_training_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = "segtrack.model.ultralytics.library.bfloat16_cpu"
    found = set()
    for able in (True, False):
        monkeypatch.setattr(library, lambda able=able: able)
        found.add(key(tmp_path, "train", "device=cpu"))
    assert len(found) == 2
