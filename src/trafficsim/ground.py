"""The ground: road, pavements, kerbs, marks, wear, and the light that falls on them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim import raster
from trafficsim.camera import Camera
from trafficsim.chance import one_of, uniform
from trafficsim.colours import Colour, darker, fill, pick
from trafficsim.ground_kernels import SIDE, light_up, outlines
from trafficsim.groundlight import GroundLight
from trafficsim.light import Light
from trafficsim.scene import LANE, Street

Rng = np.random.Generator
Image = NDArray[np.uint8]

_FAR = 300.0
_RING = [(float(np.sin(a)), float(np.cos(a))) for a in np.linspace(0, 2 * np.pi, 15)[:-1]]
_THINNEST = 0.1
"""Joints of the pavement that are thinner, px, are left out."""

_WHITE: Colour = (215, 220, 222)
_PAVINGS: tuple[Colour, ...] = ((165, 170, 174), (150, 158, 168), (140, 150, 170), (178, 180, 180))
_YARDS: tuple[Colour, ...] = ((62, 118, 84), (70, 110, 100), (140, 145, 150))


def paint_ground(
    image: Image, rng: Rng, camera: Camera, street: Street, light: Light,
    ground_light: GroundLight, horizon: float,
) -> None:  # fmt: skip
    """Draws everything below the `horizon` row (px)."""
    top = int(np.clip(np.ceil(horizon), 0, image.shape[0] - 1))
    fill(image[top:], pick(rng, _YARDS))
    ground = _Ground()
    _pave(ground, street, rng)
    _mark(ground, street)
    ground.draw(image, camera)
    _light_up(image, top, rng, camera, light, ground_light)


class _Ground:
    """Shapes on the ground, in metres."""

    def __init__(self) -> None:
        # plain numbers, one after the other: x and z of the corners; blue, green and red
        self._corners: list[float] = []
        self._counts: list[int] = []
        self._colours: list[float] = []
        # far along both axes, so that the near plane always cuts the same way
        self.back = -80.0

    def strip(self, x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
        """Fills a rectangle between x0 and x1, z0 and z1."""
        self._corners += (x0, z0, x1, z0, x1, z1, x0, z1)
        self._counts.append(4)
        self._colours += colour

    def ring(self, x: float, z: float, radius: float, colour: Colour) -> None:
        """Fills a circle."""
        for sin, cos in _RING:
            self._corners += (x + radius * cos, z + radius * sin)
        self._counts.append(len(_RING))
        self._colours += colour

    def draw(self, image: Image, camera: Camera) -> None:
        """Draws what was filled."""
        pixels, counts, numbers = outlines(
            np.array(self._corners).reshape(-1, 2), np.array(self._counts),
            camera.position, camera.rotation, camera.focal, camera.centre, camera.size, _THINNEST,
        )  # fmt: skip
        raster.fill(image, pixels, counts, np.array(self._colours).reshape(-1, 3)[numbers])


def _pave(ground: _Ground, street: Street, rng: Rng) -> None:
    asphalt = pick(rng, ((98, 96, 94), (84, 82, 82), (112, 110, 108)))
    for k, side in enumerate((-1, 1)):
        paving = pick(rng, _PAVINGS)
        inner = side * street.road
        wide = 9.0 if street.view != "along" and side == street.camera_side else 0.0
        outer = side * (street.road + street.pavement[k] + wide)
        ground.strip(inner, outer, ground.back, _FAR, paving)
        low, high = (-30.0, 30.0) if street.view == "across" else (0.0, 38.0)
        across, along = darker(paving, 0.84), darker(paving, 0.86)
        for z in np.arange(low, high, 1.2).tolist():
            ground.strip(inner, outer, z, z + 0.05, across)
        for x in np.arange(0.9, abs(outer - inner), 0.9).tolist():
            ground.strip(inner + side * x, inner + side * x + 0.04, ground.back, 45.0, along)
        ground.strip(inner, inner + side * 0.25, ground.back, _FAR, (188, 192, 194))
    ground.strip(-street.road, street.road, ground.back, _FAR, asphalt)
    for side in (-1, 1):
        x = side * street.road
        ground.strip(x, x - side * 0.18, ground.back, _FAR, darker(asphalt, 0.6))
        ground.strip(x - side * 0.18, x - side * 0.5, ground.back, _FAR, darker(asphalt, 1.1))
    for lane in street.lanes:
        for dx in (-0.8, 0.8):
            x = lane.x + dx
            ground.strip(x - 0.25, x + 0.25, ground.back, _FAR, darker(asphalt, 0.94))
    _wear(ground, street, asphalt, rng)


def _wear(ground: _Ground, street: Street, asphalt: Colour, rng: Rng) -> None:
    """Mended patches, manholes and stains."""
    low, high = (-25.0, 25.0) if street.view == "across" else (4.0, 60.0)
    for _ in range(int(rng.integers(3, 8))):
        x, z = uniform(rng, -street.road, street.road - 2), uniform(rng, low, high)
        tone = darker(asphalt, one_of(rng, (0.82, 0.88, 1.1)))
        ground.strip(x, x + uniform(rng, 0.8, 2.0), z, z + uniform(rng, 1.0, 6.0), tone)
    for _ in range(int(rng.integers(2, 6))):
        x, z = uniform(rng, -street.road, street.road), uniform(rng, low, high)
        for radius, share in ((0.42, 0.6), (0.34, 0.8)):
            ground.ring(x, z, radius, darker(asphalt, share))


def _mark(ground: _Ground, street: Street) -> None:
    crossing = street.crosswalk
    per_side = len(street.lanes) // 2

    def clear(z: float) -> bool:
        return crossing is None or not crossing - 4.2 < z < crossing + 4.2

    for k in range(1, per_side):
        for side in (-1, 1):
            x = side * k * LANE
            for z in np.arange(-48.0, 110.0, 6.0).tolist():
                if clear(z) and clear(z + 3.0):
                    ground.strip(x - 0.07, x + 0.07, z, z + 3.0, _WHITE)
    spans = [(ground.back, 200.0)]
    if crossing is not None:
        spans = [(ground.back, crossing - 3.6), (crossing + 3.6, 200.0)]
    for z0, z1 in spans:
        if per_side == 1:
            for z in np.arange(-48.0, 110.0, 4.5).tolist():
                if clear(z) and clear(z + 2.0):
                    ground.strip(-0.07, 0.07, z, z + 2.0, _WHITE)
        else:
            ground.strip(-0.19, -0.07, z0, z1, _WHITE)
            ground.strip(0.07, 0.19, z0, z1, _WHITE)
    if street.road > per_side * LANE + 0.5:
        for side in (-1, 1):
            x = side * per_side * LANE
            for z0, z1 in spans:
                ground.strip(x - 0.06, x + 0.06, z0, z1, darker(_WHITE, 0.85))
    if crossing is not None:
        for x in np.arange(-street.road + 0.4, street.road - 0.4, 1.0).tolist():
            ground.strip(x, x + 0.5, crossing - 1.9, crossing + 1.9, _WHITE)
        for lane in street.lanes:
            z = crossing - lane.direction * 3.3
            ground.strip(lane.x - 1.55, lane.x + 1.55, z - 0.18, z + 0.18, _WHITE)


def _light_up(
    image: Image, top: int, rng: Rng, camera: Camera, light: Light, ground_light: GroundLight
) -> None:
    """Grain, stains, sun and shadow, lamp light: one factor per pixel and channel."""
    across, along = rng.uniform(0.0, SIDE, 2).tolist()  # where in the tiles the street begins
    gains = np.array([light.ambient, light.sun * light.sun_direction[1], light.lamp * 1.3])
    if not ground_light.shaded:
        gains[0] += gains[1]
        gains[1] = 0.0
    light_up(
        image, top, camera.position, camera.rotation, camera.focal, camera.centre, _tiles(),
        (across, along), (ground_light.sun, ground_light.lamp), ground_light.origin, gains,
    )  # fmt: skip


@cache
def _tiles() -> NDArray[np.int8]:
    """Grain and broad stains of the ground, which repeat, as `light_up` takes them."""
    rng = np.random.default_rng(0)
    planes = []
    for sd, side in ((0.05, 256), (0.035, 24), (0.03, 32)):
        noise = rng.normal(0.0, sd, (side, side)).astype(np.float32)
        # without a seam: an eighth more of it on all sides while it is resized
        noise = np.pad(noise, side // 8, "wrap")
        wide = cv2.resize(noise, (SIDE * 5 // 4, SIDE * 5 // 4))
        planes.append(wide[SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8])
    tiles = np.stack([planes[0] + planes[1], planes[2]])
    return np.clip(np.rint(400.0 * tiles), -128, 127).astype(np.int8)
