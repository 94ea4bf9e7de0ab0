"""Estimates of ratios and means."""

import numpy as np

from segtrack.base.statistics import Estimate


def ratio(hits: np.ndarray, size: np.ndarray) -> Estimate:
    """The score sum of hits / sum of sizes; hits are (U,) or, by seed, (S, U)."""
    hits = np.atleast_2d(np.asarray(hits, float))
    size = np.asarray(size, float)
    names, total, rest = tuple(map(str, range(len(size)))), size.sum(), size.sum() - size
    whole = hits.sum(axis=1) / (total or np.nan)
    without = (hits.sum(axis=1, keepdims=True) - hits) / np.where(rest > 0, rest, np.nan)
    alone = hits / np.where(size > 0, size, np.nan)
    return Estimate(names, size, whole, without, alone)


def mean(values: list[float] | np.ndarray) -> Estimate:
    values = np.asarray(values, float)
    return ratio(values, np.ones(values.shape[-1]))
