"""scripts/bench_image_intervals.py: what it draws, and what it counts as a miss."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from segtrack.base.statistics import Estimate
from segtrack.evaluation.measurement import measure
from segtrack.evaluation.units import ImageUnits
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import HandMade, random_scene, write_predictions
from tests.evaluation.test_scores import independent
from tests.scripts import load_script

NAMES = ("car", "person")
SIZE = 10


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_image_intervals")


def scene(folder: Path, seed: int = 1) -> ImageUnits:
    dataset, found = random_scene(seed, NAMES, SIZE)
    predictions = write_predictions(folder, NAMES, SIZE, found)
    return measure(dataset, "test", predictions, EvaluationSettings()).units


def test_drawn_images_are_a_data_set_of_copies(script: ModuleType, tmp_path: Path) -> None:
    images = np.array([3, 0, 3, 7, 9, 9, 9])
    dataset, found = random_scene(1, NAMES, SIZE)
    rows = [
        replace(dataset.rows[old], image_id=new, file_name=f"copy {new}.png")
        for new, old in enumerate(images.tolist())
    ]
    annotations = [
        {**a, "image_id": new}
        for new, old in enumerate(images.tolist())
        for a in dataset.annotations
        if a["image_id"] == old
    ]
    copies = HandMade(NAMES, rows, [{**a, "id": i + 1} for i, a in enumerate(annotations)])
    of_copies = [
        replace(d, image=new) for new, old in enumerate(images.tolist()) for d in found
        if d.image == old
    ]  # fmt: skip
    predictions = write_predictions(tmp_path / "copies", NAMES, len(images), of_copies)
    expected = independent(copies, predictions, "mask")
    drawn = script.taken(scene(tmp_path / "all"), images)
    assert script.score(drawn, "mask_map50_95") == pytest.approx(expected[0], abs=1e-9)
    assert script.score(drawn, "mask_map50") == pytest.approx(expected[1], abs=1e-9)


def test_misses(script: ModuleType, tmp_path: Path) -> None:
    """Of a run against itself nothing differs; half of the detections miss where intervals do."""
    a = scene(tmp_path / "a")
    same = script.measured(a, a, "mask_map50", 5, draws=4, resamples=5)
    assert same["methods"] == {
        name: {"miss": 0.0, "width": 0.0} for name in ("jackknife-t", "percentile", "BCa")
    }
    b = scene(tmp_path / "b", seed=2)  # other scenes, so that drawn images know nothing of them
    far = script.measured(a, b, "mask_map50", 5, draws=20, resamples=0)
    assert far["draws"] == 20
    assert far["methods"]["jackknife-t"]["width"] > 0
    assert 0 <= far["methods"]["jackknife-t"]["miss"] < 0.5


def test_bca_levels(script: ModuleType) -> None:
    """Where resamples lie evenly about the difference and units pull alike, those of a percentile
    interval; where most lie below it, higher ones."""
    left = np.array([[-1.0, 0, 1]])
    zero = Estimate(("a", "b", "c"), np.ones(3), np.zeros(1), np.zeros((1, 3)), np.zeros((1, 3)))
    one = replace(zero, without=left)
    assert script.corrected(zero, one, np.array([-1.0, 1])) == pytest.approx([0.025, 0.975])
    # z0 = .6745 for three of four below: Phi(2 * .6745 -+ 1.96)
    moved = script.corrected(zero, one, np.array([-1.0, -1, -1, 1]))
    assert moved == pytest.approx([0.2706, 0.9995], abs=1e-3)
