"""The picture of a street without anything that moves or stands in front: sky, ground, houses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim.camera import Camera
from trafficsim.ground import paint_ground
from trafficsim.groundlight import GroundLight
from trafficsim.houses import paint_houses
from trafficsim.light import Light
from trafficsim.scene import Street
from trafficsim.sky import paint_sky, paint_skyline

Rng = np.random.Generator
Image = NDArray[np.uint8]

_FARTHEST = 400.0
"""How far away the sky is, and the ground at most, for the haze before them, m."""


def paint_background(
    rng: Rng, camera: Camera, street: Street, light: Light, ground_light: GroundLight
) -> Image:
    """Draws what is still and behind everything, uint8 (H, W, 3) for the camera's size."""
    width, height = camera.size
    image: Image = np.zeros((height, width, 3), np.uint8)
    horizon = horizon_row(camera)
    paint_sky(image, rng, light, horizon)
    paint_skyline(image, rng, light, horizon)
    paint_ground(image, rng, camera, street, light, ground_light, horizon)
    _fade(image, camera, light, horizon)
    paint_houses(image, rng, camera, street, light)
    return image


def horizon_row(camera: Camera) -> float:
    """The image row of the horizon, px."""
    ahead = camera.rotation[2] * np.array([1.0, 0.0, 1.0])
    seen = camera.rotation @ ahead
    return float(camera.centre[1] + camera.focal * seen[1] / seen[2])


def _fade(image: Image, camera: Camera, light: Light, horizon: float) -> None:
    """Fades ground and sky to the haze, the sky the less the higher.

    The camera is upright, so that all of a row is equally far.
    """
    rows = np.arange(camera.size[1])
    _, down, forward = camera.rotation[:, 1]
    falls = -(down * (rows - camera.centre[1]) / camera.focal + forward)
    depths = camera.position[1] / np.maximum(falls, camera.position[1] / _FARTHEST)
    shares = 1.0 - np.exp(-light.haze_density * depths)
    above = rows < horizon
    shares[above] *= (rows[above] / max(horizon, 1.0)) ** 2
    fade_rows(image, light.haze, np.rint(256.0 * shares).astype(np.int64))


@compiled
def fade_rows(image: Image, haze: NDArray[np.float64], shares: NDArray[np.int64]) -> None:
    """Fades an image, uint8 (H, W, 3), to `haze`, float64 (3,), 0..255.

    `shares`, int64 (H,), says how much of each row is haze, of 256.
    """
    height, width = image.shape[:2]
    bytes_of = image.reshape(height, 3 * width)
    fog = np.empty(3 * width, np.uint16)
    for y in range(height):
        left = np.uint16(256 - shares[y])
        for c in range(3):
            fog[c::3] = np.uint16(haze[c] * shares[y] + 128.0)
        for i in range(3 * width):
            bytes_of[y, i] = np.uint16(bytes_of[y, i] * left + fog[i]) >> 8
