"""Choosing and varying colours (BGR, 0..255)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = tuple[float, float, float]


def pick(rng: np.random.Generator, paints: Sequence[Colour]) -> Colour:
    """One of `paints`, a little lighter, darker or tinted."""
    base = np.array(paints[int(rng.integers(len(paints)))], dtype=np.float64)
    varied = np.clip(base * rng.uniform(0.88, 1.08) + rng.uniform(-8, 8, 3), 12, 245)
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def darker(colour: Colour, factor: float) -> Colour:
    """The colour times a factor."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)
