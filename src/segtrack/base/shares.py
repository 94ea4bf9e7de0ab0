"""How sure a share is, such as that of the objects that were found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

_Z = 1.959964  # of a two-sided 95 % interval


def share_interval(hits: NDArray[np.bool_], unit: NDArray[np.int64]) -> tuple[float, float]:
    """95 % interval of a share, of units like these.

    Wilson's (1927), which holds for small counts and at 0 and 1, where a jackknife would give no
    width at all. What is in one unit, an image or a group of them, resembles each other: so the
    count is that of as many independent ones as the spread between units stands for, less what few
    units leave uncertain of that spread (Korn and Graubard 1998, Survey Methodology 24).

    Args:
        hits: bool (N,), what the share is of. unit: int (N,), where each is.

    Returns:
        0 and 1 where there are less than two units.
    """
    _, of = np.unique(unit, return_inverse=True)
    number, units = np.bincount(of), int(of.max(initial=-1)) + 1
    if units < 2:
        return 0.0, 1.0
    count, share = len(hits), float(hits.mean())
    off = np.bincount(of, hits) - share * number
    variance = units / (units - 1) * float((off**2).sum()) / count**2
    alone = share * (1 - share) / max(count - 1, 1)  # the variance of independent ones
    effective = min(count, count * alone / variance) if variance > 0 else count
    effective *= float(stdtrit(count - 1, 0.975) / stdtrit(units - 1, 0.975)) ** 2
    return _wilson(share, effective)


def _wilson(share: float, count: float) -> tuple[float, float]:
    """95 % interval of a share of so many independent ones."""
    square = _Z * _Z
    middle = share + square / (2 * count)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    scale = 1 + square / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
