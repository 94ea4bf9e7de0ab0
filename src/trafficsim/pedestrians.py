"""How people are built and dressed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trafficsim.camera import Array
from trafficsim.chance import uniform
from trafficsim.colours import Colour, pick

Rng = np.random.Generator

_SKINS: tuple[Colour, ...] = (
    (170, 195, 235), (140, 170, 215), (105, 140, 190), (75, 105, 150), (50, 70, 105),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (25, 25, 28), (30, 45, 70), (60, 95, 130), (110, 170, 205), (150, 150, 150), (30, 50, 110),
)  # fmt: skip
_TOPS: tuple[Colour, ...] = (
    (40, 40, 200), (200, 120, 40), (60, 160, 60), (235, 235, 235), (45, 45, 48), (50, 190, 235),
    (170, 90, 150), (120, 110, 60), (60, 120, 230), (150, 150, 155), (90, 60, 40), (180, 180, 120),
)  # fmt: skip
_BOTTOMS: tuple[Colour, ...] = (
    (110, 75, 45), (60, 45, 35), (40, 40, 42), (120, 140, 160), (90, 95, 90), (70, 85, 120),
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """How one person is built and dressed. Lengths in m."""

    height: float
    girth: float
    stride: float
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoe: Colour
    long_hair: bool
    hat: bool
    short_sleeves: bool
    skirt: bool
    coat: bool
    backpack: Colour | None
    bag: Colour | None

    @cached_property
    def rows(self) -> Array:
        """float64 (10, 3), what `see_figure` takes."""
        nothing = (-1.0, -1.0, -1.0)
        return np.array(
            [
                (self.height, self.girth, self.stride),
                (self.short_sleeves, self.skirt, self.coat),
                (self.long_hair, self.hat, 0.0),
                self.skin, self.hair, self.top, self.bottom, self.shoe,
                self.backpack or nothing, self.bag or nothing,
            ]
        )  # fmt: skip


def make_figure(rng: Rng) -> Figure:
    """A person with drawn size and clothes."""
    child = rng.random() < 0.1
    height = uniform(rng, 1.15, 1.4) if child else min(max(rng.normal(1.72, 0.09), 1.5), 1.95)
    coat = bool(rng.random() < 0.22)
    skirt = bool(rng.random() < 0.16) and not coat
    return Figure(
        height=height,
        girth=uniform(rng, 0.9, 1.25),
        stride=uniform(rng, 0.34, 0.46),
        skin=pick(rng, _SKINS),
        hair=pick(rng, _HAIRS),
        top=pick(rng, _TOPS),
        bottom=pick(rng, _BOTTOMS if not skirt else _TOPS),
        shoe=pick(rng, ((35, 35, 38), (225, 225, 225), (40, 60, 100))),
        long_hair=bool(rng.random() < 0.35),
        hat=bool(rng.random() < 0.12),
        short_sleeves=bool(rng.random() < 0.4) and not coat,
        skirt=skirt,
        coat=coat,
        backpack=pick(rng, _TOPS) if rng.random() < 0.2 else None,
        bag=pick(rng, _BOTTOMS) if rng.random() < 0.18 else None,
    )
