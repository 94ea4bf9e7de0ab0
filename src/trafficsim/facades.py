"""Fronts of houses as a street shows them: one of those that are drawn, lit and weathered."""

from __future__ import annotations

from functools import lru_cache
from math import log2
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim.chance import uniform
from trafficsim.fronts import FLOOR, PER_METRE, paint_front
from trafficsim.textures import Texture, as_texture

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_WIDER, _ROOM = 2.5, 1.2
"""Drawn fronts differ by so many m in width; they are so many m higher than their floors."""

_VARIANTS, _KEPT = 3, 2048
"""Fronts of each size, and how many pictures of them a process keeps, of some 0.1 MB each."""


class Front(NamedTuple):
    """What a wall shows.

    Attributes:
        texture: uint32 (h, w).
        shown: How many of its columns and rows are the wall, from the upper left.
        tint: float64 (3,), a factor.
    """

    texture: Texture
    shown: tuple[float, float]
    tint: Array


def choose_front(
    rng: Rng, extent: tuple[float, float], size: tuple[float, float], lit_windows: float,
    gable: bool = False,
) -> Front:  # fmt: skip
    """A front: one of those that a process keeps, stretched a little (a narrow one is cut).

    Drawing the windows of a street's houses takes long.

    Args:
        rng: Where chance comes from.
        extent: Its width and height, m.
        size: How many px it is wide and high in the picture; its texture has .7 to 1.4 times as
            many, fewer where it was drawn with fewer, and not fewer than some four.
        lit_windows: Share of windows with a light on.
        gable: A side wall: few windows, no door.
    """
    width, height = extent
    which = int(rng.integers(_VARIANTS))
    sizes = max(round(width / _WIDER), 1), max(round((height - _ROOM) / FLOOR), 2)
    tint = uniform(rng, 0.85, 1.15) * (0.9 + (1.1 - 0.9) * rng.random(3))
    share = min(width / _WIDER, 1.0)
    drawn = sizes[0] * _WIDER * share * PER_METRE, (sizes[1] * FLOOR + _ROOM) * PER_METRE
    narrower, lower = (_halvings(has, wanted) for has, wanted in zip(drawn, size, strict=True))
    texture = _kept((*sizes, which, lit_windows, gable), narrower, lower)
    return Front(texture, (drawn[0] / 2**narrower, drawn[1] / 2**lower), tint)


def _halvings(has: float, wanted: float) -> int:
    """How often a length of `has` px is halved to come near to what is wanted."""
    return min(max(round(log2(has / max(wanted, 4.0))), 0), 6)


@lru_cache(_KEPT)
def _kept(front: tuple[int, int, int, float, bool], narrower: int, lower: int) -> Texture:
    """A front with its width and its height halved so often, uint32 (h, w).

    Shrunk here, since painting does not average over the pixels that it skips.
    """
    texture = as_texture(_drawn(*front))
    for k in range(narrower + lower):
        texture = halved(texture, k < narrower)
    return texture


@compiled
def halved(texture: Texture, across: bool) -> Texture:
    """A texture with half its columns (`across`) or rows, an odd one at the end as it is."""
    height, width = texture.shape
    if across:
        shrunk = np.empty((height, (width + 1) // 2), np.uint32)
        for y in range(height):
            for x in range(width // 2):
                a, b = texture[y, 2 * x], texture[y, 2 * x + 1]
                shrunk[y, x] = (a & b) + (((a ^ b) & 0xFEFEFEFE) >> 1)  # four means, rounded down
            if width % 2:
                shrunk[y, width // 2] = texture[y, width - 1]
        return shrunk
    shrunk = np.empty(((height + 1) // 2, width), np.uint32)
    for y in range(height // 2):
        for x in range(width):
            a, b = texture[2 * y, x], texture[2 * y + 1, x]
            shrunk[y, x] = (a | b) - (((a ^ b) & 0xFEFEFEFE) >> 1)  # rounded up
    if height % 2:
        shrunk[height // 2] = texture[height - 1]
    return shrunk


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
