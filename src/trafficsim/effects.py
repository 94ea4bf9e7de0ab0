"""What covers the picture: shadows on the ground, beams and glow of lamps, noise, shake."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import Camera
from trafficsim.light import Light
from trafficsim.projection import see_ground
from trafficsim.raster import stamp

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]

_STRIP = 32
"""Rows of noise that are made at a time, which stay in the processor's cache."""


_ROOM = 64
"""By how many px a tile of noise may be moved, across and down."""


class GroundLayer:
    """A small one-channel picture of the ground that is blurred and laid over the image.

    Args:
        size: Image (width, height), px.
        step: One pixel of the layer is `step` px of the image.
        empty: What the layer holds where nothing is drawn.
    """

    def __init__(self, size: tuple[int, int], step: int, empty: int) -> None:
        self._step, self._empty = step, empty
        self._plane: Image = np.full((size[1] // step + 1, size[0] // step + 1), empty, np.uint8)
        self._boxes: list[Box] = []
        self._size = size

    def draw(
        self, camera: Camera, things: list[Array], values: list[float],
        slide: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> list[Box]:  # fmt: skip
        """Fills the hulls of shadows on the ground, and returns where, px; each has its value.

        Args:
            camera: What sees them.
            things: World points (N, 3) of each.
            values: What to fill with, 0..255.
            slide: How far (x, 0, z) the shadow of what is 1 m high falls, m.
        """
        if not things:
            return []
        focal, x, y = camera.lens
        lens = focal / self._step, (x + 0.5) / self._step - 0.5, (y + 0.5) / self._step - 0.5
        points, counts = see_ground(
            camera.rotation, camera.position, lens, np.concatenate(things),
            np.array([len(thing) for thing in things]), slide,
        )  # fmt: skip
        boxes = stamp(self._plane, points, counts, np.rint(values).astype(np.int64))
        boxes = boxes[boxes[:, 2] > 0]
        # what is drawn is blurred afterwards
        boxes[:, :2] -= 2
        boxes[:, 2:] += 2
        boxes = np.clip(boxes * self._step, 0, [*self._size, *self._size])
        drawn: list[Box] = boxes.tolist()
        self._boxes += drawn
        return drawn

    def multiply_into(self, image: Image) -> None:
        """Darkens `image` by the layer, 255 being 1."""
        region = self._region(1)
        if region is not None:
            rows, columns, factor = region
            view = image[rows, columns]
            cv2.multiply(view, cv2.merge([factor] * 3), view, 1.0 / 255.0)

    def add_into(self, image: Image, colour: tuple[float, float, float]) -> None:
        """Adds light of a colour (BGR factors) to `image`."""
        region = self._region(2)
        if region is not None:
            rows, columns, extra = region
            view = image[rows, columns]
            light = cv2.merge([cv2.convertScaleAbs(extra, alpha=c) for c in colour])
            cv2.add(view, light, view)

    def _region(self, softness: int) -> tuple[slice, slice, Image] | None:
        """The part that was drawn on, blurred and at image size."""
        if not self._boxes:
            return None
        step = self._step
        boxes = np.array(self._boxes)
        x0, y0 = (boxes[:, :2].min(axis=0) // step).tolist()
        x1, y1 = (-(-boxes[:, 2:].max(axis=0) // step)).tolist()
        part = self._plane[y0:y1, x0:x1]
        kernel = 2 * softness + 1
        part = np.asarray(cv2.blur(part, (kernel, kernel)), dtype=np.uint8)
        full = cv2.resize(part, ((x1 - x0) * step, (y1 - y0) * step))
        rows = slice(y0 * step, min(y1 * step, self._size[1]))
        columns = slice(x0 * step, min(x1 * step, self._size[0]))
        cut = full[: rows.stop - rows.start, : columns.stop - columns.start]
        return rows, columns, np.asarray(cut, dtype=np.uint8)


_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
"""The standard normal distribution in 256 equal parts: with bytes of chance a sixth of the time."""


class Noise:
    """Sensor noise from a tile that is laid down at a place of chance in each frame.

    The tile is the same for all scenes of a size and a light.

    Args:
        size: Image (width, height), px.
        sigma: Of its two parts, of which the standard deviation is .92 in all; grey levels.
    """

    def __init__(self, size: tuple[int, int], sigma: float) -> None:
        self._plus, self._minus = _noise_tile(size, sigma)

    def apply(self, image: Image, rng: Rng) -> None:
        """Adds noise to `image` in place."""
        y, x = rng.integers(0, _ROOM, 2, endpoint=True).tolist()
        height, width = image.shape[:2]
        cv2.add(image, self._plus[y : y + height, x : x + width], image)
        cv2.subtract(image, self._minus[y : y + height, x : x + width], image)


@lru_cache(3)
def _noise_tile(size: tuple[int, int], sigma: float) -> tuple[Image, Image]:
    """What noise adds and what it takes away; a tile is `_ROOM` px wider and higher than images."""
    rng = np.random.default_rng(0)
    width, height = size
    shape = (height + _ROOM, width + _ROOM)
    own, shared = ((c * sigma * _NORMAL).astype(np.float32) for c in (0.6, 0.7))
    plus: Image = np.empty((*shape, 3), np.uint8)
    minus: Image = np.empty((*shape, 3), np.uint8)
    zero = np.zeros(4)  # a number for each channel
    for top in range(0, shape[0], _STRIP):
        rows = slice(top, min(top + _STRIP, shape[0]))
        strip = (rows.stop - top, shape[1])
        grain = cv2.LUT(_bytes(rng, (*strip, 3)), own)
        grey = cv2.LUT(_bytes(rng, strip), shared)
        cv2.add(grain, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), grain)
        # whole numbers from 0 to 255: OpenCV rounds half to even
        cv2.add(grain, zero, plus[rows], dtype=cv2.CV_8U)
        cv2.subtract(zero, grain, minus[rows], dtype=cv2.CV_8U)
    return plus, minus


def _bytes(rng: Rng, shape: tuple[int, ...]) -> Image:
    return np.frombuffer(rng.bytes(prod(shape)), np.uint8).reshape(shape)


def _make_glow() -> Image:
    grid = np.linspace(-1, 1, 33)
    radius = np.hypot(grid[:, None], grid[None, :])
    halo = 0.55 * np.exp(-((radius / 0.35) ** 2)) + 0.45 * np.exp(-((radius / 0.12) ** 2))
    return (255 * np.where(radius < 1.0, halo * (1 - radius), 0.0)).astype(np.uint8)


_GLOW = _make_glow()


def add_glow(
    image: Image, at: tuple[float, float], radius: float, colour: tuple[float, float, float]
) -> Box:
    """Adds a round shine of a colour (BGR factors) and a radius in px around `at`.

    Returns where, px; a box of no pixels if that is outside.
    """
    r = max(2, round(radius))
    height, width = image.shape[:2]
    x0, y0 = round(at[0]) - r, round(at[1]) - r
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + 2 * r + 1, width), min(y0 + 2 * r + 1, height)
    if left >= right or top >= bottom or r > width:
        return 0, 0, 0, 0
    glow = cv2.resize(_GLOW, (2 * r + 1, 2 * r + 1), interpolation=cv2.INTER_LINEAR)
    part = glow[top - y0 : bottom - y0, left - x0 : right - x0]
    view = image[top:bottom, left:right]
    cv2.add(view, cv2.merge([cv2.convertScaleAbs(part, alpha=c) for c in colour]), view)
    return left, top, right, bottom


class Shake:
    """A hand-held camera: slow sway, a little tremor, in whole px."""

    def __init__(self, rng: Rng, amplitude: float) -> None:
        self.margin = int(np.ceil(1.5 * amplitude)) + 1 if amplitude > 0 else 0
        self._amplitude = amplitude
        self._rates = rng.uniform((0.4, 1.1, 3.0), (0.8, 2.0, 5.5), (2, 3)) * 2 * np.pi
        self._phases = rng.uniform(0, 2 * np.pi, (2, 3))

    def at(self, seconds: float) -> tuple[int, int]:
        """How far the picture is moved, (dx, dy) px, at most `margin`."""
        waves = np.sin(self._rates * seconds + self._phases) @ np.array([0.7, 0.45, 0.3])
        moved = np.rint(self._amplitude * waves).astype(int).tolist()
        return moved[0], moved[1]


def shadow_factor(light: Light) -> float:
    """How much darker the ground is in the shade of the sun, 0..1."""
    sun = light.sun * light.sun_direction[1]
    return float((light.ambient / (light.ambient + sun)).mean())
