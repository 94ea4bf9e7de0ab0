"""The cells of a sweep as tables, and as settings: cells that differ in a seed alone are one.

A seed is no setting: the best of several seeds is the luckiest, and nobody can have it again.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segtrack.command.cells import meaning
from segtrack.command.objective import PRUNED
from segtrack.command.run_names import short
from segtrack.report import aggregate

CHOOSING = (
    *("val/best/mask_map50_95", "val/best/box_map50_95"),
    *(f"track/tuning/{name}" for name in ("hota", "mota", "idf1", "mask_hota", "smotsa")),
)
MEASURED = (
    *("track/hota", "track/mota", "track/idf1", "track/mask_hota", "track/smotsa"),
    "test/mask_map50_95",
)
"""What stands in the printed table; of what was measured only where nothing of its kind chooses."""
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


def is_seed(key: str) -> bool:
    """Whether a knob is a seed: ``seed`` itself, or one of a part, such as ``dataset.seed``."""
    return key.rsplit(".", 1)[-1] == "seed"


def divided(swept: Sequence[str]) -> tuple[list[str], list[str]]:
    """Keys that make settings, and seeds."""
    return [k for k in swept if not is_seed(k)], [k for k in swept if is_seed(k)]


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


def varied(runs: Sequence[Any], swept: Sequence[str]) -> list[str]:
    """The swept keys, and those that a sweeper drew values for without being told by a list."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for run in runs:
        groups.setdefault(tuple(_params(run, swept).values()), []).append(run)
    drawn: dict[str, None] = {}
    for group in groups.values():
        for key in group[0].data.params:
            if len({run.data.params.get(key, "") for run in group}) > 1:
                drawn[key] = None
    return [*swept, *drawn]


def settings_of(runs: Sequence[Any], swept: Sequence[str]) -> list[Cells]:
    """The settings, in the order of their first cells; of cells with the same seed the first."""
    keys, seeds = divided(swept)
    found: dict[tuple[str, ...], dict[tuple[str, ...], Any]] = {}
    for run in runs:
        setting = found.setdefault(tuple(_params(run, keys).values()), {})
        setting.setdefault(tuple(_params(run, seeds).values()), run)
    names = [named(keys, [short(value) for value in values]) for values in found]
    if len(set(names)) < len(names):
        names = [named(keys, values) for values in found]
    return [
        Cells(name, dict(zip(keys, values, strict=True)), tuple(runs.values()))
        for name, (values, runs) in zip(names, found.items(), strict=True)
    ]


def named(keys: Sequence[str], values: Sequence[str]) -> str:
    """A setting or cell by what distinguishes it; only the last words of its keys."""
    pairs = zip(keys, values, strict=True)
    return " ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in pairs)


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


def headline(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics of the printed table: what settings may be chosen by, else what was measured."""

    def there(names: Sequence[str]) -> list[str]:
        return [name for name in names if any(name in row for row in rows)]

    choosing = there(CHOOSING)
    others = [
        name
        for name in there(MEASURED)
        if not any(choice.startswith(_chooses(name)) for choice in choosing)
    ]
    return [*choosing, *there(["track/tracks"]), *others]


def starts(run: Any, runs: Sequence[Any]) -> dict[str, str]:
    """Whether a cell's network was pretrained, where some of the cells' were not."""
    tag = "model.pretrained"
    if all(one.data.tags.get(tag) != "false" for one in runs):
        return {}
    return {tag: run.data.tags.get(tag, "")}


def _chooses(name: str) -> str:
    """What names begin with that choose where ``name`` is measured."""
    return "val/" if name.startswith("test/") else "track/tuning/"


def _params(run: Any, keys: Sequence[str]) -> dict[str, str]:
    return {key: run.data.params.get(key, "") for key in keys}


def _place(metric: str) -> tuple[int, str]:
    """Where a metric stands in tables: what tests comes last."""
    tests = metric.startswith("track/test/")
    at = next(i for i, group in enumerate(_GROUPS) if metric.startswith(group))
    return len(_GROUPS) if tests else at, metric
