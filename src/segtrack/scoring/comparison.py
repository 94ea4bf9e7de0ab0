"""Cells of a sweep compared: which is best, by how much, and whether that can be told.

Scores and differences in tables and figures are in percent and percentage points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.statistics import Interval, Samples
from segtrack.scoring import METRICS, Units, check_paired, draw

NAMED = 6  # cells that a warning names before it only counts the rest


@dataclass(frozen=True)
class ScoredCell:
    """One cell of a sweep.

    Attributes:
        name: unique in the sweep.
        params: its values of the swept knobs.
        units: counts that it is chosen by: of the tuning sequences where there are such, else all.
        test: counts of the test sequences; None where sequences have no roles.
        default: its settings are the default ones.
    """

    name: str
    params: Mapping[str, Any]
    units: Units
    test: Units | None = None
    default: bool = False


@dataclass(frozen=True)
class Comparison:
    """What ``compare_cells`` found. Positions are those of ``cells``.

    Attributes:
        cells: all of them.
        reference: position of the cell that differences are taken to.
        metrics: that were compared.
        level: of the intervals, 0..1.
        scores: by metric and cell, over whole sequences, 0..1.
        differences: to the reference, by metric and cell.
        best: by metric, the cell with the highest score (the first of equal ones).
        tied: by metric and cell, True where the interval of the difference to the best includes 0.
        test_scores, test_differences: the same on the test sequences; None without them.
    """

    cells: tuple[ScoredCell, ...]
    reference: int
    metrics: tuple[str, ...]
    level: float
    scores: dict[str, tuple[float, ...]]
    differences: dict[str, tuple[Interval, ...]]
    best: dict[str, int]
    tied: dict[str, tuple[bool, ...]]
    test_scores: dict[str, tuple[float, ...]] | None
    test_differences: dict[str, tuple[Interval, ...]] | None

    @property
    def reference_name(self) -> str:
        """The reference in words: the default where a cell has its settings."""
        cell = self.cells[self.reference]
        if cell.default:
            return f"the default ({cell.name})"
        return f"the first cell ({cell.name}; no cell has the default settings)"

    @property
    def basis(self) -> str:
        """What was drawn: "paired bootstrap over 94 chunks of the tuning sequences"."""
        units, test = self.cells[0].units, self.cells[0].test
        text = f"paired bootstrap over {len(units.names)} {units.of}"
        if test is None:
            return text
        part = " of the tuning sequences" if units.of == "chunks" else " for tuning"
        return f"{text}{part}, {len(test.names)} {test.of} of the test ones"

    def summary_rows(self) -> list[dict[str, Any]]:
        """A row per metric: the best cell, its difference to the reference, who is like it."""
        rows = []
        for metric in self.metrics:
            best = self.best[metric]
            row: dict[str, Any] = {"metric": metric, "best cell": self.cells[best].name}
            row |= self.cells[best].params
            row["score %"] = _percent(self.scores[metric][best])
            row["reference %"] = _percent(self.scores[metric][self.reference])
            row |= _interval(self.differences[metric][best], self.level)
            row["cells like the best"] = sum(self.tied[metric]) - 1
            row["of other cells"] = len(self.cells) - 1
            if self.test_scores is not None and self.test_differences is not None:
                row["test score %"] = _percent(self.test_scores[metric][best])
                row |= _interval(self.test_differences[metric][best], self.level, "test ")
            rows.append(row)
        return rows

    def rows(self) -> list[dict[str, Any]]:
        """A row per cell with every metric: score, difference to the reference, interval."""
        rows = []
        for i, cell in enumerate(self.cells):
            row: dict[str, Any] = {"cell": cell.name, **cell.params}
            row["reference"] = "yes" if i == self.reference else "no"
            for metric in self.metrics:
                row[f"{metric} %"] = _percent(self.scores[metric][i])
                row |= _interval(self.differences[metric][i], self.level, f"{metric} ")
                place = "like the best" if self.tied[metric][i] else "below the best"
                row[f"{metric} place"] = "best" if i == self.best[metric] else place
                if self.test_scores is not None and self.test_differences is not None:
                    row[f"test {metric} %"] = _percent(self.test_scores[metric][i])
                    row |= _interval(
                        self.test_differences[metric][i], self.level, f"test {metric} "
                    )
            rows.append(row)
        return rows


def compare_cells(
    cells: Sequence[ScoredCell],
    metrics: Sequence[str] = METRICS,
    samples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare all cells with the default one and with the best.

    Every cell gets the same draws, so that any two intervals can be compared. The best of many
    cells is partly the luckiest: its interval on the sequences that chose it flatters it, that on
    the test sequences does not.

    Args:
        cells: one at least, on the same units. Where none is the default, the first is the
            reference.
        metrics: names in ``counts.summary`` of which more is better.
        samples, seed, level: of the bootstrap.

    Raises:
        DataError: no cells, or they were not scored on the same units.
    """
    if not cells:
        raise DataError("no cells to compare: none of them has tracking scores")
    first = cells[0]
    for cell in cells[1:]:
        check_paired(first.units, cell.units, (first.name, cell.name))
        if (first.test is None) != (cell.test is None):
            raise DataError(f"only one of {first.name} and {cell.name} has test sequences")
        if first.test is not None and cell.test is not None:
            check_paired(first.test, cell.test, (first.name, cell.name))
    reference = next((i for i, cell in enumerate(cells) if cell.default), 0)
    chosen = [draw(cell.units, metrics, samples, seed) for cell in cells]
    tested = [draw(c.test, metrics, samples, seed) for c in cells if c.test is not None]
    scores = {m: tuple(s.whole[m] for s in chosen) for m in metrics}
    best = {m: max(range(len(cells)), key=lambda i: (_or_least(scores[m][i]), -i)) for m in metrics}
    tied = {
        m: tuple(
            i == best[m] or chosen[best[m]].to(s, m, level).includes_zero
            for i, s in enumerate(chosen)
        )
        for m in metrics
    }
    return Comparison(
        tuple(cells),
        reference,
        tuple(metrics),
        level,
        scores,
        _differences(chosen, reference, metrics, level),
        best,
        tied,
        {m: tuple(s.whole[m] for s in tested) for m in metrics} if tested else None,
        _differences(tested, reference, metrics, level) if tested else None,
    )


def verdict(metric: str, a: str, b: str, gap: Interval, level: float = 0.95) -> str:
    """One sentence on the difference ``b - a`` for people who do not read intervals."""
    points = 100 * gap.difference
    if math.isnan(gap.low):
        return (
            f"{metric}: {b} differs from {a} by {points:+.2f} points; with one unit of data "
            f"nothing can be said about how sure that is."
        )
    if gap.difference == gap.low == gap.high == 0:
        return f"{metric}: {a} and {b} score exactly the same."
    inside = f"{100 * level:g}% interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f}"
    if gap.includes_zero:
        return (
            f"{metric}: {a} and {b} cannot be told apart on this data "
            f"({points:+.2f} points, {inside})."
        )
    word = "better" if gap.low > 0 else "worse"
    return f"{metric}: {b} is {word} than {a} by {abs(points):.2f} points ({inside})."


def same_trajectories(
    digests: Mapping[str, str], params: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """The sensitivity guard: a warning for each group of cells with byte-identical trajectories.

    A knob is said to have had no effect only where cells differ in it alone and ALL such cells,
    whatever their other settings, have identical trajectories. Any other knob in which the cells of
    a group differ is named as well, as one that had an effect elsewhere or was never varied alone.

    Args:
        digests: of the trajectories, by cell. A cell without one is left out.
        params: values of the swept knobs, by cell.
    """
    names = list(digests)
    knobs = list(dict.fromkeys(knob for name in names for knob in params[name]))
    texts = {name: {k: str(params[name].get(k, "not set")) for k in knobs} for name in names}
    effects = {knob: _effect(knob, digests, texts) for knob in knobs}
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(digests[name], []).append(name)
    warnings = []
    for group in groups.values():
        if len(group) < 2:
            continue
        parts = []
        for knob in knobs:
            values = list(dict.fromkeys(texts[name][knob] for name in group))
            if len(values) > 1:
                parts.append(f"{knob}={','.join(values)} {effects[knob]}")
        why = "; ".join(parts) or "they have the same settings"
        warnings.append(f"{_named(group)} have byte-identical trajectories: {why}")
    return warnings


def _differences(
    samples: Sequence[Samples], reference: int, metrics: Sequence[str], level: float
) -> dict[str, tuple[Interval, ...]]:
    return {m: tuple(samples[reference].to(s, m, level) for s in samples) for m in metrics}


def _effect(knob: str, digests: Mapping[str, str], texts: Mapping[str, Mapping[str, str]]) -> str:
    """Whether ``knob`` changed trajectories where cells differ in it alone, in words."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in digests:
        rest = tuple(value for key, value in texts[name].items() if key != knob)
        alike.setdefault(rest, []).append(name)
    varied = [group for group in alike.values() if len({texts[n][knob] for n in group}) > 1]
    if not varied:
        return "was never varied alone"
    if all(len({digests[name] for name in group}) == 1 for group in varied):
        return "had no effect"
    return "had no effect here, but has in other cells"


def _named(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more cells"


def _interval(gap: Interval, level: float, prefix: str = "") -> dict[str, float]:
    size = f"{100 * level:g}%"
    return {
        f"{prefix}difference": _percent(gap.difference),
        f"{prefix}{size} low": _percent(gap.low),
        f"{prefix}{size} high": _percent(gap.high),
    }


def _percent(value: float) -> float:
    """In percent, without the digits that only binary fractions have."""
    return round(100 * value, 6)


def _or_least(score: float) -> float:
    return -math.inf if math.isnan(score) else score
