"""Fronts of houses as a street shows them: one of those that are drawn, lit and weathered."""

from __future__ import annotations

from functools import lru_cache
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trafficsim.chance import uniform
from trafficsim.fronts import FLOOR, paint_front
from trafficsim.rectangles import PER_METRE
from trafficsim.textures import Texture

Rng = np.random.Generator
Array = NDArray[np.float64]

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
    texture = _drawn(*front)
    for k in range(narrower + lower):
        texture = halved(texture, k < narrower)
    return texture


def halved(texture: Texture, across: bool) -> Texture:
    """A texture with half its columns (`across`) or rows, an odd one at the end as it is."""
    lines = texture.T if across else texture
    pairs = len(lines) // 2 * 2
    a, b = lines[0:pairs:2], lines[1:pairs:2]
    apart = ((a ^ b) & np.uint32(0xFEFEFEFE)) >> np.uint32(1)
    # four means, rounded down and then up
    means = (a & b) + apart if across else (a | b) - apart
    shrunk = np.concatenate([means, lines[pairs:]])
    return np.ascontiguousarray(shrunk.T if across else shrunk)


@lru_cache(_KEPT // 4)
def _drawn(widths: int, floors: int, which: int, lit_windows: float, gable: bool) -> Texture:
    """A front in its own colours, as `paint_front` makes it."""
    rng = np.random.default_rng((widths, floors, which, int(100 * lit_windows), gable))
    return paint_front(rng, widths * _WIDER, floors * FLOOR + _ROOM, lit_windows, gable)
