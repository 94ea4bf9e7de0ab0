"""The plan of segtrack's own stages, before anything was built."""

from __future__ import annotations

from pathlib import Path

import pytest

from segtrack.base.errors import SettingsError
from segtrack.base.files import file_digest
from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.model import FAMILIES
from segtrack.pipeline import Planner
from segtrack.store.store import Store


def plan(root: Path, *words: str) -> list[tuple[str, str]]:
    settings = compose_settings(CONF, words)
    lines = Planner(settings, Store(root)).lines()
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines]


def test_it_says_what_training_will_start_from(tmp_path: Path) -> None:
    shipped = FAMILIES.get("ultralytics").shipped["yolov8n-seg"]
    assert plan(tmp_path) == [
        ("prepare", "build no result of this stage yet"),
        ("start", f"given yolov8n-seg shipped {file_digest(shipped)[:8]}"),
        ("train", "after prepare"),
        ("evaluate", "after prepare"),
        ("track", "after prepare"),
        ("review", "after prepare"),
        ("pull", "after prepare"),
    ]
    assert not (tmp_path / "results").exists() and not (tmp_path / "partial").exists()


def test_scratch_is_said_too(tmp_path: Path) -> None:
    lines = dict(plan(tmp_path, "stages=[prepare,train]", "model.weights=scratch"))
    assert lines["start"].startswith("given yolov8n-seg scratch ")


NO_WEIGHTS = ["stages=[prepare,train]", "model=yolov8s-seg"]


def test_a_start_from_scratch_is_a_warning_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("SEGTRACK_HOME", str(tmp_path / "home"))
    settings = compose_settings(CONF, [*NO_WEIGHTS, "trainer.epochs=20"])
    *_, last = Planner(settings, Store(tmp_path)).lines()
    assert last.startswith("warning: model=yolov8s-seg starts from scratch (model.weights=auto: ")
    asked = compose_settings(CONF, [*NO_WEIGHTS, "trainer.epochs=1", "model.weights=scratch"])
    *_, last = Planner(asked, Store(tmp_path)).lines()
    assert last.startswith("warning: model=yolov8s-seg starts from scratch: ")


def test_weights_of_another_network_are_a_warning_of_the_plan(tmp_path: Path) -> None:
    shipped = FAMILIES.get("ultralytics").shipped["yolov8n-seg"]
    words = ["stages=[prepare,evaluate]", "model=yolo11s-seg", f"model.weights={shipped}"]
    *_, last = Planner(compose_settings(CONF, words), Store(tmp_path)).lines()
    assert last.endswith(
        " is a yolov8n-seg, which the records would call yolo11s-seg: add model=yolov8n-seg"
    )


@pytest.mark.parametrize("words", [[], ["model.weights=auto"]])
def test_nothing_starts_from_scratch_by_itself_for_a_few_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("SEGTRACK_HOME", str(tmp_path / "home"))
    settings = compose_settings(CONF, [*NO_WEIGHTS, *words, "trainer.epochs=19"])
    with pytest.raises(SettingsError, match=r"trainer.epochs=19 .*model.weights=scratch"):
        Planner(settings, Store(tmp_path)).lines()


def test_what_is_not_trained_may_start_from_nothing(tmp_path: Path) -> None:
    words = ["stages=[prepare]", "model=yolov8s-seg", "trainer.epochs=1"]
    assert Planner(compose_settings(CONF, words), Store(tmp_path)).lines()


def test_the_embedded_demo_needs_no_internet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    lines = Planner(compose_settings(CONF, ["trainer.epochs=1"]), Store(tmp_path)).lines()
    assert not any("warning" in line for line in lines)


def test_videos_are_planned_without_a_data_set(tmp_path: Path) -> None:
    """Two sequences that bring detections along need no weights: both wait for theirs alone."""
    for name in ("a", "b"):
        folder = tmp_path / "data" / name / "det"
        folder.mkdir(parents=True)
        (folder / "det.txt").write_text("1,-1,10,10,20,40,0.9\n")
        (tmp_path / "data" / name / "seqinfo.ini").write_text(
            f"[Sequence]\nname={name}\nframeRate=10\nseqLength=1\nimWidth=64\nimHeight=48\n"
        )
    words = ["dataset=sequences", f"dataset.path={tmp_path / 'data'}", "stages=[track]"]
    assert plan(tmp_path / "store", *words, "dataset.classes=[person]") == [
        ("detections", "build 2 of 2: no result of this stage yet"),
        ("track", "after detections"),
    ]


def test_what_ends_the_run_ends_the_plan(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no reviewed version is in the store yet"):
        plan(tmp_path, "dataset=reviewed", "stages=[prepare]")
