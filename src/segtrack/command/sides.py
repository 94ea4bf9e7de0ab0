"""Two settings beside each other, each of one run or of several seeds, for a terminal and as JSON.

Scores and differences are in percent and percentage points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from segtrack.base.claims import POWER, said
from segtrack.base.errors import some
from segtrack.base.statistics import FEW, Estimate, Interval, compare, units_needed
from segtrack.base.words import counted
from segtrack.report import gap_columns, score_columns, table_text, unit_rows
from segtrack.runs import KeptRun, differing
from segtrack.scoring import ROLES

ROWS = 20  # units that are shown where not all are asked for
LONG = 200  # letters of two values that are not printed


@dataclass(frozen=True)
class Side:
    """One setting: the runs that differ in the seed alone.

    Attributes:
        name: A or B.
    """

    name: str
    runs: tuple[KeptRun, ...]

    @property
    def ids(self) -> list[str]:
        """Of the runs."""
        return [run.label for run in self.runs]

    @property
    def roles(self) -> dict[str, list[str]]:
        """Names of sequences by role, where there are such."""
        given = {role: self.runs[0].config.get(f"dataset.{role}") for role in ROLES}
        # The simulator's dataset.test is a number of images.
        return {role: names for role, names in given.items() if names and isinstance(names, list)}

    def chosen(self, sequences: Sequence[str] | None) -> list[str] | None:
        """The sequences that are named, where a role stands for all that have it."""
        if sequences is None:
            return None
        return [name for one in sequences for name in self.roles.get(one, [one])]


@dataclass(frozen=True)
class Compared:
    """Two sides on the same units.

    Attributes:
        kind: box, mask or image.
        of: what the units are, as a plural.
        scores_a, scores_b: by metric.
        level: of the intervals, 0..1.
    """

    a: Side
    b: Side
    kind: str
    of: str
    scores_a: dict[str, Estimate]
    scores_b: dict[str, Estimate]
    level: float

    @cached_property
    def gaps(self) -> dict[str, Interval]:
        """The difference in each metric, judged by itself."""
        return {m: compare(one, self.scores_b[m], self.level) for m, one in self.scores_a.items()}

    def rows(self, metric: str) -> list[dict[str, Any]]:
        """Each unit by itself, the largest first."""
        one, other = self.scores_a[metric], self.scores_b[metric]
        values = {name: side.alone.mean(axis=0) for name, side in (("a", one), ("b", other))}
        values["difference"] = values["b"] - values["a"]
        rows = unit_rows(one, ("name", "objects"), values)
        return sorted(rows, key=lambda row: -row["objects"])

    def differing(self) -> dict[str, tuple[str, str]]:
        """Settings in which the first runs of both differ, with their values."""
        rows = differing([self.a.runs[0], self.b.runs[0]])
        return {key: (a, b) for key, (a, b) in rows.items()}


def comparison_document(found: Compared) -> dict[str, Any]:
    """All that was found, for programs; None where something is not known."""
    metrics = {}
    for metric, gap in found.gaps.items():
        values = asdict(gap)
        for name in ("difference", "low", "high", "se", "spread"):
            values[name] *= 100
        del values["each"], values["reach"]
        metrics[metric] = {
            "a": 100 * found.scores_a[metric].whole,
            "b": 100 * found.scores_b[metric].whole,
            **values,
            "told": gap.told,
            "against": gap.against,
            "needed": None if gap.told else units_needed(gap, POWER, found.level),
            "claim": said(metric, gap, found.of, level=found.level)[0],
            "each": found.rows(metric),
        }
    made: dict[str, Any] = _plain(
        {
            "a": found.a.ids,
            "b": found.b.ids,
            "kind": found.kind,
            "of": found.of,
            "level": found.level,
            "differing": found.differing(),
            "metrics": metrics,
        }
    )
    return made


def report(found: Compared, every: bool = False) -> str:
    """What can be claimed, by what settings and scores, unit by unit, and how it was found.

    Of few units the table of them comes first: it is the statement.

    Args:
        every: show all units.
    """
    first, gap = next(iter(found.gaps.items()))
    claims = "".join(f"{one}.\n" for one in said(first, gap, found.of, level=found.level))
    units = _unit_table(found, first, every)
    rest = [_who(found), table_text(list(_score_rows(found)), digits=2)]
    parts = [units, claims, *rest] if gap.counted < FEW else [claims, *rest, units]
    return "\n".join([*parts, *_method(found)])


def _unit_table(found: Compared, metric: str, every: bool) -> str:
    rows = found.rows(metric)
    shown = rows if every else rows[:ROWS]
    heads = {"name": found.of, "a": f"A {metric} %", "b": f"B {metric} %", "difference": "B - A"}
    table = table_text([{heads.get(k, k): v for k, v in row.items()} for row in shown], digits=2)
    left = len(rows) - len(shown)
    more = f"and {counted(left, 'smaller ones')}, which --all shows\n"
    return table + (more if left else "")


def _who(found: Compared) -> str:
    """The runs, and the settings in which they differ."""
    lines = []
    for side in (found.a, found.b):
        names = [f"{run.id} {run.name}" if run.id else run.name for run in side.runs]
        lines += [f"{side.name}  {name}" for name in names]
    pairs = found.differing().items()
    differing = [f"{k} ({a}; {b})" if len(a + b) < LONG else f"{k} (long)" for k, (a, b) in pairs]
    lines.append(f"They differ in {some(differing, 6) or 'no setting'}.")
    return "\n".join(lines) + "\n"


def _score_rows(found: Compared) -> Iterator[dict[str, Any]]:
    for metric, gap in found.gaps.items():
        scores = score_columns("A", found.scores_a[metric])
        scores |= score_columns("B", found.scores_b[metric])
        scores |= gap_columns(gap, found.level, "B - A")
        yield {"metric": metric, **scores, "can be told": "yes" if gap.told else "no"}


def _method(found: Compared) -> Iterator[str]:
    """How it was found, what is not in it, and what to mind, in lines."""
    runs = (*found.a.runs, *found.b.runs)
    gap = next((gap for gap in found.gaps.values() if not math.isnan(gap.low)), None)
    if gap is None:
        yield f"{found.kind} scores; no intervals"
    else:
        yield (
            f"{found.kind} scores; jackknife-t over {gap.units} {found.of}, {gap.df:.1f} degrees "
            f"of freedom, each metric by itself"
        )
    if gap and gap.seeds > 1:
        yield f"{len(found.a.runs)} and {len(found.b.runs)} seeds, whose noise is in the intervals"
    elif gap:
        weights = {run.tags.get("weights.sha256") for run in runs}
        same = " (both have the same weights)" if len(weights) == 1 and None not in weights else ""
        yield f"one seed: seed noise is not in the intervals{same}"
    for side in (found.a, found.b):
        if other := differing(side.runs).keys() - {"seed"}:
            yield f"warning: the runs of {side.name} differ not only in seed: {some(sorted(other))}"
    yield from _roles(found)


def _roles(found: Compared) -> Iterator[str]:
    names = next(iter(found.scores_a.values())).names
    counts = {role: len(set(own) & set(names)) for role, own in found.a.roles.items()}
    if found.kind != "image" and all(counts.get(role) for role in ROLES):
        are = "is" if counts["tuning"] == 1 else "are"
        yield (
            f"{counts['tuning']} of the sequences {are} for tuning and {counts['test']} for test; "
            f"settings that were chosen on the former are judged with --sequences test"
        )


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN and no arrays."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if value != value else value
