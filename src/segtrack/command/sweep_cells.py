"""The cells of a sweep as tables, and as settings: cells that differ in a seed alone are one.

A seed is no setting: the best of several seeds is the luckiest, and nobody can have it again.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segtrack.base.errors import some
from segtrack.base.names import shown
from segtrack.command.cells import meaning
from segtrack.command.objective import PRUNED
from segtrack.report import aggregate
from segtrack.runs import divided, headline, is_seed, setting_names

_GROUPS = ("val/", "track/tuning/", "track/", "review/", "speed/", "builds/", "test/")


@dataclass(frozen=True)
class Cells:
    """Finished cells of one setting.

    Attributes:
        name: of the setting: ``track_thresh=0.4 match_thresh=0.8``.
        params: its values of the swept keys, without seeds.
        runs: MLflow runs, one for each seed.
    """

    name: str
    params: dict[str, str]
    runs: tuple[Any, ...]

    def is_default(self, defaults: Mapping[str, Any]) -> bool:
        """Whether its texts mean those values: 0.50 is 0.5, and null is None."""
        values = {key: value for key, value in defaults.items() if not is_seed(key)}
        return values.keys() == self.params.keys() and all(
            values[key] in (text, meaning(text)) for key, text in self.params.items()
        )


def apart(settings: Sequence[Cells], stage: str) -> bool:
    """Whether a stage gave different results in different settings."""
    tag = f"stage.{stage}"
    return len({cells.runs[0].data.tags.get(tag, "").rpartition(" ")[2] for cells in settings}) > 1


def status(run: Any) -> str:
    """MLflow's, or PRUNED of a cell whose training a search ended early."""
    return "PRUNED" if PRUNED in run.data.tags else str(run.info.status)


def once(runs: Sequence[Any]) -> list[Any]:
    """The cells, of several attempts at one the finished one, else the last."""
    found: dict[str, Any] = {}
    for run in runs:
        tags = run.data.tags
        cell = f"{tags.get('config.hash', run.info.run_id)} {tags.get('overrides', '')}"
        if cell not in found or found[cell].info.status != "FINISHED":
            found[cell] = run
    return list(found.values())


def failures(runs: Sequence[Any], swept: Sequence[str]) -> list[str]:
    """Why cells did not end well, a line for each reason: what a worker said of its cell stands in
    the cell's own log, which may be on another machine.

    Args:
        runs: the cells, each once. swept: the keys that vary.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        ended, why = status(run), run.data.tags.get("error", "")
        if why and ended not in ("FINISHED", "PRUNED"):
            values = " ".join(f"{key}={value}" for key, value in _params(run, swept).items())
            found.setdefault((ended, why.splitlines()[0]), []).append(values)
    return [
        f"{ended}  {shown(some(cells, 3), 200)}: {shown(why, 500)}"
        for (ended, why), cells in found.items()
    ]


def settings_of(runs: Sequence[Any], swept: Sequence[str]) -> list[Cells]:
    """The settings, in the order of their first cells; of cells with the same seed the first."""
    keys, seeds = divided(swept)
    found: dict[tuple[str, ...], dict[tuple[str, ...], Any]] = {}
    for run in runs:
        setting = found.setdefault(tuple(_params(run, keys).values()), {})
        setting.setdefault(tuple(_params(run, seeds).values()), run)
    names = setting_names(keys, list(found))
    return [
        Cells(name, dict(zip(keys, values, strict=True)), tuple(runs.values()))
        for name, (values, runs) in zip(names, found.items(), strict=True)
    ]


def cell_rows(runs: Sequence[Any], swept: Sequence[str]) -> list[dict[str, Any]]:
    """A row per cell: status, swept values, then what chooses, what is measured, and tests last."""
    rows: list[dict[str, Any]] = []
    for run in runs:
        row: dict[str, Any] = {"run": run.info.run_name, "status": status(run)}
        row |= _params(run, swept) | starts(run, runs)
        metrics = {k: v for k, v in run.data.metrics.items() if k.startswith(_GROUPS)}
        row |= {k: metrics[k] for k in sorted(metrics, key=_place)}
        rows.append(row)
    return rows


def shown_rows(rows: Sequence[Mapping[str, Any]], swept: Sequence[str]) -> list[dict[str, Any]]:
    """The printed table: a row per setting, with mean and SD over seeds where there are several.

    Args:
        rows: of ``cell_rows``.
        swept: keys that vary.
    """
    keys, seeds = divided(swept)
    known = [key for key in ("model.pretrained",) if any(key in row for row in rows)]
    shown = [*keys, *known, *headline(rows)]
    if not seeds:
        return [{key: row.get(key, "") for key in ["status", *shown]} for row in rows]
    finished = [
        {key: row.get(key, "") for key in shown} for row in rows if row["status"] == "FINISHED"
    ]
    return aggregate(finished, [*keys, *known])


def noise_rows(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """A row per metric: how far it spreads over cells that differ in a seed alone."""
    result = []
    for metric in metrics:
        values = [float(row[metric]) for row in rows if row.get(metric) is not None]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else None
            mean = statistics.fmean(values)
            row = {"metric": metric, "seeds": len(values), "mean": mean, "SD": spread}
            result.append(row | {"min": min(values), "max": max(values)})
    return result


def starts(run: Any, runs: Sequence[Any]) -> dict[str, str]:
    """Whether a cell's network was pretrained, where some of the cells' were not."""
    tag = "model.pretrained"
    if all(one.data.tags.get(tag) != "false" for one in runs):
        return {}
    return {tag: run.data.tags.get(tag, "")}


def _params(run: Any, keys: Sequence[str]) -> dict[str, str]:
    return {key: run.data.params.get(key, "") for key in keys}


def _place(metric: str) -> tuple[int, str]:
    """Where a metric stands in tables: what tests comes last."""
    tests = metric.startswith("track/test/")
    at = next(i for i, group in enumerate(_GROUPS) if metric.startswith(group))
    return len(_GROUPS) if tests else at, metric
