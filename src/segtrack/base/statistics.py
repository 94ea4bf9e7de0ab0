"""How sure a difference of two scores is, from the units that both were scored on.

A unit is what was drawn from the world on its own: a sequence, a source group of images, an image.
Pieces of one are no substitute, for they leave out how units differ.

One comparison is the jackknife-t (Efron and Tibshirani 1993, An Introduction to the Bootstrap,
chapter 11): with D the difference over all U units and D(u) that without unit u, the pseudo-values
are p(u) = U D - (U - 1) D(u) and the standard error is their SD over root U. Scores are ratios of
sums, so the large units weigh more, and U - 1 degrees of freedom are too many. They are taken from
Kish's effective number of units (1965, Survey Sampling), (sum of sizes)^2 / sum of squared sizes,
less one and not below half of U - 1. Measured as ``scripts/bench_intervals.py`` does, on 24 pairs
of trackers and KITTI's 20 sequences with cars, 4 / 7 / 20 drawn, HOTA: U - 1 missed in 9.1 / 8.2 /
6.3%, with widths of 12.0 / 6.6 / 3.1 points; this in 5.3 / 5.5 / 5.2%, with 18.5 / 8.0 / 3.3.
Without the floor 4.9% at 4, but 23.7 wide; with the degrees of freedom of Bell and McCaffrey (2002)
for units that differ whatever their size 3.4 / 2.8 / 2.9%, and 28.8 / 13.3 / 4.1. Bootstrap-t was
worse (MOTA 12.4 / 9.3 / 5.4%, without bounds at 4). Centring at the mean pseudo-value, or squares
about D (CV3J and CV3 of MacKinnon, Nielsen and Webb 2023) changed misses by .3%. Of many units
(ratios over 30 to 400 images) this missed in 4.8 to 7.3%, BCa in 5.7 to 10.3%.

Several comparisons at once are the subject of ``segtrack.base.families``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import nctdtr, stdtrit  # type: ignore[import-untyped]

FEW = 6
"""Below so many units signs cannot be flipped in enough ways, and the units' own differences are
the first thing to look at."""
_NOISELESS = 1e-7  # of a difference; a standard error of less is rounding


@dataclass(frozen=True)
class Estimate:
    """One metric of one setting. Units have the same order in all that is compared.

    Attributes:
        names: U units.
        size: float64 (U,), what a unit weighs in the score, such as its ground-truth objects.
        whole: float64 (S,), the score of all units, by seed; S is 1 where nothing was repeated.
        without: float64 (S, U), the score with unit u left out.
        alone: float64 (S, U), the score of unit u by itself; NaN where it has none.
        reach: by how much two such scores can differ at most; infinite where nothing bounds them.
        lent: SD over seeds and its degrees of freedom, of settings beside this one, which has one
            seed; see ``lend_seeds``.
    """

    names: tuple[str, ...]
    size: np.ndarray
    whole: np.ndarray
    without: np.ndarray
    alone: np.ndarray
    reach: float = math.inf
    lent: tuple[float, int] | None = None

    @property
    def counted(self) -> int:
        """How many units weigh anything."""
        return int(np.count_nonzero(self.size))

    @property
    def shares(self) -> np.ndarray:
        """Of each unit in the size of all, float64 (U,)."""
        total, units = self.size.sum(), len(self.size)
        return self.size / total if total else np.full(units, 1 / max(units, 1))

    @property
    def score(self) -> float:
        """The mean over seeds."""
        return float(self.whole.mean())

    @property
    def seed_sd(self) -> float:
        """SD over seeds; NaN of one."""
        return float(self.whole.std(ddof=1)) if len(self.whole) > 1 else math.nan

    def pseudo(self) -> np.ndarray:
        """What each unit stands for, float64 (U,): pseudo-values, moved to have ``score`` as mean.

        NaN where there are less than two units, or one alone has all that the score is about.
        """
        units = len(self.names)
        if units < 2:
            return np.full(units, math.nan)
        left = self.without.mean(axis=0)
        values: np.ndarray = self.score + (units - 1) * (left.mean() - left)
        return values

    def parts(self) -> np.ndarray:
        """What each unit adds to the score, U times, float64 (U,): of a ratio its own numerator
        over the mean size. Their mean is ``score``; NaN like ``pseudo``."""
        units, shares = len(self.names), self.shares
        values: np.ndarray = units * (self.score - (1 - shares) * self.without.mean(axis=0))
        values += units * shares * (self.score - values.mean())
        return values


@dataclass(frozen=True)
class Interval:
    """A difference of two scores, b - a, in the scores' unit, and how sure it is.

    Attributes:
        difference: over all units, of the means over seeds.
        low, high: ends of the interval, within ``reach``; NaN where nothing can be said: from one
            unit, or where there is a difference without any noise, which few units can show by
            chance.
        se: standard error of the difference.
        df: its degrees of freedom.
        units: U.
        counted: of them those that weigh anything.
        seeds: of the side that has more; of 1 the interval does not hold the noise of seeds.
        spread: SD between units, of their pseudo-values.
        each: of each unit by itself; NaN where it has no score.
        reach: what no difference of such scores goes beyond.
    """

    difference: float
    low: float
    high: float
    se: float = math.nan
    df: float = math.nan
    units: int = 0
    counted: int = 0
    seeds: int = 1
    spread: float = math.nan
    each: tuple[float, ...] = ()
    reach: float = math.inf

    @property
    def told(self) -> bool:
        """Whether the sign of the difference can be told: 0 lies outside."""
        return self.low > 0 or self.high < 0

    @property
    def against(self) -> int:
        """How many units by themselves go the other way than the whole."""
        return sum(one * self.difference < 0 for one in self.each)

    @property
    def scored(self) -> int:
        """How many units have a difference by themselves."""
        return sum(not math.isnan(one) for one in self.each)


def compare(a: Estimate, b: Estimate, level: float = 0.95) -> Interval:
    """How much better b is than a, as a single comparison that was decided on beforehand.

    The variance is that between units, of the means over seeds, plus that between seeds, of each
    side; degrees of freedom as Satterthwaite (1946) puts them together. What seeds and units do
    together is in both parts: rather too much than too little. A side of one seed borrows the other
    side's SD over seeds.

    Args:
        a, b: on the same units.
        level: of the interval, 0..1.
    """
    return Bar(1, level).interval(difference(a, b))


def lend_seeds(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Those of one seed borrow the SD over seeds of the others, taken together.

    Without it a setting of one seed would count as one that seeds cannot change.
    """
    known = [one for one in estimates if len(one.whole) > 1]
    df = sum(len(one.whole) - 1 for one in known)
    if not df:
        return list(estimates)
    sd = math.sqrt(sum((len(one.whole) - 1) * one.seed_sd**2 for one in known) / df)
    return [
        replace(one, lent=(sd, df)) if len(one.whole) == 1 and one.lent is None else one
        for one in estimates
    ]


def units_needed(gap: Interval, power: float = 0.8, level: float = 0.95) -> int | None:
    """How many units it would take to tell such a difference, at the spread that was seen.

    Args:
        gap: a single comparison.
        power: chance of telling it, 0..1.
        level: of the interval.

    Returns:
        None where no number is known to do: there is no difference or no noise, or the noise of
        seeds alone hides it.
    """
    if math.isnan(gap.low) or gap.difference == 0:
        return None
    of_seeds = gap.se**2 - gap.spread**2 / gap.units
    of_seeds = of_seeds if of_seeds > 1e-9 * gap.se**2 else 0.0

    def enough(units: int) -> bool:
        df = gap.df if of_seeds else max(units * (gap.df + 1) / gap.units - 1, 1.0)
        se = math.sqrt(gap.spread**2 / units + of_seeds)
        return se == 0 or float(nctdtr(df, abs(gap.difference) / se, _t(df, level))) <= 1 - power

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > 2**30:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class Bar:
    """How many standard errors a difference has to be from 0.

    Attributes:
        count: comparisons that are made together.
        level: at which they hold.
        flipped: the number, where flips told it, within a single t and Bonferroni's; else it is
            Bonferroni's t.
    """

    count: int
    level: float
    flipped: float | None = None

    def over(self, largest: Sequence[np.ndarray]) -> Bar:
        """The bar that at most 1 - level of the flips' largest |t| pass, if it is higher.

        Args:
            largest: (B,) block by block.
        """
        every = np.sort(np.concatenate(largest))
        flipped = float(every[math.ceil(self.level * len(every) - 1e-9) - 1]) * (1 + 1e-9)
        return replace(self, flipped=max(flipped, self.flipped or 0))

    def interval(self, gap: Interval) -> Interval:
        """The same difference with the interval's ends."""
        if math.isnan(gap.se) or gap.se <= _NOISELESS * abs(gap.difference) > 0:
            return gap
        bar = most = _t(gap.df, 1 - (1 - self.level) / self.count)
        if self.flipped is not None:
            # Of cells that differ in few units flips say too little, or have no spread at all.
            bar = min(max(self.flipped, _t(gap.df, self.level)), most)
        half = bar * gap.se if gap.se else 0.0
        # What lies beyond is never true: without it the interval holds the truth as often.
        low, high = max(gap.difference - half, -gap.reach), min(gap.difference + half, gap.reach)
        return replace(gap, low=low, high=high)


def difference(a: Estimate, b: Estimate) -> Interval:
    """The difference with its standard error, without ends."""
    a, b = lend_seeds([a, b])
    units, seeds = len(a.names), [len(one.whole) for one in (a, b)]
    each = tuple((b.alone.mean(axis=0) - a.alone.mean(axis=0)).tolist())
    values = b.pseudo() - a.pseudo()
    spread = float(values.std(ddof=1)) if units > 1 else math.nan
    df = _freedom(a.size)
    parts = [(spread**2 / max(units, 1) if df else math.nan, df)]
    if lent := a.lent or b.lent:
        parts.append((lent[0] ** 2 * (1 / seeds[0] + 1 / seeds[1]), lent[1]))
    elif min(seeds) > 1:
        parts += [(one.seed_sd**2 / len(one.whole), len(one.whole) - 1) for one in (a, b)]
    variance = sum(part for part, _ in parts)
    if variance > 0:
        df = variance**2 / sum(part**2 / own for part, own in parts)
    return Interval(
        b.score - a.score,
        *(math.nan, math.nan, math.sqrt(variance), df, units, a.counted, max(seeds), spread, each),
        max(a.reach, b.reach),
    )


def _freedom(size: np.ndarray) -> float:
    """Degrees of freedom between units of such sizes; those that weigh nothing add none."""
    squares = float((size**2).sum())
    if not squares:
        return len(size) - 1
    kish = float(size.sum()) ** 2 / squares
    return max(kish - 1, (int(np.count_nonzero(size)) - 1) / 2)


def _t(df: float, level: float) -> float:
    """Student's t that a share ``level`` lies within."""
    return float(stdtrit(df, (1 + level) / 2))
