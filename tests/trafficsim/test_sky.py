"""The sky and the skyline, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from trafficsim import SimulatorKnobs
from trafficsim.light import Light
from trafficsim.scene import make_street
from trafficsim.sky import _blend, paint_sky, paint_skyline


@pytest.fixture
def light() -> Light:
    return make_street(np.random.default_rng(3), SimulatorKnobs(light="day"))[2]


@pytest.mark.parametrize(
    ("thickness", "expected"),
    [
        (0.3, (100, 150, 200)),  # clear
        (0.5, (100, 150, 200)),
        (0.6, (150, 175, 200)),  # half of the cloud
        (0.9, (185, 192, 200)),  # 85 % of it, no more
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 6), (64, 7)])
def test_clouds_hide_the_sky(
    thickness: float, expected: tuple[int, int, int], size: tuple[int, int]
) -> None:
    width, rows = size
    image = np.full((rows + 2, width, 3), 7, np.uint8)
    tones = np.tile([100.0, 150.0, 200.0], (rows, 1))
    clouds = np.full(((rows + 1) // 2, (width + 3) // 4 + 1), thickness, np.float32)
    _blend(image, tones, np.array([200.0, 200.0, 200.0]), clouds, 0.5)
    assert np.abs(image[:rows].astype(int) - expected).max() <= 1
    assert (image[rows:] == 7).all()


def test_between_clouds_and_clear_sky_it_changes_evenly() -> None:
    image = np.zeros((8, 32, 3), np.uint8)
    thick = np.add.outer(0.02 * np.arange(4), 0.01 * np.arange(9)).astype(np.float32)
    _blend(image, np.zeros((8, 3)), np.full(3, 250.0), thick, -0.005)
    # 250 * 5 * (0.005 + 0.0025 x + 0.01 (y - 0.5)), level beyond the first and last rows
    rows = np.clip(0.5 * np.arange(8) - 0.25, 0.0, 3.0)
    expected = 1250.0 * np.minimum(0.005 + np.add.outer(0.02 * rows, 0.0025 * np.arange(32)), 0.17)
    assert np.abs(image - expected[..., None] + 0.5).max() <= 0.51


@pytest.mark.parametrize("horizon", [-40.0, 0.3, 57.6, 89.5, 130.0])
@pytest.mark.parametrize("size", [(160, 90), (37, 21)])
def test_the_sky_ends_below_the_horizon(
    light: Light, horizon: float, size: tuple[int, int]
) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    paint_sky(image, np.random.default_rng(1), light, horizon)
    rows = min(max(int(np.ceil(horizon)) + 2, 1), size[1])
    assert image[:rows].min() > 60 and not image[rows:].any()


def test_roofs_and_trees_stand_on_the_horizon(light: Light) -> None:
    plain = dataclasses.replace(light, haze=np.array([200.0, 100.0, 0.0]), ambient=np.zeros(3))
    image: NDArray[np.uint8] = np.zeros((120, 640, 3), np.uint8)
    paint_skyline(image, np.random.default_rng(1), plain, 80.0)
    assert not image[:50].any() and not image[84:].any()  # none is higher than 30 px
    tones = {tuple(tone) for tone in image[:80].reshape(-1, 3).tolist()}
    assert {(150, 75, 0), (110, 55, 0), (100, 50, 0)} <= tones
    heights = (image[:80, :, 0] > 0).sum(axis=0)
    assert 10 < heights.mean() < 28 and heights.min() >= 0
    # trees hide the houses' feet nearly everywhere
    assert (image[78] == (100, 50, 0)).all(axis=-1).mean() > 0.8
