"""Settings of a sweep compared: which one was chosen, and what can be claimed of it.

A setting that was chosen by some units and is measured on others makes a claim there, as a single
comparison. Where the units that choose are those that are measured, the best of many settings is
partly the luckiest, and its interval is one of all settings together.

Scores are fractions; in tables and sentences they are percent, differences percentage points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segtrack.base.claims import said
from segtrack.base.errors import DataError, some
from segtrack.base.families import Family, compare_all, compare_each, or_least
from segtrack.base.statistics import FEW, Estimate, Interval, lend_seeds
from segtrack.base.words import counted
from segtrack.report.tables import table_text

BEST, CHOSEN, LIKE = "best", "chosen", "cannot be told from it"
BELOW, ABOVE = APART = "below it", "above it"
"""Where a setting stands beside the chosen one."""
_WORDS = {2: "two", 3: "three", 4: "four"}


@dataclass(frozen=True)
class Setting:
    """Cells of a sweep that differ in nothing but a seed.

    Attributes:
        name: unique in the sweep.
        params: its values of the swept knobs, without seeds.
        measured: what claims are about, by metric, with a seed for each cell.
        choice: what it is chosen by, by metric; None where that is ``measured``.
        default: its values are the default ones.
    """

    name: str
    params: Mapping[str, Any]
    measured: Mapping[str, Estimate]
    choice: Mapping[str, float] | None = None
    default: bool = False

    def chosen_by(self, metric: str) -> float:
        """The score that it is chosen by; the least of all where it has none."""
        score = self.measured[metric].score if self.choice is None else self.choice[metric]
        return or_least(score)


@dataclass(frozen=True)
class Basis:
    """What settings were chosen and measured on, in words.

    Attributes:
        units: what was measured, as a plural, such as "test sequences".
        chosen: what chose, such as "4 tuning sequences"; empty where the same did.
        choice: short for it, heads its columns, such as "tuning".
        trained: settings were trained apart, so that a seed matters.
    """

    units: str
    chosen: str = ""
    choice: str = ""
    trained: bool = False


@dataclass(frozen=True)
class Comparison:
    """What ``compare_settings`` found. Positions are those of ``settings``.

    Attributes:
        settings: all of them. basis: what they were compared on.
        reference: position of the setting that differences are taken to.
        level: of the intervals, 0..1.
        best: by metric, the setting that was chosen; of equal ones the reference, else the first.
        family: differences to the reference, which all hold together.
        claims: by metric, the difference of the chosen setting to the reference.
        places: by metric and setting, where it stands beside the chosen one, in words.
    """

    settings: tuple[Setting, ...]
    basis: Basis
    reference: int
    level: float
    best: dict[str, int]
    family: Family
    claims: dict[str, Interval]
    places: dict[str, tuple[str, ...]]

    @property
    def tested(self) -> bool:
        """Whether the units that measure did not choose."""
        return self.settings[0].choice is not None

    @property
    def seeds(self) -> int:
        """Of the setting that has fewest."""
        return min(len(one.whole) for s in self.settings for one in s.measured.values())

    @property
    def fewer(self) -> list[str]:
        """Settings that have fewer seeds than another one."""
        counts = [min(len(one.whole) for one in s.measured.values()) for s in self.settings]
        pairs = zip(self.settings, counts, strict=True)
        return [s.name for s, count in pairs if count < max(counts)]

    @property
    def few(self) -> bool:
        """Whether the units' own differences are the first thing to look at."""
        return min(one.counted for one in self.settings[0].measured.values()) < FEW

    @property
    def units(self) -> int:
        """How many were measured."""
        return len(self.settings[0].measured[next(iter(self.best))].names)

    @property
    def reference_name(self) -> str:
        """The reference in a word: the default where a setting has its values."""
        return "the default" if self.settings[self.reference].default else "the first setting"

    @property
    def reference_line(self) -> str:
        """Which setting the others are compared with."""
        name = self.settings[self.reference].name
        if self.settings[self.reference].default:
            return f"the default is {name}"
        return f"none of them is the default; compared with the first, {name}"

    @property
    def title(self) -> str:
        """What was compared, by what the best was chosen, and on what all were measured."""
        count = len(self.settings)
        head = f"{count} settings" if count != 1 else "1 setting"
        if self.seeds > 1:
            head += f" of {self.seeds} seeds {'or more' if self.fewer else 'each'}"
        if self.tested:
            head += f", chosen by {self.basis.chosen}"
        return f"{head}, measured on {counted(self.units, self.basis.units)}"

    def sentence(self, metric: str) -> str:
        """What can be claimed of the chosen setting."""
        best, name = self.best[metric], self.settings[self.best[metric]].name
        if best == self.reference:
            where = f" on {self.basis.chosen}" if self.tested else ""
            scores = {one.chosen_by(metric) for one in self.settings}
            who = f"{name}, {self.reference_name}, has the best {metric}"
            if scores == {or_least(math.nan)}:
                who = f"no setting has a {metric}"
            elif len(scores) == 1 < len(self.settings):
                who = f"all settings have exactly the same {metric}"
            return f"{who}{where}: nothing to claim"
        names = (self.reference_name, name)
        gap, single = self.claims[metric], self.single(metric)
        return ". ".join(said(metric, gap, self.basis.units, names, self.level, single))

    def single(self, metric: str) -> bool:
        """Whether the claim is a comparison by itself, and not one of all settings together."""
        together = self.claims[metric] is self.family.differences[metric][self.best[metric]]
        return not together and len(self.moved) == 1

    @property
    def moved(self) -> list[str]:
        """Metrics that chose another setting than the reference."""
        return [m for m, best in self.best.items() if best != self.reference]

    @property
    def intervals(self) -> bool:
        """Whether any difference to the reference has one."""
        rows = self.family.differences.values()
        gaps = [gap for row in rows for i, gap in enumerate(row) if i != self.reference]
        return not all(math.isnan(gap.low) for gap in gaps)

    @property
    def notes(self) -> list[str]:
        """What a reader has to know of the intervals."""
        told = [m for m in self.moved if not math.isnan(self.claims[m].low)]
        noisy = self.seeds > 1 or bool(self.fewer)
        count, metrics, so = len(self.settings), len(self.best), ""
        if self.intervals and (count > 2 or metrics > 1):
            them = f"the {_WORDS.get(metrics, metrics)} metrics"
            them = them if count == 2 else f"all {count} settings ({' and '.join(self.best)})"
            so = f", so that the intervals are those of {them} together"
        lines = []
        if not self.tested:
            lines.append(f"nothing tests the choice: what chose is what is measured{so}")
        elif noisy:
            lines.append(f"the seeds that were measured are those that chose{so}")
        elif len(told) > 1:
            lines.append(f"the intervals of {' and '.join(told)} hold together")
        if self.fewer:
            lines.append(
                f"fewer seeds than the others: {some(self.fewer, 6)}; where a setting has one, the "
                "noise of its seeds is taken from the others"
            )
        elif self.basis.trained and self.seeds == 1 and self.intervals:
            lines.append(
                "one seed: the noise of training is not in the intervals, which are about these "
                "weights and not about the settings; seed=0,1,2,3,4 would have it in them"
            )
        if self.few and self.moved and self.intervals:
            lines.append(f"fewer than {FEW} units: look at each of them before any interval")
        return lines

    def summary_rows(self) -> list[dict[str, Any]]:
        """A row per metric: the chosen setting, its difference to the reference, who is like it."""
        rows = []
        for metric, best in self.best.items():
            chosen, other = self.settings[best], self.settings[self.reference]
            moved = best != self.reference
            gap = self.claims[metric] if moved else Interval(math.nan, math.nan, math.nan)
            row: dict[str, Any] = {"metric": metric, "setting": chosen.name}
            row[f"{self.basis.units} %"] = percent(chosen.measured[metric].score)
            row["reference %"] = percent(other.measured[metric].score)
            row |= gap_columns(gap, self.level, "difference")
            row["told"] = ("yes" if gap.told else "no") if moved else None
            like = sum(place == LIKE for place in self.places[metric])
            row["others like it"] = f"{like} of {len(self.settings) - 1}"
            if self.tested:
                row[f"{self.basis.choice} %"] = percent(chosen.chosen_by(metric))
                row[f"{self.basis.choice} reference %"] = percent(other.chosen_by(metric))
            rows.append(row)
        return rows

    def rows(self) -> list[dict[str, Any]]:
        """A row per setting with every metric: score, difference to the reference, interval."""
        rows = []
        for i, setting in enumerate(self.settings):
            row: dict[str, Any] = {"setting": setting.name, **setting.params}
            row["reference"] = "yes" if i == self.reference else "no"
            for metric in self.best:
                one = setting.measured[metric]
                if self.tested:
                    row[f"{self.basis.choice} {metric} %"] = percent(setting.chosen_by(metric))
                gap = self.family.differences[metric][i]
                row |= score_columns(metric, one)
                row |= gap_columns(gap, self.level, f"{metric} difference", f"{metric} ")
                row[f"{metric} place"] = self.places[metric][i]
            rows.append(row)
        return rows

    def unit_rows(self) -> list[dict[str, Any]]:
        """A row per unit: by how much the chosen settings differ from the reference there.

        Metrics that chose the reference have no column.
        """
        first = self.settings[self.reference].measured[next(iter(self.best))]
        heads = {m: f"{m} difference of {self.settings[self.best[m]].name}" for m in self.moved}
        differences = {head: self.claims[m].each for m, head in heads.items()}
        return unit_rows(first, (self.basis.units, "weight"), differences)

    def text(self) -> str:
        """All that is printed; of few units first how they differ, one by one."""
        parts = [f"{self.title}\n{self.reference_line}"]
        if self.few and self.moved:
            parts.append(table_text(self.unit_rows(), digits=2).rstrip())
        parts.append("\n".join(map(self.sentence, self.best)))
        parts.append(table_text(self.summary_rows(), digits=2).rstrip())
        parts += ["\n".join(self.notes)] if self.notes else []
        return "\n\n".join(parts) + "\n"


def compare_settings(settings: Sequence[Setting], basis: Basis, level: float = 0.95) -> Comparison:
    """Compare all settings with the default one and with the chosen one.

    Args:
        settings: one at least, measured on the same units in the same metrics, of which more is
            better. Where none is the default, the first is the reference.
        basis: what they were compared on.
        level: of the intervals, 0..1.

    Raises:
        DataError: there are no settings.
    """
    if not settings:
        raise DataError("no settings to compare: none of them has scores")
    order = range(len(settings))
    reference = next((i for i in order if settings[i].default), 0)
    metrics = list(settings[0].measured)
    columns = {m: lend_seeds([setting.measured[m] for setting in settings]) for m in metrics}
    measured = [{m: columns[m][i] for m in metrics} for i in order]
    family = compare_all(measured, reference, level)
    if settings[0].choice is None:
        best = family.best
        claims = {m: family.differences[m][best[m]] for m in metrics}
        places = {m: _places(family.below[m], best[m]) for m in metrics}
        return Comparison(tuple(settings), basis, reference, level, best, family, claims, places)
    best = {
        m: max(order, key=lambda i: (settings[i].chosen_by(m), i == reference, -i)) for m in metrics
    }
    claims = {m: family.differences[m][best[m]] for m in metrics}
    # With seeds the weights that chose are measured too, so that the choice knows of their luck.
    moved = [m for m in metrics if best[m] != reference]
    if max(len(one.whole) for each in measured for one in each.values()) == 1:
        pairs = [(measured[reference][m], measured[best[m]][m]) for m in moved]
        claims |= dict(zip(moved, compare_each(pairs, level), strict=True))
    # Others are told from the chosen one only behind the claim, so that all that is said of equal
    # settings is said in at most 1 - level of worlds.
    pairs = [(measured[best[m]][m], measured[i][m]) for m in metrics for i in order if i != best[m]]
    gaps = iter(compare_each(pairs, level))
    first = not moved or any(claims[m].told for m in moved)
    places = {
        m: tuple(CHOSEN if i == best[m] else _place(next(gaps), first) for i in order)
        for m in metrics
    }
    return Comparison(tuple(settings), basis, reference, level, best, family, claims, places)


def _places(below: Sequence[bool], best: int) -> tuple[str, ...]:
    """Of settings that what chose them measures: told apart by all pairs of them."""
    words = (BELOW if one else LIKE for one in below)
    return tuple(BEST if i == best else word for i, word in enumerate(words))


def _place(gap: Interval, said: bool) -> str:
    if not (said and gap.told):
        return LIKE
    return ABOVE if gap.low > 0 else BELOW


def percent(value: float) -> float:
    """In percent, without the digits that only binary fractions have."""
    return round(100 * value, 6)


def score_columns(name: str, one: Estimate) -> dict[str, float]:
    """A score and, of several seeds, their SD, in percent."""
    sd = {f"{name} SD of seeds": percent(one.seed_sd)} if len(one.whole) > 1 else {}
    return {f"{name} %": percent(one.score), **sd}


def gap_columns(gap: Interval, level: float, head: str, prefix: str = "") -> dict[str, float]:
    """A difference under ``head``, and the ends of its interval, in percentage points.

    NaN where all units are the same: no spread is no certainty, and of other units some may differ.
    """
    if gap.difference == gap.low == gap.high == 0:
        gap = replace(gap, low=math.nan, high=math.nan)
    ends = {f"{prefix}{100 * level:g}% {end}": getattr(gap, end) for end in ("low", "high")}
    return {key: percent(value) for key, value in ({head: gap.difference} | ends).items()}


def unit_rows(
    one: Estimate, heads: tuple[str, str], columns: Mapping[str, Sequence[float]]
) -> list[dict[str, Any]]:
    """A row per unit: its name and size under ``heads``, its value of each column in percent."""
    return [
        dict(zip((*heads, *columns), (name, int(size), *map(percent, values)), strict=True))
        for name, size, *values in zip(one.names, one.size, *columns.values(), strict=True)
    ]
