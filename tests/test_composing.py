"""What tests compose is what Hydra composes."""

from __future__ import annotations

import pytest
from hydra import compose
from hydra.errors import HydraException
from omegaconf import OmegaConf

from segtrack.command.app import CONF
from segtrack.command.composition import composing
from tests.composing import compose_once

PLAIN = True  # nothing is patched yet


def composed(words: list[str]) -> str:
    with composing(CONF, None):
        try:
            return OmegaConf.to_yaml(compose("config", words, return_hydra_config=True))
        except HydraException as error:
            return f"{type(error).__name__} {error}"


def test_words_of_the_same_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once for itself and then after others that chose the same."""
    words = [
        ["trainer=smoke", "trainer.imgsz=64", "seed=1"],
        ["trainer=smoke", "trainer.imgsz=96", "+trainer.extra.nbs=3", "hydra.run.dir=x"],
        ["dataset=yolo", "dataset.path=/a b", "'dataset.classes={a: [b], c: [d]}'".strip("'")],
        ["trainer=smoke", "experiment=demo", "seed=3"],
        ["trainer=smoke", "seed=abc"],
        ["trainer=none"],
    ]
    plain = [composed(one) for one in words]
    assert ["Exception" in text[:40] for text in plain] == [*(False,) * 4, *(True,) * 2]
    compose_once(monkeypatch)
    for _ in range(2):
        assert [composed(one) for one in words] == plain
