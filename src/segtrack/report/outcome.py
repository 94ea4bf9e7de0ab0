"""What a comparison of settings found, as a file that a report is made of long after."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segtrack.base.statistics import Interval
from segtrack.report.comparison import LIKE, Comparison, percent
from segtrack.report.document import Cell, Difference, Number, Table, with_best

CLAIMS = "claims.json"


@dataclass(frozen=True)
class Scored:
    """One setting in one metric, in percent and percentage points; None where it is not known.

    Attributes:
        score: mean over seeds, and their sd. choice: what it was chosen by, where others chose.
        difference, low, high, told: to the reference; of all settings together.
        place: where it stands beside the chosen one, in words; empty in files of early versions.
    """

    score: float | None
    sd: float | None
    choice: float | None
    difference: float | None
    low: float | None
    high: float | None
    told: bool
    place: str = ""


@dataclass(frozen=True)
class Claim:
    """What is claimed in one metric.

    Attributes:
        setting: the chosen one. like: how many others cannot be told from it.
        difference, low, high, told: to the reference; None where that is the chosen one.
        sentence: in words.
    """

    setting: str
    like: int
    difference: float | None
    low: float | None
    high: float | None
    told: bool
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """A comparison in words and numbers.

    Attributes:
        title: what was compared and on what. reference: the setting that others are compared with.
        reference_line: that in words. notes: what a reader has to know of the intervals.
        choice: what chose in a word, such as "tuning"; empty where what is measured did.
        level: of the intervals, 0..1.
        claims: by metric.
        settings: by name and metric.
    """

    title: str
    reference: str
    reference_line: str
    notes: tuple[str, ...]
    choice: str
    level: float
    claims: Mapping[str, Claim]
    settings: Mapping[str, Mapping[str, Scored]]

    @classmethod
    def of(cls, found: Comparison) -> Outcome:
        """From what ``compare_settings`` returned."""
        claims = {}
        for metric, best in found.best.items():
            moved = best != found.reference
            gap = found.claims[metric] if moved else None
            like = sum(place == LIKE for place in found.places[metric])
            name = found.settings[best].name
            claims[metric] = Claim(name, like, *_gap(gap), found.sentence(metric))
        settings = {
            one.name: {
                metric: Scored(
                    _known(one.measured[metric].score),
                    _known(one.measured[metric].seed_sd),
                    _known(one.chosen_by(metric)) if found.tested else None,
                    *_gap(found.family.differences[metric][i] if i != found.reference else None),
                    found.places[metric][i],
                )
                for metric in found.best
            }
            for i, one in enumerate(found.settings)
        }
        return cls(
            found.title,
            found.settings[found.reference].name,
            found.reference_line,
            tuple(found.notes),
            found.basis.choice if found.tested else "",
            found.level,
            claims,
            settings,
        )

    @property
    def metrics(self) -> list[str]:
        """Their names."""
        return list(self.claims)

    def json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def read(cls, text: str) -> Outcome:
        """From the text of the file."""
        whole: dict[str, Any] = json.loads(text)
        whole["notes"] = tuple(whole["notes"])
        whole["claims"] = {m: Claim(**one) for m, one in whole["claims"].items()}
        whole["settings"] = {
            name: {m: Scored(**one) for m, one in row.items()}
            for name, row in whole["settings"].items()
        }
        return cls(**whole)

    def claims_table(self) -> Table:
        """A row per metric: the chosen setting and its difference to the reference."""
        others = len(self.settings) - 1
        rows: list[tuple[Cell, ...]] = [
            (
                metric,
                one.setting,
                _number(self.settings[one.setting][metric].score),
                _number(self.settings[self.reference][metric].score),
                _difference(one),
                f"{one.like} of {others}",
            )
            for metric, one in self.claims.items()
        ]
        chosen = "chosen" if self.choice else "best"
        head = ("metric", chosen, "%", "reference %", "difference", "others like it")
        return Table(f"What was {chosen}", head, tuple(rows), self._intervals)

    def settings_table(
        self, most: int | None = None, metrics: Sequence[str] | None = None
    ) -> Table:
        """A row per setting, the best of the first metric first: scores and differences.

        Args:
            most: rows; the reference is always among them.
            metrics: only these.
        """
        metrics = metrics or self.metrics
        scores = {name: row[metrics[0]].score for name, row in self.settings.items()}
        order = sorted(scores, key=lambda name: -_rank(scores[name]))
        shown = order if most is None else order[:most]
        if self.reference not in shown:
            shown = [*shown[:-1], self.reference]
        head = ["setting"]
        for metric in metrics:
            head += [f"{self.choice} {metric} %"] if self.choice else []
            head += [f"{metric} %", f"{metric} difference"]
        rows: list[list[Cell]] = []
        for name in shown:
            row: list[Cell] = [name + (" (reference)" if name == self.reference else "")]
            for metric in metrics:
                one = self.settings[name][metric]
                row += [_number(one.choice)] if self.choice else []
                row += [_number(one.score, one.sd), _difference(one)]
            rows.append(row)
        numbers = [i for i, one in enumerate(head) if one.endswith("%")]
        left = len(order) - len(shown)
        note = self._intervals + (f". {left} more settings are not shown" if left else "")
        cells = with_best(rows, numbers) if len(rows) == len(order) else rows
        return Table("Settings", tuple(head), tuple(map(tuple, cells)), note)

    @property
    def _intervals(self) -> str:
        known = any(one.low is not None for row in self.settings.values() for one in row.values())
        return f"{100 * self.level:g}% intervals, in percentage points" if known else "no intervals"


def _gap(gap: Interval | None) -> tuple[float | None, float | None, float | None, bool]:
    if gap is None:
        return None, None, None, False
    return _known(gap.difference), _known(gap.low), _known(gap.high), gap.told


def _known(fraction: float) -> float | None:
    """In percent; None where it is no number."""
    return percent(fraction) if math.isfinite(fraction) else None


def _number(value: float | None, sd: float | None = None) -> Number:
    return Number(value, sd=sd)


def _difference(one: Scored | Claim) -> Difference | None:
    if one.difference is None:
        return None
    low, high = (math.nan if end is None else end for end in (one.low, one.high))
    return Difference(one.difference, low, high, one.told)


def _rank(score: float | None) -> float:
    return -math.inf if score is None else score
