"""What the page of a sweep is told: cells, settings with mean and SD over seeds, and claims."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.words import counted
from segtrack.report import ABOVE, BELOW, CLAIMS, LIKE, Outcome, Scored
from segtrack.runs import (
    COUNTED,
    UNSET,
    KeptRun,
    KeptSweep,
    SweptSetting,
    headline,
    planned,
    swept_settings,
)

_DECADES = 30  # how many times the least value the greatest is where an axis is logarithmic
_MOST_ERROR = 300  # letters; its run has it all
_STATES = ("finished", "running", "failed", "killed")
_CHOOSING = {"": ("track/", "track/tuning/"), "images/": ("test/", "val/best/")}
"""By folder of claims among the artifacts, what the names of scores begin with that chose: those
that were measured, and others."""


def sweep_document(sweep: KeptSweep) -> dict[str, Any]:
    """All that the page shows; scores and differences are in percent and percentage points.

    Returns:
        ``status`` and ``counts``; ``planned`` cells or None; ``axes`` of the settings that differ,
        ``scores`` by name; ``cells`` with a value of each; ``settings`` with the places of their
        cells and a mean, SD and number of each score; ``claims`` by metric, once it has ended.
    """
    keys, seeds, settings = swept_settings(sweep)
    columns = list(zip(*(one.values for one in settings), strict=True)) or [()] * len(keys)
    axes = [_axis(key, values) for key, values in zip(keys, columns, strict=True)]
    shown = [i for i, values in enumerate(columns) if len(set(values)) > 1]
    finished = [cell for cell in sweep.cells if cell.status == "FINISHED"]
    scores = [name for name in headline([cell.metrics for cell in finished]) if name != COUNTED]
    places = {cell.id: i for i, cell in enumerate(sweep.cells)}
    apart = [key for key in seeds if len({cell.params.get(key) for cell in sweep.cells}) > 1]
    return {
        "name": sweep.name,
        "status": sweep.status.lower(),
        "running": sweep.running,
        "counts": counts(sweep),
        "planned": planned(sweep),
        "axes": [axes[i] for i in shown],
        "seeds": apart,
        "scores": scores,
        "cells": [_cell(cell, apart, scores) for cell in sweep.cells],
        "settings": [
            {
                "name": one.name,
                "values": [_value(axes[i], one.values[i]) for i in shown],
                "texts": [UNSET if one.values[i] is None else one.values[i] for i in shown],
                "cells": [places[cell.id] for cell in one.cells],
                "scores": [_over_seeds(one.seeds(seeds), name) for name in scores],
            }
            for one in settings
        ],
        "claims": [] if sweep.status == "RUNNING" else list(_claims(sweep, scores, settings)),
    }


def counts(sweep: KeptSweep) -> dict[str, int]:
    """How many cells there are of each state, of those that there are any of."""
    found = Counter(cell.status.lower() for cell in sweep.cells)
    return {state: found[state] for state in (*_STATES, *sorted(found)) if found[state]}


def _cell(cell: KeptRun, seeds: Sequence[str], scores: Sequence[str]) -> dict[str, Any]:
    """Of one that runs or failed no score counts: it may be of a part of its data."""
    done = cell.status == "FINISHED"
    return {
        "id": cell.id,
        "name": cell.name or cell.id,
        "status": cell.status.lower(),
        "seed": " ".join(f"{key}={cell.params.get(key, UNSET)}" for key in seeds),
        "scores": [_percent(cell.metrics.get(name)) if done else None for name in scores],
        "error": "" if done else cell.tags.get("error", "")[:_MOST_ERROR],
    }


def _over_seeds(cells: Sequence[KeptRun], score: str) -> dict[str, Any] | None:
    """Mean and SD, as the sweep's own table has them; SD None of a single one."""
    values = [one for cell in cells if (one := _percent(cell.metrics.get(score))) is not None]
    if not values:
        return None
    sd = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "sd": sd, "n": len(values)}


def _percent(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else 100 * value


def _axis(key: str, values: Sequence[str | None]) -> dict[str, Any]:
    """Linear or, over decades, logarithmic where every value is a number, else of words."""
    texts = list(dict.fromkeys(value for value in values if value is not None))
    numbers = {text: number for text in texts if (number := _number(text)) is not None}
    missing = [UNSET] * (None in values)
    axis = {"name": key, "label": key.rsplit(".", 1)[-1]}
    unlike = [text for text in texts if text not in numbers] + missing
    if len(numbers) < 2 or unlike not in ([], ["null"], [UNSET]):
        return axis | {"kind": "words", "words": texts, "missing": missing[0] if missing else None}
    low, high = min(numbers.values()), max(numbers.values())
    return axis | {
        "kind": "log" if low > 0 and high / low >= _DECADES else "linear",
        "low": low,
        "high": high,
        "ticks": sorted((number, text) for text, number in numbers.items()),
        "missing": unlike[0] if unlike else None,
    }


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _value(axis: dict[str, Any], text: str | None) -> float | str | None:
    """Where a setting is on an axis; None: where the missing ones are."""
    if text is None or axis["kind"] == "words":
        return text
    return _number(text)


def _claims(
    sweep: KeptSweep, scores: Sequence[str], settings: Sequence[SweptSetting]
) -> Iterator[dict[str, Any]]:
    """What was claimed when the sweep ended, by metric, in the order of the settings."""
    for folder in _CHOOSING:
        path = sweep.parent.file(f"{folder}{CLAIMS}")
        if path is None:
            continue
        try:
            outcome = Outcome.read(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not readable as the claims of a sweep ({error})") from error
        for metric, claim in outcome.claims.items():
            rows = [outcome.settings.get(one.name, {}).get(metric) for one in settings]
            yield {
                "metric": metric,
                "score": _column(metric, folder, outcome, scores),
                "title": outcome.title,
                "reference": outcome.reference,
                "referenceLine": outcome.reference_line,
                "sentence": claim.sentence,
                "notes": outcome.notes,
                "chosen": claim.setting,
                "choice": outcome.choice,
                "level": 100 * outcome.level,
                "like": claim.like,
                "others": len(outcome.settings) - 1,
                "groups": list(_groups(outcome, metric, rows)),
                "rows": [
                    row and [row.score, row.sd, row.difference, row.low, row.high, row.told]
                    for row in rows
                ],
            }


def _column(metric: str, folder: str, outcome: Outcome, scores: Sequence[str]) -> str | None:
    """The score that a metric of the claims was chosen by, among those of the cells."""
    name = f"{_CHOOSING[folder][bool(outcome.choice)]}{metric.lower()}"
    return name if name in scores else None


def _groups(
    outcome: Outcome, metric: str, rows: Sequence[Scored | None]
) -> Iterator[dict[str, Any]]:
    """Settings by where they stand beside the chosen one, as the claims have it; none where they
    do not say it."""
    places = [row.place if row else "" for row in rows]
    if not any(places):
        return
    found: dict[str, list[int]] = {"like": [], "above": [], "below": [], "none": []}
    kinds = {LIKE: "like", ABOVE: "above", BELOW: "below", "": "none"}
    for i, place in enumerate(places):
        found[kinds.get(place, "like")].append(i)  # the chosen one itself
    claim = outcome.claims[metric]
    who = f"Chosen by {outcome.choice}" if outcome.choice else "Best"
    others = f"and {counted(claim.like, 'others')} that cannot be told from it"
    titles = {
        "like": f"{who}: {claim.setting}, {others if claim.like else 'told from all others'}",
        "above": "Above it, and told from it",
        "below": "Below it, and told from it",
        "none": "Not compared: no cell has finished with scores",
    }
    for kind, settings in found.items():
        if settings:
            yield {"kind": kind, "title": titles[kind], "settings": settings}
