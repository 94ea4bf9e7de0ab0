"""Fronts of houses as a street shows them: one of those that are drawn, lit and weathered."""

from __future__ import annotations

from functools import lru_cache
from math import log2

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.fronts import FLOOR, PER_METRE, paint_front
from trafficsim.light import Light

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_WIDER, _ROOM = 2.5, 1.2
"""Drawn fronts differ by so many m in width; they are so many m higher than their floors."""

_VARIANTS, _KEPT = 3, 2048
"""Fronts of each size, and how many pictures of them a process keeps, of some 0.1 MB each."""


def draw_front(
    rng: Rng, extent: tuple[float, float], size: tuple[float, float], light: Light, gain: Array,
    gable: bool = False,
) -> Image:  # fmt: skip
    """A front as uint8 (h, w, 3) BGR.

    It is one of those that a process keeps, stretched a little (a narrow one is cut), and lit:
    drawing the windows of a street's houses takes long.

    Args:
        rng: Where chance comes from.
        extent: Its width and height, m.
        size: How many px it has to be wide and high; it has .7 to 1.4 times as many, fewer
            where it was drawn with fewer, and not fewer than some four.
        light: Decides which windows are lit.
        gain: Light on the wall (3,), a factor.
        gable: A side wall: few windows, no door.
    """
    width, height = extent
    which = int(rng.integers(_VARIANTS))
    sizes = max(round(width / _WIDER), 1), max(round((height - _ROOM) / FLOOR), 2)
    tint = rng.uniform(0.85, 1.15) * rng.uniform(0.9, 1.1, 3)
    share = min(width / _WIDER, 1.0)
    drawn = sizes[0] * _WIDER * share * PER_METRE, (sizes[1] * FLOOR + _ROOM) * PER_METRE
    halvings = [_halvings(has, wanted) for has, wanted in zip(drawn, size, strict=True)]
    front, own = _kept((*sizes, which, light.lit_windows, gable), *halvings)
    if share < 1.0:
        cut = max(round(front.shape[1] * share), 2)
        front, own = front[:, :cut], None if own is None else own[:, :cut]
    lit = cv2.multiply(front, np.append(gain * tint, 0.0))
    if own is not None:
        cv2.copyTo(front, own, lit)
    return np.asarray(lit, dtype=np.uint8)


def _halvings(has: float, wanted: float) -> int:
    """How often a length of `has` px is halved to come near to what is wanted."""
    return min(max(round(log2(has / max(wanted, 4.0))), 0), 6)


@lru_cache(_KEPT)
def _kept(
    front: tuple[int, int, int, float, bool], narrower: int, lower: int
) -> tuple[Image, Image | None]:
    """A front with its width and its height halved so often, uint8 (h, w, 3), and its own light.

    Shrunk here, since warping does not average over the pixels that it skips. The own light is
    uint8 (h, w), above 0 where a pixel has some; None where none has.
    """
    picture = _shrunk(front, narrower, lower)
    own = np.asarray(cv2.inRange(cv2.extractChannel(picture, 3), (128,), (255,)), np.uint8)
    bgr = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2BGR), np.uint8)
    return bgr, own if cv2.countNonZero(own) else None


def _shrunk(front: tuple[int, int, int, float, bool], narrower: int, lower: int) -> Image:
    """A front as `_drawn` has it, with its width and its height halved so often."""
    picture = _drawn(*front)
    if not narrower and not lower:
        return picture
    size = max(picture.shape[1] >> narrower, 2), max(picture.shape[0] >> lower, 2)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


@lru_cache(_KEPT // 4)
def _drawn(widths: int, floors: int, which: int, lit_windows: float, gable: bool) -> Image:
    """A front in its own colours, weathered, uint8 (h, w, 4) as `paint_front` makes it."""
    rng = np.random.default_rng((widths, floors, which, int(100 * lit_windows), gable))
    extent = widths * _WIDER, floors * FLOOR + _ROOM
    return _weathered(paint_front(rng, *extent, lit_windows, gable), extent, rng)


def _weathered(image: Image, extent: tuple[float, float], rng: Rng) -> Image:
    """Slow stains, and a wall that darkens a little towards the ground; not what shines."""
    rows, columns = image.shape[:2]
    cells = max(2, int(extent[1] / 1.5)), max(2, int(extent[0] / 1.5))
    coarse = rng.normal(1.0, 0.05, cells) * np.linspace(1.03, 0.9, cells[0])[:, None]
    factor = cv2.cvtColor(coarse.astype(np.float32), cv2.COLOR_GRAY2BGRA)
    factor[..., 3] = 1.0
    worn = cv2.multiply(image, cv2.resize(factor, (columns, rows)), dtype=cv2.CV_8U)
    cv2.copyTo(image, cv2.extractChannel(image, 3), worn)
    return np.asarray(worn, dtype=np.uint8)
