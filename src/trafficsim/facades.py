"""Fronts of houses as a street shows them: one of those that are drawn, lit and weathered."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.fronts import FLOOR, paint_front
from trafficsim.light import Light

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_WIDER, _ROOM = 2.5, 1.2
"""Drawn fronts differ by so many m in width; they are so many m higher than their floors."""

_VARIANTS, _KEPT = 3, 512
"""Fronts of each size, and how many of all a process keeps, of some 0.2 MB each."""


def draw_front(
    rng: Rng, extent: tuple[float, float], size: tuple[float, float], light: Light, gain: Array,
    gable: bool = False,
) -> Image:  # fmt: skip
    """A front as uint8 (h, w, 3) BGR.

    It is one of those that a process keeps, stretched a little (a narrow one is cut), lit and
    weathered: drawing the windows of a street's houses takes a sixth of a picture's time.

    Args:
        rng: Where chance comes from.
        extent: Its width and height, m.
        size: How many px it has to be wide and high; it gets fewer where it was drawn with fewer.
        light: Decides which windows are lit.
        gain: Light on the wall (3,), a factor.
        gable: A side wall: few windows, no door.
    """
    width, height = extent
    which = int(rng.integers(_VARIANTS))
    sizes = max(round(width / _WIDER), 1), max(round((height - _ROOM) / FLOOR), 2)
    half, front = _drawn(*sizes, which, light.lit_windows, gable)
    if half.shape[1] >= size[0] and half.shape[0] >= size[1]:
        front = half
    if width < _WIDER:
        front = front[:, : max(round(front.shape[1] * width / _WIDER), 4)]
    rows, columns = front.shape[:2]
    fitting = int(min(max(size[0], 4), columns)), int(min(max(size[1], 4), rows))
    # shrunk here, since warping does not average over the pixels that it skips
    front = np.asarray(cv2.resize(front, fitting, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(front, cv2.COLOR_BGRA2BGR)
    own = (front[..., 3] > 127).view(np.uint8)
    tint = rng.uniform(0.85, 1.15) * rng.uniform(0.9, 1.1, 3)
    lit = cv2.multiply(bgr, np.append(gain * tint, 0.0))
    cv2.copyTo(bgr, own, lit)
    return _weathered(np.asarray(lit, dtype=np.uint8), extent, rng)


@lru_cache(_KEPT)
def _drawn(
    widths: int, floors: int, which: int, lit_windows: float, gable: bool
) -> tuple[Image, Image]:
    """A front in its own colours, uint8 (h, w, 4): at half its size, and at all of it."""
    rng = np.random.default_rng((widths, floors, which, int(100 * lit_windows), gable))
    front = paint_front(rng, widths * _WIDER, floors * FLOOR + _ROOM, lit_windows, gable)
    half = cv2.resize(front, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(half, dtype=np.uint8), front


def _weathered(image: Image, extent: tuple[float, float], rng: Rng) -> Image:
    """Slow stains, and a wall that darkens a little towards the ground."""
    rows, columns = image.shape[:2]
    cells = max(2, int(extent[1] / 1.5)), max(2, int(extent[0] / 1.5))
    coarse = rng.normal(1.0, 0.05, cells) * np.linspace(1.03, 0.9, cells[0])[:, None]
    factor = cv2.cvtColor(coarse.astype(np.float32), cv2.COLOR_GRAY2BGR)
    factor = cv2.resize(factor, (columns, rows))
    return np.asarray(cv2.multiply(image, factor, dtype=cv2.CV_8U), dtype=np.uint8)
