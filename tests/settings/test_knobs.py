"""Knobs: what a settings class says about its fields, and what is derived from it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from omegaconf import MISSING

from segtrack.dataset import ReviewedSettings, TrafficSimSettings
from segtrack.settings import (
    DatasetSettings,
    LabellerrSettings,
    Settings,
    knob,
    knobs_of,
    options,
    shaping,
    walk,
)
from segtrack.settings.knobs import value_problems


class Kind(Enum):
    soft = "soft"
    hard = "hard"


@dataclass
class Inner:
    share: float = knob(0.5, "a share", low=0, high=1)
    where: str = knob("here", "a place", local=True)


@dataclass
class Base:
    count: int = knob(3, "how many", unit="images", low=1, high=10, origin="a paper")
    word: str = knob("a", "a word", choices=("a", "b"))
    kind: Kind = knob(Kind.soft, "a kind")
    least: float | None = knob(None, "a number", low=0)
    most: float = knob(1.0, "a number", unit="s", high=5)
    free: float = knob(0.0, "a number")
    threads: int = knob(0, "threads", local=True)
    inner: Inner = knob(Inner, "more of them")
    names: list[str] = knob(lambda: ["x"], "names")
    extra: dict[str, Any] = knob(dict, "anything")
    needed: str = knob(MISSING, "must be given")


@dataclass
class Derived(Base):
    count: int = 5
    least: float | None = knob(0.25, origin="its own paper")


def test_a_field_says_everything_once() -> None:
    count = knobs_of(Base)["count"]
    assert (count.name, count.type, count.default, count.effect) == ("count", int, 3, "how many")
    assert (count.unit, count.low, count.high, count.origin) == ("images", 1, 10, "a paper")
    assert count.range == "1 to 10 images"
    assert knobs_of(Base)["kind"].choices == ("soft", "hard")
    assert knobs_of(Base)["inner"].nested is Inner
    assert knobs_of(Base)["names"].default == ["x"]
    assert Base().names is not Base().names
    words = {name: one.words for name, one in knobs_of(Base).items()}
    assert words["least"] == "number or null"
    assert words["kind"] == "choice"
    assert words["names"] == "list of texts"
    assert words["extra"] == "mapping"


def test_an_inherited_knob_keeps_what_is_not_said_anew() -> None:
    count, least = knobs_of(Derived)["count"], knobs_of(Derived)["least"]
    assert (count.default, count.effect, count.range) == (5, "how many", "1 to 10 images")
    assert count.origin == ""  # the paper's was the other default
    assert (least.default, least.effect, least.low) == (0.25, "a number", 0)
    assert least.origin == "its own paper"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"count": 11}, ["count=11: must lie in 1 to 10 images"]),
        ({"count": True}, []),  # a truth value is no number
        ({"word": "c"}, ["word=c: must be one of a, b"]),
        ({"least": -0.5}, ["least=-0.5: must be at least 0"]),
        ({"most": 5.5}, ["most=5.5: must be at most 5 s"]),
        ({"free": float("nan")}, ["free=nan: must be a finite number"]),
        ({"count": float("nan")}, ["count=nan: must lie in 1 to 10 images"]),
        ({"inner": Inner(share=2.0)}, ["inner.share=2.0: must lie in 0 to 1"]),
        ({"least": None, "inner": Inner(share=-1)}, ["inner.share=-1: must lie in 0 to 1"]),
    ],
)
def test_values_are_checked_by_what_their_knobs_say(
    change: dict[str, Any], expected: list[str]
) -> None:
    problems = value_problems(dataclasses.replace(Base(), **change))
    assert [str(problem) for problem in problems] == expected


def test_what_is_local_shapes_nothing() -> None:
    assert shaping(Base(kind=Kind.hard)) == {
        "count": 3,
        "word": "a",
        "kind": "hard",
        "least": None,
        "most": 1.0,
        "free": 0.0,
        "inner": {"share": 0.5},
        "names": ["x"],
        "extra": {},
        "needed": MISSING,
    }
    assert "workers" not in shaping(TrafficSimSettings())
    assert shaping(TrafficSimSettings(workers=3, starting_weights="auto")) == shaping(
        TrafficSimSettings()
    )


def test_every_knob_of_every_option_says_its_effect() -> None:
    classes = [node if isinstance(node, type) else type(node) for node in _nodes()]
    assert len(classes) >= 20
    silent = [
        f"{cls.__name__}.{key}"
        for cls in (Settings, *classes)
        for key, one, _ in walk(cls())
        if not one.effect
    ]
    assert silent == []


def test_the_sources_default_weights_are_choices() -> None:
    assert knobs_of(DatasetSettings)["starting_weights"].choices == ("auto", "shipped")
    assert "parent" in knobs_of(ReviewedSettings)["starting_weights"].choices
    assert knobs_of(TrafficSimSettings)["starting_weights"].default == "shipped"
    assert "parent" not in knobs_of(TrafficSimSettings)["starting_weights"].choices


def test_settings_import_nothing_heavy() -> None:
    heavy = ["torch", "ultralytics", "mlflow", "pyarrow", "cv2", "numba", "numpy", "hydra"]
    code = f"import sys, segtrack.settings; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert LabellerrSettings().timeout == 1800.0


def _nodes() -> list[Any]:
    return [node for known in options().values() for node in known.values()]
