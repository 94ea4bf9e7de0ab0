"""What the family refuses before anything runs, and the options that it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from segtrack.model import FAMILIES, model_settings
from segtrack.model.ultralytics.settings import NAMES, SHIPPED, YoloSegSettings
from segtrack.settings import TrainerSettings, options


def test_every_name_is_an_option_of_the_group():
    assert "ultralytics" in FAMILIES
    for make in ("yolov8", "yolo11", "yolo26"):
        assert [name for name in NAMES if name.startswith(make)] == [
            f"{make}{size}-seg" for size in "nsmlx"
        ]
    assert len(NAMES) == 17
    found = options()["model"]
    assert {name: found[name] for name in NAMES} == {name: YoloSegSettings(name) for name in NAMES}
    assert all(path.is_file() for path in SHIPPED.values())


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({}, []),
        ({"weights": "shipped"}, []),
        ({"weights": "run:" + 32 * "a"}, []),
        ({"weights": "run:abc"}, ["model.weights=run:abc: an MLflow run's id has 32 hexadecimal"]),
        ({"name": "yolov8n"}, ["model.name=yolov8n: masks are needed throughout"]),
        (
            {"imgsz": 600},
            ["model.imgsz=600: must be a multiple of 32 px (the stride), such as 608"],
        ),
        ({"imgsz": 33}, ["model.imgsz=33: must be a multiple of 32 px (the stride), such as 32"]),
        (
            {"name": "yolov8s-seg", "weights": "shipped"},
            ["model.weights=shipped: only yolov8n-seg ships with weights; use model.weights=auto"],
        ),
    ],
)
def test_rules_of_the_model(knobs, said):
    settings = YoloSegSettings(**({"name": "yolov8n-seg"} | knobs))
    found = [str(problem) for problem in settings.problems()]
    assert [text[: len(start)] for text, start in zip(found, said, strict=True)] == said


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"extra": {"dropout": 0.1, "nbs": 16}}, []),
        (
            {"extra": {"dropuot": 0.1}},
            [
                "trainer.extra.dropuot=0.1: ultralytics has no such training argument; "
                "did you mean dropout?"
            ],
        ),
        ({"extra": {"lr0": 1}}, ["trainer.extra.lr0=1: is a knob of its own: trainer.lr0=1"]),
        ({"extra": {"data": "x"}}, ["trainer.extra.data=x: segtrack says this itself; leave it"]),
        ({"imgsz": 100}, ["trainer.imgsz=100: must be a multiple of 32 px (the stride), such as"]),
    ],
)
def test_rules_of_its_training(knobs, said):
    trainer = TrainerSettings(**({"name": "t", "epochs": 1} | knobs))
    found = [str(problem) for problem in model_settings("yolov8n-seg").trainer_problems(trainer)]
    assert [text[: len(start)] for text, start in zip(found, said, strict=True)] == said


def test_arguments_are_known_without_the_library():
    code = (
        "import sys; from segtrack.model.ultralytics.settings import _arguments; "
        "names = _arguments(); "
        "assert {'dropout', 'nbs', 'epochs'} <= names; assert 'ultralytics' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
