"""What can be asked of RF-DETR, and the one line where it cannot."""

import subprocess
import sys
from importlib import import_module

import pytest

from segtrack.base.errors import SettingsError
from segtrack.model import model_settings
from segtrack.model.rfdetr import settings as module
from segtrack.settings import TrainerSettings


def problems(name="rfdetr-seg-small", **knobs):
    return [str(one) for one in model_settings(name, **knobs).problems()]


def trainer_problems(name="rfdetr-seg-small", **knobs):
    trainer = TrainerSettings(**({"name": "t", "epochs": 1} | knobs))
    return [str(one) for one in model_settings(name).trainer_problems(trainer)]


def test_what_can_be_asked():
    assert problems() == problems(imgsz=48) == problems("rfdetr-seg-nano", imgsz=36) == []
    assert trainer_problems(imgsz=48, extra={"lr": 1e-4, "mask_ce_loss_coef": 1.0}) == []
    assert trainer_problems(extra={"nbs": 16}) == []  # of the preset quick, which is for YOLO
    used = module.arguments_of(TrainerSettings("t", 1, extra={"nbs": 16, "lr": 0.5}))
    assert used == {"lr": 0.5}


@pytest.mark.parametrize(
    ("knobs", "why"),
    [
        ({"imgsz": 100}, "model.imgsz=100: must be a multiple of 24 px for .*small, such as 96"),
        ({"imgsz": 33}, "such as 48"),
        ({"weights": "shipped"}, "none of RF-DETR's ships with weights; use model.weights=auto"),
    ],
)
def test_what_cannot(knobs, why):
    import re

    (problem,) = problems(**knobs)
    assert re.search(why, problem), problem


@pytest.mark.parametrize(
    ("knobs", "why"),
    [
        ({"imgsz": 100}, "trainer.imgsz=100: must be a multiple of 24"),
        ({"batch": "auto"}, "trainer.batch=auto: RF-DETR needs a number"),
        ({"extra": {"batch_size": 3}}, "leave it out; trainer.batch says it"),
        ({"extra": {"wandb": True}}, "extra.wandb=True: segtrack says this itself; leave it out"),
        ({"extra": {"patience": 3}}, "is a knob of its own: trainer.patience=3"),
        ({"extra": {"lr_encodr": 3}}, "no such training argument; did you mean lr_encoder"),
    ],
)
def test_what_a_training_cannot(knobs, why):
    (problem,) = trainer_problems(**knobs)
    assert why in problem


def test_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert problems() == [
        "model=rfdetr-seg-small: needs the package rfdetr: pip install 'segtrack[rfdetr]'"
    ]
    monkeypatch.delitem(sys.modules, "segtrack.model.rfdetr.library", raising=False)
    with pytest.raises(SettingsError, match=r"RF-DETR needs the package rfdetr: pip install"):
        import_module("segtrack.model.rfdetr.library")


QUIET = """
import torch, logging
from segtrack.model.rfdetr import library
library.build(library.config_of("rfdetr-seg-nano", 3, 36))
assert torch.get_float32_matmul_precision() == "highest"
assert not logging.getLogger().handlers
"""


def test_the_library_is_a_quiet_guest():
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
