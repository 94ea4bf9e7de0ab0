"""The ground: road, pavements, kerbs, marks, wear, and the light that falls on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import NEAR, Camera, clip_near
from trafficsim.colours import Colour, darker, fill, pick
from trafficsim.groundlight import GroundLight
from trafficsim.light import Light
from trafficsim.mesh import SHIFT, fixed
from trafficsim.scene import LANE, Street

Rng = np.random.Generator
Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

_FAR = 300.0
_RING = [(float(np.sin(a)), float(np.cos(a))) for a in np.linspace(0, 2 * np.pi, 15)[:-1]]
_PERIOD = 255
"""Cells after which the ground's tiles repeat."""

_STRIP = 64
"""Rows that are lit at a time: what is worked out for them stays in the processor's cache."""

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
    fill(ground.image, pick(rng, _YARDS))
    _pave(ground, street, rng)
    _mark(ground, street)
    ground.draw()
    _light_up(ground, light, ground_light)


class _Ground:
    """Rectangles on the ground, in metres."""

    def __init__(self, image: Image, camera: Camera, rng: Rng) -> None:
        self.image, self.camera, self.rng = image, camera, rng
        self._corners: list[tuple[float, float, float]] = []
        self._waiting: list[tuple[int, Colour]] = []
        # far along both axes, so that the near plane always cuts the same way
        self.back = -80.0

    def strip(self, x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
        """Fills a rectangle between x0 and x1, z0 and z1."""
        self._corners += (x0, 0.0, z0), (x1, 0.0, z0), (x1, 0.0, z1), (x0, 0.0, z1)
        self._waiting.append((4, colour))

    def ring(self, x: float, z: float, radius: float, colour: Colour) -> None:
        """Fills a circle."""
        self._corners += [(x + radius * cos, 0.0, z + radius * sin) for sin, cos in _RING]
        self._waiting.append((len(_RING), colour))

    def draw(self) -> None:
        """Draws what was filled: all of it is projected in one go, which takes half the time."""
        seen = self.camera.to_camera(np.array(self._corners))
        counts = [count for count, _ in self._waiting]
        firsts = np.cumsum([0, *counts[:-1]])
        whole = (np.minimum.reduceat(seen[:, 2], firsts) >= NEAR).tolist()
        with np.errstate(divide="ignore", invalid="ignore"):  # beside the camera: cut below
            pixels = self.camera.to_pixels(seen)
            corners = fixed(pixels.clip(-1e6, 1e6))
        low, high = np.minimum.reduceat(pixels, firsts), np.maximum.reduceat(pixels, firsts)
        sides = [low < self.image.shape[1::-1], high > -1.0, low > -1e6, high < 1e6]
        shown: list[bool] = np.all(np.concatenate(sides, axis=1), axis=1).tolist()
        first = 0
        for (count, colour), ahead, inside in zip(self._waiting, whole, shown, strict=True):
            part = slice(first, first + count)
            first += count
            if ahead:
                if inside:
                    cv2.fillConvexPoly(self.image, corners[part], colour, cv2.LINE_AA, SHIFT)
                continue
            outline = self.camera.to_pixels(clip_near(seen[part]))
            if len(outline) >= 3 and np.abs(outline).max() < 1e6:
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
    for _ in range(int(rng.integers(2, 6))):
        x, z = float(rng.uniform(-street.road, street.road)), float(rng.uniform(low, high))
        for radius, share in ((0.42, 0.6), (0.34, 0.8)):
            ground.ring(x, z, radius, darker(asphalt, share))


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
    """Grain, stains, sun and shadow, lamp light: one factor per pixel and channel."""
    image, camera, rng = ground.image, ground.camera, ground.rng
    rows, columns = image.shape[:2]
    across, along = rng.uniform(0.0, _PERIOD, 2).tolist()  # where in the tiles the street begins
    centre = np.asarray(camera.centre, np.float32)
    x_half, y_half = (np.arange(0.5, n + 0.5, 2.0).astype(np.float32) for n in (columns, rows))
    first = across, along
    soft = _soft(camera, x_half - centre[0], y_half - centre[1], first, light, ground_light)
    whole = cv2.resize(soft, (2 * soft.shape[1], 2 * soft.shape[0]))  # of every second pixel
    soft = np.asarray(whole, dtype=np.float32)[:rows, :columns]
    focal = np.float32(camera.focal)
    xs = (np.arange(columns, dtype=np.float32) - centre[0]) / focal
    ys = (np.arange(rows, dtype=np.float32) - centre[1]) / focal
    grain, _ = _tiles()
    for top in range(0, rows, _STRIP):
        strip = slice(top, top + _STRIP)
        x, z, depth = _seen(camera, ys[strip, None])
        fade = np.clip(18.0 / depth - 0.25, 0.0, 1.0)
        factor = soft[strip]
        if fade.any():
            texture = _laid(grain, x.cells(xs, 24, across), z.cells(xs, 24, along))
            texture *= fade
            texture += 1.0
            cv2.multiply(factor, cv2.cvtColor(texture, cv2.COLOR_GRAY2BGR), factor)
        cv2.multiply(image[strip], factor, image[strip], dtype=cv2.CV_8U)


def _soft(
    camera: Camera, columns: Plane, rows: Plane, first: tuple[float, float], light: Light,
    ground_light: GroundLight,
) -> Plane:  # fmt: skip
    """Light times stains, a factor (h, w, 3), `columns` (w,) and `rows` (h,) px off the centre."""
    focal = np.float32(camera.focal)
    xs = columns / focal
    x, z, _ = _seen(camera, (rows / focal)[:, None])
    stains = _laid(_tiles()[1], x.cells(xs, 7, first[1]), z.cells(xs, 3, first[0]))
    stains += 1.0
    at = x.cells(xs), z.cells(xs)
    sun = ground_light.sun_at(*at) if ground_light.shaded else 1.0
    lamp = ground_light.lamp_at(*at) if ground_light.lit else 0.0
    high = float(light.sun_direction[1])
    planes = []
    for channel in range(3):
        # plain numbers, which leave float32 what it is
        gain = float(light.sun[channel] * high) * sun + float(light.ambient[channel])
        planes.append((gain + float(light.lamp[channel] * 1.3) * lamp) * stains)
    return np.asarray(cv2.merge(planes), dtype=np.float32)


@cache
def _tiles() -> tuple[Plane, Plane]:
    """Grain and broad stains of the ground, float32 (256, 256) around 0, which repeat."""
    rng = np.random.default_rng(0)
    grain, spots, stains = (
        cv2.resize(rng.normal(0.0, sd, (side, side)).astype(np.float32), (256, 256))
        for sd, side in ((0.05, 256), (0.035, 24), (0.03, 32))
    )
    tiles = np.asarray(grain + spots, np.float32), np.asarray(stains, np.float32)
    for tile in tiles:  # without a seam
        tile[_PERIOD], tile[:, _PERIOD] = tile[0], tile[:, 0]
    return tiles


@dataclass(frozen=True)
class _Axis:
    """A coordinate of the ground, m, on rows of the image, where it grows evenly: (h, 1) each."""

    slope: Plane
    start: Plane

    def cells(self, xs: Plane, per_metre: int = 1, first: float | None = None) -> Plane:
        """Cells (h, w) at columns `xs` (w,); with a `first` one, less whole periods per row."""
        start = self.start * per_metre
        if first is not None:
            start = (start + np.float32(first)) % _PERIOD
        cells = (self.slope * per_metre) * xs
        cells += start
        return cells


def _seen(camera: Camera, ys: Plane) -> tuple[_Axis, _Axis, Plane]:
    """The ground's x and z in rows (h, 1) of pixels, and their depth, m."""
    right, down, forward = camera.rotation.astype(np.float32)
    fall = ys * down[1] + forward[1]  # the camera does not roll: one number for each row
    depth = (-camera.position[1] / np.minimum(fall, -1e-4)).astype(np.float32)
    position = camera.position.astype(np.float32)
    x, z = (
        _Axis(depth * right[i], position[i] + depth * (ys * down[i] + forward[i])) for i in (0, 2)
    )
    return x, z, depth


def _laid(tile: Plane, across: Plane, along: Plane) -> Plane:
    """A tile as it lies repeated on the ground; the places are used up."""
    places = _repeated(across), _repeated(along)
    laid = cv2.remap(tile, *places, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    return np.asarray(laid, dtype=np.float32)


def _repeated(values: Plane) -> Plane:
    """Values brought into one period, in place, in a third of a remainder's time."""
    low, high = float(values[:, [0, -1]].min()), float(values[:, [0, -1]].max())
    if low < 0.0 or high >= _PERIOD:  # they grow evenly: the ends tell
        whole = values * np.float32(1.0 / _PERIOD)
        np.floor(whole, out=whole)
        whole *= _PERIOD
        values -= whole
    return values
