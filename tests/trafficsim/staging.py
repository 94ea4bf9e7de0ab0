"""Small scenes by hand, filmed by `render_still`: a bare street, chosen light, a few actors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from trafficsim import Frame, Instance, SimulatorKnobs, render_still
from trafficsim.camera import Camera, look
from trafficsim.light import Light
from trafficsim.pedestrians import Figure, make_figure
from trafficsim.people import Walker, make_signal
from trafficsim.scene import Lane, Street
from trafficsim.traffic import Traffic, Vehicle
from trafficsim.vehicles import make_vehicle

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

BARE = Street(
    view="along", camera_side=1, lanes=(Lane(-1.65, -1), Lane(1.65, 1)), road=4.0,
    parking=(False, False), pavement=(4.0, 4.0), crosswalk=None, z_range=(-12.0, 80.0), end=None,
    buildings=(), furniture=(),
)  # fmt: skip
"""A street with nothing on it."""

DAY = Light(
    kind="day", ambient=np.full(3, 0.4), sun=np.full(3, 0.6), sun_direction=np.array([0.0, 1, 0]),
    sky_top=np.full(3, 200.0), sky_horizon=np.full(3, 200.0), cloud=np.full(3, 200.0),
    haze=np.full(3, 200.0), haze_density=0.0, lamp=np.zeros(3), lit_windows=0.0, headlights=False,
    noise=0.0,
)  # fmt: skip
"""The sun overhead; no clouds, no haze, no noise."""

NIGHT = replace(DAY, kind="night", sun=np.zeros(3), headlights=True)


def camera(height: float = 5.0, pitch: float = -0.3, size: tuple[int, int] = (320, 180)) -> Camera:
    """In the middle of the road, looking along it."""
    centre = 0.5 * (size[0] - 1), 0.5 * (size[1] - 1)
    return look((0.0, height, 0.0), 0.0, pitch, 0.8 * size[0], centre, size)


def sun_from(x: float, z: float) -> Light:
    """The sun at 45 degrees, in the horizontal direction (x, z)."""
    return replace(DAY, sun_direction=np.array([x, 1.0, z]) / np.sqrt(x * x + z * z + 1.0))


def car(x: float, z: float, direction: int = 1, braking: bool = False, seed: int = 0) -> Vehicle:
    """A car that drives along +z or -z."""
    body = make_vehicle(1, np.random.default_rng(seed)).turned(0.0 if direction > 0 else np.pi)
    return Vehicle(1, 1, body, Lane(x, direction), z, 9.0, 9.0, braking)


def figure() -> Figure:
    """Somebody of 1.75 m, without anything carried."""
    drawn = make_figure(np.random.default_rng(2))
    return replace(drawn, height=1.75, girth=1.0, skirt=False, coat=False, backpack=None, bag=None)


def person(x: float, z: float, facing: float = 0.0, key: int = 1_000_000) -> Walker:
    """Somebody who stands."""
    return Walker(key, figure(), x, z, 0.0, facing=facing)


def film(
    view: Camera, light: Light, street: Street = BARE, vehicles: Sequence[Vehicle] = (),
    parked: Sequence[Vehicle] = (), people: Sequence[Walker] = (),
) -> Frame:  # fmt: skip
    """A still of this scene; what chance draws of a street is the same in all."""
    rng = np.random.default_rng(0)
    traffic = Traffic(
        street, make_signal(street), rng, 0.0, list(vehicles), list(parked), tuple(people)
    )
    with (
        patch("trafficsim.filmset.make_street", lambda *_: (street, view, light)),
        patch("trafficsim.filmset.make_traffic", lambda *_: traffic),
    ):
        return render_still(SimulatorKnobs(*view.size), 0, 0)


def tone(image: Image, view: Camera, x: float, y: float, z: float) -> NDArray[np.float64]:
    """The mean colour of 3 x 3 pixels around a place in the world, m."""
    ((column, row),) = np.rint(view.to_pixels(view.to_camera(np.array([[x, y, z]])))).astype(int)
    assert 1 <= column < view.size[0] - 1 and 1 <= row < view.size[1] - 1
    mean: NDArray[np.float64] = image[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1))
    return mean


def changed(before: Image, after: Image, least: int = 8) -> Mask:
    """Which pixels differ clearly."""
    return np.asarray(np.abs(before.astype(int) - after).max(axis=2) > least)


def mask_of(instance: Instance) -> Mask:
    """Its visible pixels."""
    return np.asarray(coco.decode(instance.rle) == 1)


def inner(mask: Mask) -> Mask:
    """Without its edge, where pixels are partly covered."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 1)
