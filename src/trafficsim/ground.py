"""The ground: road, pavements, kerbs, marks, wear, and the light that falls on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import Camera
from trafficsim.colours import Colour, darker, pick
from trafficsim.groundlight import GroundLight
from trafficsim.light import Light
from trafficsim.mesh import SHIFT, fixed
from trafficsim.scene import LANE, Street

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_FAR = 300.0
_WHITE: Colour = (215, 220, 222)
_PAVINGS: tuple[Colour, ...] = ((165, 170, 174), (150, 158, 168), (140, 150, 170), (178, 180, 180))
_YARDS: tuple[Colour, ...] = ((62, 118, 84), (70, 110, 100), (140, 145, 150))


def paint_ground(
    image: Image, rng: Rng, camera: Camera, street: Street, light: Light,
    ground_light: GroundLight, horizon: float,
) -> None:  # fmt: skip
    """Draws everything below the `horizon` row (px)."""
    top = int(np.clip(np.ceil(horizon), 0, image.shape[0] - 1))
    ground = _Ground(image[top:], camera.shifted(0.0, -float(top)), rng)
    ground.image[:] = np.array(pick(rng, _YARDS), np.uint8)
    _pave(ground, street, rng)
    _mark(ground, street)
    _light_up(ground, light, ground_light)


class _Ground:
    """Rectangles on the ground, in metres."""

    def __init__(self, image: Image, camera: Camera, rng: Rng) -> None:
        self.image, self.camera, self.rng = image, camera, rng
        # far along both axes, so that the near plane always cuts the same way
        self.back = -80.0

    def strip(self, x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
        """Fills a rectangle between x0 and x1, z0 and z1."""
        corners = np.array([(x0, 0.0, z0), (x1, 0.0, z0), (x1, 0.0, z1), (x0, 0.0, z1)])
        self.shape(corners, colour)

    def shape(self, corners: Array, colour: Colour) -> None:
        """Fills a convex outline (N, 3)."""
        outline = self.camera.polygon(corners)
        if outline is not None and np.abs(outline).max() < 1e6:
            cv2.fillConvexPoly(self.image, fixed(outline), colour, cv2.LINE_AA, SHIFT)


def _pave(ground: _Ground, street: Street, rng: Rng) -> None:
    asphalt = pick(rng, ((98, 96, 94), (84, 82, 82), (112, 110, 108)))
    for k, side in enumerate((-1, 1)):
        paving = pick(rng, _PAVINGS)
        inner = side * street.road
        wide = 9.0 if street.view != "along" and side == street.camera_side else 0.0
        outer = side * (street.road + street.pavement[k] + wide)
        ground.strip(inner, outer, ground.back, _FAR, paving)
        low, high = (-30.0, 30.0) if street.view == "across" else (0.0, 38.0)
        for z in np.arange(low, high, 1.2):
            ground.strip(inner, outer, float(z), float(z) + 0.05, darker(paving, 0.84))
        for x in np.arange(0.9, abs(outer - inner), 0.9):
            xx = inner + side * float(x)
            ground.strip(xx, xx + 0.04, ground.back, 45.0, darker(paving, 0.86))
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
        x, z = float(rng.uniform(-street.road, street.road - 2)), float(rng.uniform(low, high))
        tone = darker(asphalt, float(rng.choice([0.82, 0.88, 1.1])))
        ground.strip(x, x + float(rng.uniform(0.8, 2.0)), z, z + float(rng.uniform(1.0, 6.0)), tone)
    angles = np.linspace(0, 2 * np.pi, 15)[:-1]
    for _ in range(int(rng.integers(2, 6))):
        x, z = float(rng.uniform(-street.road, street.road)), float(rng.uniform(low, high))
        for radius, share in ((0.42, 0.6), (0.34, 0.8)):
            ring = np.stack(
                [x + radius * np.cos(angles), 0 * angles, z + radius * np.sin(angles)], axis=1
            )
            ground.shape(ring, darker(asphalt, share))


def _mark(ground: _Ground, street: Street) -> None:
    crossing = street.crosswalk
    per_side = len(street.lanes) // 2

    def clear(z: float) -> bool:
        return crossing is None or not crossing - 4.2 < z < crossing + 4.2

    for k in range(1, per_side):
        for side in (-1, 1):
            for z in np.arange(-48.0, 110.0, 6.0):
                if clear(float(z)) and clear(float(z) + 3.0):
                    x = side * k * LANE
                    ground.strip(x - 0.07, x + 0.07, float(z), float(z) + 3.0, _WHITE)
    spans = [(ground.back, 200.0)]
    if crossing is not None:
        spans = [(ground.back, crossing - 3.6), (crossing + 3.6, 200.0)]
    for z0, z1 in spans:
        if per_side == 1:
            for z in np.arange(-48.0, 110.0, 4.5):
                if clear(float(z)) and clear(float(z) + 2.0):
                    ground.strip(-0.07, 0.07, float(z), float(z) + 2.0, _WHITE)
        else:
            ground.strip(-0.19, -0.07, z0, z1, _WHITE)
            ground.strip(0.07, 0.19, z0, z1, _WHITE)
    if street.road > per_side * LANE + 0.5:
        for side in (-1, 1):
            x = side * per_side * LANE
            for z0, z1 in spans:
                ground.strip(x - 0.06, x + 0.06, z0, z1, darker(_WHITE, 0.85))
    if crossing is not None:
        for x in np.arange(-street.road + 0.4, street.road - 0.4, 1.0):
            ground.strip(float(x), float(x) + 0.5, crossing - 1.9, crossing + 1.9, _WHITE)
        for lane in street.lanes:
            z = crossing - lane.direction * 3.3
            ground.strip(lane.x - 1.55, lane.x + 1.55, z - 0.18, z + 0.18, _WHITE)


def _light_up(ground: _Ground, light: Light, ground_light: GroundLight) -> None:
    """Grain, sun and shadow, lamp light: one factor per pixel."""
    image, camera, rng = ground.image, ground.camera, ground.rng
    rows, columns = image.shape[:2]
    rays = _rays(camera, rows, columns)
    depth = (-camera.position[1] / np.minimum(rays[1], -1e-4)).astype(np.float32)
    x = (camera.position[0] + depth * rays[0]).astype(np.float32)
    z = (camera.position[2] + depth * rays[2]).astype(np.float32)
    tile = rng.normal(0.0, 1.0, (256, 256)).astype(np.float32)
    tile = tile * 0.05 + cv2.resize(rng.normal(0, 0.035, (24, 24)).astype(np.float32), (256, 256))
    grain = cv2.remap(tile, (x * 24) % 255, (z * 24) % 255, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    broad = cv2.resize(rng.normal(0, 1.0, (32, 32)).astype(np.float32), (256, 256))
    wear = cv2.remap(
        broad, (x * 7 + 90) % 255, (z * 3) % 255, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
    )
    sun, lamp = ground_light.seen(x, z)
    texture = 1.0 + grain * np.clip(18.0 / depth, 0.0, 1.0) + 0.03 * wear
    high = float(light.sun_direction[1])
    for channel in range(3):
        gain = light.ambient[channel] + light.sun[channel] * high * sun
        gain = (gain + light.lamp[channel] * 1.3 * lamp) * texture
        image[..., channel] = np.clip(image[..., channel] * gain, 0, 255).astype(np.uint8)


def _rays(camera: Camera, rows: int, columns: int) -> tuple[Array, Array, Array]:
    """World directions of all pixels, one (rows, columns) plane per axis, forward part 1."""
    xs = (np.arange(columns, dtype=np.float32) - camera.centre[0]) / camera.focal
    ys = (np.arange(rows, dtype=np.float32) - camera.centre[1]) / camera.focal
    right, down, forward = camera.rotation.astype(np.float32)
    planes = [
        xs[None, :] * right[axis] + ys[:, None] * down[axis] + forward[axis] for axis in range(3)
    ]
    return planes[0], planes[1], planes[2]
