"""scripts/bench_suspect.py: what it plants, and how it scores what is found."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_suspect")


@pytest.mark.parametrize(
    "value, right, total, expected",
    [
        ([0.9, 0.8, 0.7], [0, -1, 1], 2, (1 + 2 / 3) / 2),
        ([0.9, 0.8, 0.7], [0, -1, 1], 4, (1 + 2 / 3) / 4),  # two were never found
        ([0.9, 0.8, 0.7], [0, 0, 1], 2, 1.0),  # found once more: no false alarm
        ([0.5, 0.5, 0.5, 0.5], [0, -1, -1, 1], 2, 0.5),  # equal values pass together
        ([0.9, 0.0, 0.0], [-1, 0, 1], 2, 0.0),  # what is not suspect is not found
    ],
)
def test_average_precision_by_hand(
    script: ModuleType, value: list[float], right: list[int], total: int, expected: float
) -> None:
    found = script.average_precision(np.array(value), np.array(right), total)
    assert found == pytest.approx(expected)


def test_precision_at_k_by_hand(script: ModuleType) -> None:
    value, right = np.array([0.9, 0.5, 0.5, 0.1]), np.array([0, -1, 1, 2])
    assert script.precision_at(value, right, 1) == 1
    assert script.precision_at(value, right, 2) == pytest.approx((1 + 0.5) / 2)
    assert script.precision_at(value, right, 3) == pytest.approx(2 / 3)
    assert script.precision_at(value, right, 9) == pytest.approx(3 / 4)


def test_errors_are_of_their_kinds(script: ModuleType) -> None:
    """300 hexagons in 100 images, one error each for 6 x 5 of them, the others untouched."""
    rng = np.random.default_rng(0)
    angles = np.arange(6) * np.pi / 3
    circle = 0.5 + 0.5 * np.stack([np.cos(angles), np.sin(angles)], 1)
    labels = {
        ("train", f"{i:03}"): [
            (int(rng.integers(3)), (0.05 + 0.3 * k) + 0.2 * circle) for k in range(3)
        ]
        for i in range(100)
    }
    before = {key: list(rows) for key, rows in labels.items()}
    errors = script._errors(labels, 0.05, np.random.default_rng(1))
    counts = {kind: sum(e.planted == kind for e in errors) for kind in script.PLANTED}
    assert counts == {
        **{"drop": 15, "swap": 15, "add": 15, "duplicate": 15},
        **{"shift": 5, "deform": 5, "outline": 5},
    }
    key = {stem: ("train", stem) for _, stem in labels}
    for error in errors:
        rows = labels[key[error.stem]]
        there = [any(c == r[0] and o is r[1] for c, o in rows) for r in [error.before] if r]
        if error.planted == "drop":
            assert there == [False] and error.label is None
            continue
        class_id, outline = error.label
        assert any(c == class_id and o is outline for c, o in rows)
        assert outline.min() >= -1e-9 and outline.max() <= 1 + 1e-9
        if error.planted == "swap":
            assert class_id != error.before[0] and outline is error.before[1]
        elif error.planted == "add":
            others = [o for _, o in rows if o is not outline]
            apart = [(outline.min(0) >= o.max(0)) | (outline.max(0) <= o.min(0)) for o in others]
            assert all(one.any() for one in apart)
        elif error.planted == "duplicate":
            assert there == [True]
            assert 0 < np.abs(outline.mean(0) - error.before[1].mean(0)).max() < 0.2 * 0.1
        elif error.planted == "outline":
            assert len(outline) == 4
            assert outline.min(0) == pytest.approx(error.before[1].min(0))
            assert outline.max(0) == pytest.approx(error.before[1].max(0))
        else:
            assert there == [False] and np.ptp(outline, 0).max() > 0
    touched = {error.stem for error in errors}
    assert all(labels[k] == before[k] for k in labels if k[1] not in touched)


def test_the_kinds_have_names_of_the_stage(script: ModuleType) -> None:
    assert set(script.PLANTED.values()) == set(script.KINDS)
    assert set(script.studies(Path("data"))) == {*("simulator", "coco128", "coco100", "cityscapes")}
