"""Several comparisons judged together: settings with one of them, and with the best.

They are judged by the largest |t| among them when all units' differences have their signs flipped
at random (Westfall and Young 1993, Resampling-Based Multiple Testing; exact where differences are
symmetric). That tests whether all are equal; where some are not, what differs blows up the flipped
variance, and intervals of the rest are too short: of 9 cells up to 5 standard deviations apart one
of them missed in 9% of worlds. So the differences less their mean are flipped too, and the higher
bar is taken (6%), up to Bonferroni's t, which always does. Five units can be flipped in 16 ways,
which reach no 5%: of less than ``FEW``, and where seeds differ too, Bonferroni's takes their place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segtrack.base.statistics import FEW, Bar, Estimate, Interval, difference, lend_seeds

_EXACT = 12  # up to so many units all flips are tried
_FLIPS, _BLOCK = 4000, 500
_ALIKE = 1e-10  # of the parts; what columns differ by less is rounding


@dataclass(frozen=True)
class Family:
    """Several cells compared. Positions are those of the cells.

    Attributes:
        reference: position of the cell that differences are taken to.
        differences: to the reference, by metric and cell; all hold together at the level.
        best: by metric, the cell with the highest score: of equal ones the reference, else the
            first.
        below: by metric and cell, True where the cell can be told to be below the best.
    """

    reference: int
    differences: dict[str, tuple[Interval, ...]]
    best: dict[str, int]
    below: dict[str, tuple[bool, ...]]


def compare_each(
    pairs: Sequence[tuple[Estimate, Estimate]], level: float = 0.95
) -> tuple[Interval, ...]:
    """Several comparisons on the same units, whose intervals hold all together at ``level``."""
    gaps = [difference(a, b) for a, b in pairs]
    known = [i for i, gap in enumerate(gaps) if not math.isnan(gap.se)]
    bar = Bar(max(len(known), 1), level)
    if len(known) > 1 and _flippable([one for pair in pairs for one in pair]):
        parts = np.stack([pairs[i][1].parts() - pairs[i][0].parts() for i in known], axis=1)
        shares = np.stack([pairs[i][0].shares for i in known], axis=1)
        for kind in (parts, _centred(parts, shares)):
            bar = bar.over([_largest(signs, kind, shares) for signs in flips(len(kind))])
    return tuple(bar.interval(gap) for gap in gaps)


def compare_all(
    cells: Sequence[Mapping[str, Estimate]], reference: int = 0, level: float = 0.95
) -> Family:
    """Compare cells with one of them, and with the best, over all metrics at once.

    Where all cells are equal, anything at all is said in at most 1 - level of worlds: cells are
    said to be below the best only where some cell differs from the reference. They are so judged by
    all pairs of cells (Tukey's way), since any two of equal ones could have been best and other.

    Args:
        cells: estimates by metric; the same metrics of which more is better, on the same units.
        reference: position of the cell that the others are compared with.
        level: of all that is said, 0..1.
    """
    metrics, order = list(cells[0]), range(len(cells))
    columns = {m: lend_seeds([one[m] for one in cells]) for m in metrics}
    cells = [{m: columns[m][i] for m in metrics} for i in order]
    others = [i for i in order if i != reference]
    pairs = [(cells[reference][m], cells[i][m]) for m in metrics for i in others]
    found = iter(compare_each(pairs, level))
    same = {m: _same(cells[reference][m]) for m in metrics}
    differences = {
        m: tuple(same[m] if i == reference else next(found) for i in order) for m in metrics
    }
    best = {
        m: max(order, key=lambda i: (or_least(cells[i][m].score), i == reference, -i))
        for m in metrics
    }
    below = {m: tuple(False for _ in order) for m in metrics}
    if any(gap.told for row in differences.values() for gap in row):
        bar = pairwise(cells, level)
        for m in metrics:
            top = cells[best[m]][m]
            below[m] = tuple(bar.interval(difference(one[m], top)).low > 0 for one in cells)
    return Family(reference, differences, best, below)


def or_least(score: float) -> float:
    """The score to choose by: the least of all where there is none."""
    return -math.inf if math.isnan(score) else score


def _same(one: Estimate) -> Interval:
    """What a cell differs by from itself: nothing, for sure."""
    gap = difference(one, one)
    return Interval(
        gap.difference, gap.difference, gap.difference, 0.0, gap.df, gap.units, gap.counted
    )


def _flippable(estimates: Sequence[Estimate]) -> bool:
    return all(one.counted >= FEW and len(one.whole) == 1 and one.lent is None for one in estimates)


def flips(units: int) -> Iterator[np.ndarray]:
    """Signs of units, float64 (B, U) block by block, first as they are; the last one never flips,
    since to flip all changes no |t|."""
    if units <= _EXACT:
        numbers = np.arange(2 ** (units - 1))[:, None]
        yield 1.0 - 2 * ((numbers >> np.arange(units)) & 1)
        return
    random = np.random.default_rng(0)
    for i in range(_FLIPS // _BLOCK):
        signs = 1.0 - 2 * random.integers(0, 2, (_BLOCK, units))
        if i == 0:
            signs[0] = 1
        yield signs


def pairwise(cells: Sequence[Mapping[str, Estimate]], level: float = 0.95) -> Bar:
    """The bar for all pairs of cells in all metrics; as ``compare_each`` of them, but faster.

    Args:
        cells: as in ``compare_all``.
        level: at which all pairs hold together, 0..1.
    """
    bar = Bar(math.comb(len(cells), 2) * len(cells[0]), level)
    if bar.count == 1 or not _flippable([one[m] for one in cells for m in one]):
        return bar
    tables = [np.stack([one[m].parts() for one in cells], axis=1) for m in cells[0]]
    tables = [table[:, ~np.isnan(table).any(axis=0)] for table in tables]
    tables = [table - table[:, :1] for table in tables]  # pairs stay, less of them is rounded off
    shares = [one.shares[:, None] for one in cells[0].values()]
    centred = [_centred(table, own) for table, own in zip(tables, shares, strict=True)]
    for kind in (tables, centred):
        bar = bar.over([np.maximum.reduce(list(map(_largest_pair, kind, shares)))])
    return bar


def _largest_pair(parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The largest |t| of all pairs of columns after each of all flips, of (U, N) and (U, 1).

    All that flips change is linear in the parts: of a pair it is the columns' difference.
    """
    own, found = _levers(shares)[0] * parts, []
    squares = [((own[:, i + 1 :] - own[:, [i]]) ** 2).sum(axis=0) for i in range(own.shape[1] - 1)]
    alike = _ALIKE**2 * (own**2).sum(axis=0).max(initial=0.0)
    squares = [np.where(row > alike, row, math.inf) for row in squares]  # t of 0, not of 0 / 0
    for signs in flips(len(parts)):
        sums, largest = _sums(signs, parts, shares), np.zeros(len(signs))
        for i, row in enumerate(squares):
            pairs = _squared_t(sums[:, :, i + 1 :] - sums[:, :, [i]], row, shares)
            np.maximum(largest, pairs.max(axis=1), out=largest)
        found.append(np.sqrt(largest))
    return np.concatenate(found)


def _centred(parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What is left of the parts (U, N) when each unit gives up its share of the whole."""
    left: np.ndarray = parts - len(parts) * shares * parts.mean(axis=0)
    return left


def _largest(signs: np.ndarray, parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The largest |t| of several differences, float64 (B,), after each flip.

    Args:
        signs: (B, U).
        parts: (U, N) of the differences, one at least; see ``Estimate.parts``.
        shares: (U, N), of the units in the size of all, of which a metric has its own.
    """
    squares = ((_levers(shares)[0] * parts) ** 2).sum(axis=0)
    largest = _squared_t(_sums(signs, parts, shares), squares, shares).max(axis=1)
    return np.asarray(np.sqrt(largest))


def _levers(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a flipped difference's pseudo-values are made of: less their mean, they are
    ``sign * lever * part - mean * common``."""
    units = len(shares)
    lever = (units - 1) / (units * (1 - shares))
    return lever, units * lever * shares


def _sums(signs: np.ndarray, parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Sums over the flipped parts, as they are, levered, and those times common: (3, B, N)."""
    lever, common = _levers(shares)
    own = lever * parts
    return np.stack([signs @ parts, signs @ own, signs @ (own * common)])


def _squared_t(sums: np.ndarray, squares: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """t squared, float64 (B, N), after each flip.

    The jackknife-t of the flipped differences themselves: flipping pseudo-values, which already
    hold the whole difference, said too much of units of unequal size (5.6% instead of 4.8%).

    Args:
        sums: of the flipped differences, see ``_sums``.
        squares: (N,), of their levered parts, summed over units.
    """
    units, (_, common) = len(shares), _levers(shares)
    mean, own, crossed = sums[0] / units, sums[1], sums[2]
    squares = squares + mean**2 * (common**2).sum(axis=0) - 2 * mean * crossed
    middle = (own - mean * common.sum(axis=0)) / units
    variance = (squares / units - middle**2) / (units - 1)
    floor = np.maximum(1e-14 * mean**2, np.finfo(float).tiny)  # units that do not differ
    return np.asarray(mean**2 / np.maximum(variance, floor))
