"""What light does in the picture: shadows, sun, lamps, headlights, haze."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.trafficsim.staging import (
    BARE,
    DAY,
    NIGHT,
    camera,
    car,
    changed,
    film,
    inner,
    mask_of,
    person,
    sun_from,
    tone,
)
from trafficsim.plants import make_tree
from trafficsim.scene import Building, Furniture, Street

HOUSE = Building(-1, 10.0, 20.0, 6.0, 0.0, 3)
"""On the left, its front 8 m from the middle of the street."""


def with_piece(kind: str, x: float = 0.0, z: float = 12.0) -> Street:
    return replace(BARE, furniture=(Furniture(kind, x, z, 1.0, 1),))


SIDES = [(-1.0, 0.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("scene", "x", "z", "reach", "suns"),
    [
        ({"vehicles": [car(0.0, 9.0)]}, 0.0, 9.0, 1.4, SIDES),
        ({"people": [person(0.0, 9.0)]}, 0.0, 9.0, 1.05, [*SIDES, (0.0, 1.0)]),
        ({"street": with_piece("tree")}, 0.0, 12.0, 4.4, SIDES),
        ({"street": with_piece("lamp")}, 0.0, 12.0, 2.5, [(0.0, 1.0)]),
        ({"street": replace(BARE, buildings=(HOUSE,))}, -8.0, 15.0, 3.0, SIDES),
    ],
    ids=["car", "person", "tree", "lamp", "house"],
)
def test_the_ground_is_dark_on_the_side_away_from_the_sun(
    scene: dict[str, Any], x: float, z: float, reach: float, suns: list[tuple[float, float]]
) -> None:
    view = camera()
    for sun in suns:
        empty = film(view, sun_from(*sun)).image
        image = film(view, sun_from(*sun), **scene).image
        for sign in (-1, 1):
            place = x + sign * reach * sun[0], 0.0, z + sign * reach * sun[1]
            if place[0] < -8.0 or (sun[1] > 0.0 and sign > 0):
                continue  # hidden by the house or by the person
            share = (tone(image, view, *place) / tone(empty, view, *place)).mean()
            if sign < 0:
                assert share < 0.9, (sun, sign)
            else:
                assert share == pytest.approx(1.0, abs=0.03), (sun, sign)


def test_the_sun_shines_on_all_of_the_ground_where_nothing_is_in_its_way() -> None:
    """Whether or not it throws shadows."""
    view, street = camera(), replace(BARE, pavement=(3.0, 5.0))
    day, dusk, without = (
        film(view, light, street).image[40:].astype(float)
        for light in (DAY, replace(DAY, kind="dusk"), replace(DAY, sun=np.zeros(3)))
    )
    assert np.abs(dusk - day).max() <= 2.0
    assert (dusk / without).mean() == pytest.approx((0.4 + 0.6) / 0.4, abs=0.05)


def test_it_is_dark_below_a_car_without_sun_too() -> None:
    view, light, parked = camera(), replace(DAY, sun=np.zeros(3)), car(0.0, 12.0)
    edge = 0.0, 0.0, 12.0 - parked.half
    dark, plain = (
        tone(film(view, light, vehicles=cars).image, view, *edge) for cars in ([parked], [])
    )
    assert (dark < 0.85 * plain).all()


def test_in_the_shade_of_a_house_people_and_furniture_are_darker() -> None:
    view, light = camera(), sun_from(-1.0, -1.0)
    things = (Furniture("cabinet", -5.0, 17.0, 1.0, -1),)
    shade, sunny = (
        film(view, light, replace(BARE, buildings=b, furniture=things), people=[person(-3.5, 16.0)])
        for b in ((HOUSE,), ())
    )
    for place in ((-5.0, 0.8, 16.4), (-3.5, 1.2, 16.0)):
        dark, bright = (tone(frame.image, view, *place) for frame in (shade, sunny))
        assert (dark < 0.8 * bright).all(), place


def test_below_a_street_lamp_it_is_lighter() -> None:
    """The ground and all that stands there, and nothing far from it."""
    view = camera()
    things = tuple(
        Furniture(kind, x, z, 1.0, 1)
        for kind, x, z in (("lamp", 4.5, 14.0), ("cabinet", 4.2, 12.0))
    )
    lit, dark = (
        film(view, replace(NIGHT, lamp=np.full(3, lamp)), replace(BARE, furniture=things),
             vehicles=[car(2.0, 13.0)]).image
        for lamp in (0.6, 0.0)
    )  # fmt: skip
    places = (3.2, 0.0, 10.0), (4.2, 0.8, 11.4), (2.0, 1.0, 10.7), (0.0, 0.0, 40.0)
    gains = [tone(lit, view, *place) / tone(dark, view, *place) for place in places]
    assert np.min(gains[:3]) > 1.25, gains
    assert gains[3] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("change", "gain"),
    [
        ({}, 0.4 * 0.8),
        ({"sun_direction": np.array([0.6, 0.8, 0.0])}, 0.4 * 0.8 + 0.6 * 0.6),
        ({"sun_direction": np.array([-0.6, 0.8, 0.0])}, 0.4 * 0.8),
        ({"lamp": np.full(3, 0.8)}, 0.4 * 0.8 + 0.25 * 0.8),
    ],
    ids=["sun overhead", "sun on the front", "sun behind", "lamps"],
)
def test_sun_and_lamps_shine_on_houses(change: dict[str, Any], gain: float) -> None:
    view, street, wall = camera(pitch=-0.1), replace(BARE, buildings=(HOUSE,)), (-8.0, 5.0, 16.0)
    shaded, lit = (
        tone(film(view, light, street).image, view, *wall)
        for light in (replace(DAY, sun=np.zeros(3)), replace(DAY, **change))
    )
    assert shaded.min() > 10.0
    assert (lit / shaded).mean() == pytest.approx(gain / (0.4 * 0.8), rel=0.05)


def test_a_tree_is_lighter_on_the_side_of_the_sun() -> None:
    view, piece = camera(2.0, 0.1), Furniture("tree", 0.0, 12.0, 1.0, 1)
    sides = []
    for x in (-1.0, 1.0):
        for seed in range(4):
            rng = np.random.default_rng(seed)
            sprite = make_tree(rng, piece, view, sun_from(x, 0.0), (1.0, 0.0), 12.0)
            assert sprite is not None
            crown = sprite.picture[: sprite.picture.shape[0] // 2].astype(float)
            middle = 160 - sprite.box[0]
            left, right = crown[:, :middle].sum(axis=(0, 1)), crown[:, middle:].sum(axis=(0, 1))
            tones = [half[:3].sum() / half[3] for half in (left, right)]
            sides.append(x * (tones[1] - tones[0]))
    assert np.mean(sides) > 0.02, sides


class TestLightsOfCars:
    view = camera()
    dark = replace(NIGHT, headlights=False)

    def test_headlights_and_their_beams(self) -> None:
        coming = car(0.0, 14.0, -1)
        nose = 14.0 - coming.half
        lit, dark = (
            film(self.view, light, vehicles=[coming]).image for light in (NIGHT, self.dark)
        )
        lamp = 0.74 * coming.body.half_size[0], 0.66, nose
        assert (
            tone(lit, self.view, *lamp).min() > 200.0 > 150.0 > tone(dark, self.view, *lamp).max()
        )
        beam = tone(lit, self.view, 0.0, 0.0, nose - 4.0) - tone(
            dark, self.view, 0.0, 0.0, nose - 4.0
        )
        assert beam.min() > 20.0
        aside = lit[:, :40].astype(int) - dark[:, :40]
        assert not aside.any()
        # the shine is wider than the lamps, and as wide above them
        shine = tone(lit, self.view, lamp[0], 0.9, nose) - tone(dark, self.view, lamp[0], 0.9, nose)
        assert shine.min() > 10.0

    def test_tail_lights_are_red_and_brighter_while_braking(self) -> None:
        rows = []
        for light in (NIGHT, DAY):
            for braking in (False, True):
                going = car(0.0, 9.0, 1, braking)
                image = film(self.view, light, vehicles=[going]).image
                half, tail, height = going.body.half_size
                waist = 0.6 * height
                rows.append(tone(image, self.view, 0.78 * half, waist - 0.2, 9.0 - tail))
        night, stopping, day, stopping_by_day = rows
        for red in (night, stopping, stopping_by_day):
            assert red[2] > 200.0 and red[2] > 2.0 * red[:2].max()
        assert stopping.sum() > night.sum() + 10.0
        assert stopping_by_day[2] > day[2] + 50.0

    def test_the_shine_of_tail_lights_is_red(self) -> None:
        """Here below them."""
        going = car(0.0, 9.0)
        half, tail, _ = going.body.half_size
        lit, dark = (
            tone(film(self.view, light, vehicles=[going]).image, self.view, 0.74 * half, 0.5,
                 9.0 - tail)
            for light in (NIGHT, self.dark)
        )  # fmt: skip
        blue, green, red = lit - dark
        assert red > 5.0 and red > 3.0 * max(blue, green)

    def test_a_post_hides_the_shine(self) -> None:
        view, street = camera(1.7, 0.0), with_piece("signal", 0.68, 8.0)
        coming = [car(0.0, 14.2, -1)]
        pole = inner(changed(film(view, NIGHT).image, film(view, NIGHT, street).image, 3))
        lit, dark = (film(view, light, vehicles=coming).image for light in (NIGHT, self.dark))
        behind = pole & changed(dark, lit, 3)
        behind[:, :182] = behind[122:] = False  # beside the car and above its beams
        assert behind.sum() > 5
        lit, dark = (
            film(view, light, street, vehicles=coming).image for light in (NIGHT, self.dark)
        )
        assert np.array_equal(lit[pole], dark[pole])

    def test_parked_cars_throw_no_light(self) -> None:
        parked = car(0.0, 14.0, -1)
        lit, dark = (film(self.view, light, parked=[parked]) for light in (NIGHT, self.dark))
        outside = ~mask_of(lit.instances[0])
        assert not changed(dark.image, lit.image, 0)[outside].any()
