"""Haze, sky and noise in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trafficsim.staging import (
    BARE,
    DAY,
    camera,
    car,
    film,
    inner,
    mask_of,
    person,
    tone,
)
from trafficsim.background import horizon_row
from trafficsim.furniture import make_sprite
from trafficsim.groundlight import make_ground_light
from trafficsim.scene import Building, Furniture


@pytest.mark.parametrize("depth", [10.0, 20.0, 35.0])
def test_haze_hides_the_more_the_farther(depth: float) -> None:
    view = camera(2.5, -0.1, (640, 200))
    red = np.array([0.0, 0.0, 255.0])
    clear, hazy = (
        film(view, replace(DAY, haze=red, haze_density=d), vehicles=[car(2.0, depth)],
             people=[person(-1.0, depth)])
        for d in (0.0, 0.02)
    )  # fmt: skip
    assert [i.class_id for i in hazy.instances] == [i.class_id for i in clear.instances]
    assert {i.class_id for i in hazy.instances} == {0, 1}
    for one in hazy.instances:
        pixels = inner(mask_of(one))
        own, seen = clear.image[pixels].mean(axis=0), hazy.image[pixels].mean(axis=0)
        share = ((seen - own) @ (red - own)) / ((red - own) @ (red - own))
        assert share == pytest.approx(1.0 - np.exp(-0.02 * depth), abs=0.04)


def test_haze_hides_furniture() -> None:
    view, piece, red = (
        camera(),
        Furniture("cabinet", 1.0, 20.0, 1.0, 1),
        np.array([0.0, 0.0, 255.0]),
    )
    pictures = []
    for density in (0.0, 0.03):
        light = replace(DAY, haze=red, haze_density=density)
        ground = make_ground_light(BARE, light)
        sprite = make_sprite(np.random.default_rng(0), piece, view, light, ground)
        assert sprite is not None
        pictures.append(sprite.picture[sprite.picture[..., 3] == 255][:, :3].mean(axis=0))
    depth = view.to_camera(np.array([[1.0, 0.0, 20.0]]))[0, 2]
    left = np.exp(-0.03 * depth)
    assert pictures[1] == pytest.approx(pictures[0] * left + red * (1.0 - left), abs=1.5)


def test_haze_hides_houses() -> None:
    view, wall, red = camera(pitch=-0.1), (-8.0, 5.0, 16.0), np.array([0.0, 0.0, 255.0])
    street = replace(BARE, buildings=(Building(-1, 10.0, 20.0, 6.0, 0.0, 3),))
    own, seen = (
        tone(film(view, replace(DAY, haze=red, haze_density=density), street).image, view, *wall)
        for density in (0.0, 0.03)
    )
    left = np.exp(-0.03 * 16.0)
    assert seen == pytest.approx(own * left + red * (1.0 - left), abs=4.0)


def test_the_sky_fades_to_the_haze_towards_the_horizon() -> None:
    view = camera(pitch=0.15)
    horizon = horizon_row(view)
    blue = np.array([200.0, 0.0, 0.0])
    light = replace(
        DAY, sky_top=blue, sky_horizon=blue, cloud=blue, haze=np.array([0.0, 0.0, 200.0]),
        haze_density=0.004,
    )  # fmt: skip
    image = film(view, light).image
    most = 1.0 - np.exp(-0.004 * 400.0)
    for row in (0, 30, 60, 90):
        share = most * (row / horizon) ** 2
        assert image[row].mean(axis=0) == pytest.approx([200 * (1 - share), 0, 200 * share], abs=2)
    assert image[int(horizon) - 4].std(axis=0).max() > 3.0  # roofs and trees
    assert image[int(horizon) - 4, :, 2].mean() > 200.0 * most * 0.7


def test_noise_is_as_strong_as_it_is_told() -> None:
    noisy, plain = (film(camera(), replace(DAY, noise=sigma)).image for sigma in (4.0, 0.0))
    difference = noisy.astype(int) - plain
    assert difference.std() == pytest.approx(0.92 * 4.0, rel=0.1)
    assert abs(difference.mean()) < 0.3
