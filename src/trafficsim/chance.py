"""Single draws of chance: the numbers that numpy's generators give, in a fraction of their time.

A scene draws some hundred numbers one by one, where numpy's checks of arguments take longest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import TypeVar

import numpy as np

Rng = np.random.Generator
T = TypeVar("T")


def uniform(rng: Rng, low: float, high: float) -> float:
    """As ``rng.uniform(low, high)``."""
    return low + (high - low) * rng.random()


def one_of(rng: Rng, values: Sequence[T], odds: tuple[float, ...] = ()) -> T:
    """As ``rng.choice(values, p=odds)``; without `odds` all are equally likely."""
    if not odds:
        return values[int(rng.integers(len(values)))]
    return values[bisect_right(_cumulated(odds), rng.random())]


@cache
def _cumulated(odds: tuple[float, ...]) -> tuple[float, ...]:
    *sums, last = accumulate(odds)
    return (*(s / last for s in sums), 1.0)
