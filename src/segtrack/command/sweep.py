"""A multirun: one parent MLflow run, one child per cell, and the table that compares them."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from segtrack import journal as journals
from segtrack.base.errors import SegtrackError, StageError
from segtrack.command.cells import Cell
from segtrack.command.composition import compose_settings, composing, expand, flatten
from segtrack.command.job import git_state, look, run_job
from segtrack.command.run_names import sweep_name
from segtrack.pipeline import platform_stages
from segtrack.settings import MlflowSettings, plain

MOST_PATHS = 4000  # letters that a tag has room for; cells of longer sweeps differ in their ends


def run_sweep(
    words: Sequence[str],
    overrides: Sequence[str],
    hydra: Callable[[Sequence[str], Any], int],
    conf: Path,
    extra: Path | None = None,
) -> int:
    """Run all cells under one parent run.

    The parent is opened here and not in a Hydra callback, whose end hook is not called after a
    failure; its id travels to the cells as an override, so it reaches workers of any launcher.

    Args:
        words: of the command line. overrides: those of them that set something.
        hydra: hands words and a task over to Hydra; returns the exit code.
        conf: folder of the configuration. extra: a further one.

    Returns:
        0, or 1 when a cell failed.

    Raises:
        SegtrackError: no cell can start; then nothing is recorded.
    """
    with composing(conf, extra):  # which values that are globs need
        cells = expand(overrides)
    first = compose_settings(conf, _own(cells[0].overrides), extra)
    if first.plan:
        return hydra(words, run_job)
    _require_one(conf, extra, cells)
    swept = list(dict.fromkeys(key for cell in cells for key in cell.swept))
    commit, dirty = git_state()
    tags = {
        "command": shlex.join([Path(sys.argv[0]).name, *words]),
        "git.commit": commit,
        "git.dirty": str(dirty).lower(),
        journals.SWEEP_KEYS: json.dumps(swept),
        journals.SWEEP_PATHS: json.dumps(_paths(cells)),
    }
    name = first.mlflow.run_name or sweep_name(swept)
    with journals.record(first.mlflow, name, tags) as journal:
        journal.params({"cells": len(cells), "swept": swept})
        own = [f"parent_run={journal.run_id}", *_without_platform(overrides, first.stages)]
        code = hydra([*words, *own], _cell)
        failed = _conclude(journal, first.mlflow, swept, _defaults(conf, extra, overrides, swept))
        if failed or code:
            raise StageError(f"{failed or 'some'} of {len(cells)} cells failed; see their runs")
    return 0


def _paths(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """The swept values that are paths, by key: cells are named by what tells these apart."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        for key, value in cell.swept.items():
            if "/" in value or "\\" in value:
                found.setdefault(key, {})[value] = None
    paths = {key: list(values) for key, values in found.items()}
    return paths if len(json.dumps(paths)) < MOST_PATHS else {}


def _require_one(conf: Path, extra: Path | None, cells: Sequence[Cell]) -> None:
    """Look whether one cell at least has inputs that can be used, before anything is launched.

    A cell whose own value is wrong is a failed cell; what is wrong in all of them is said at once.

    Raises:
        SegtrackError: what the first one found.
    """
    first: SegtrackError | None = None
    for cell in cells:
        try:
            look(compose_settings(conf, _own(cell.overrides), extra))
            return
        except SegtrackError as error:
            first = first or error
    if first is not None:
        raise first


def _cell(config: DictConfig) -> float | None:
    """A cell that fails raises, so that the others go on and the launcher knows."""
    try:
        return run_job(config)
    except SegtrackError as error:
        number = HydraConfig.get().job.num
        print(f"error in cell {number}: {error}", file=sys.stderr, flush=True)
        raise


def _without_platform(overrides: Sequence[str], stages: Sequence[str]) -> list[str]:
    """An override that keeps cells off the platform, unless the command lists its own stages.

    Each cell would send its predictions to be reviewed, which is not what is compared in a sweep
    over a tracker's threshold.
    """
    listed = any(o.lstrip("+").startswith(("stages=", "experiment=")) for o in overrides)
    kept = [name for name in stages if name not in platform_stages(stages)]
    if listed or len(kept) == len(stages):
        return []
    print(f"cells run stages=[{','.join(kept)}]; list the platform's stages to have them too")
    return [f"stages=[{','.join(kept)}]"]


def _own(overrides: Sequence[str]) -> list[str]:
    return [o for o in overrides if not o.startswith("hydra")]


def _defaults(
    conf: Path, extra: Path | None, overrides: Sequence[str], swept: Sequence[str]
) -> dict[str, str]:
    """The values of the swept keys where the command does not set them, as texts."""
    kept = [o for o in _own(overrides) if o.lstrip("+").partition("=")[0] not in swept]
    try:
        flat = flatten(plain(compose_settings(conf, kept, extra)))
    except SegtrackError:  # a key that only exists together with a swept choice
        return {}
    named = {key: flat.get(key, flat.get(f"{key}.name")) for key in swept}  # groups go by name
    return {key: str(value) for key, value in named.items() if value is not None}


def _conclude(
    journal: journals.Journal, settings: MlflowSettings, swept: list[str], defaults: dict[str, str]
) -> int:
    """Put the tables of all cells into the parent; returns how many failed."""
    from segtrack.command.sweep_tracks import conclude_tracks
    from segtrack.report import aggregate, table_csv, table_html, table_text

    children = journals.cells(settings, journal.run_id)
    rows: list[dict[str, Any]] = []
    for run in children:
        row: dict[str, Any] = {"run": run.info.run_name, "status": run.info.status}
        row |= {key: run.data.params.get(key, "") for key in swept}
        row |= _starts(run, children)
        row |= {k: v for k, v in sorted(run.data.metrics.items()) if _comparable(k)}
        rows.append(row)
    if rows:
        journal.text(table_csv(rows), "cells.csv")
        journal.text(table_html(rows, "Cells of this sweep"), "cells.html")
        shown = ["status", *swept, *_starts(children[0], children), *_headline(rows)]
        print("\n" + table_text([{k: row.get(k, "") for k in shown} for row in rows]))
    if "seed" in swept and rows:
        keys = [key for key in swept if key != "seed"]
        means = aggregate(rows, keys=keys, over="seed")
        journal.text(table_csv(means), "settings.csv")
        journal.text(table_html(means, "Mean and standard deviation over seed"), "settings.html")
    conclude_tracks(journal, children, swept, defaults)
    return sum(run.info.status != "FINISHED" for run in children)


def _starts(run: Any, runs: Sequence[Any]) -> dict[str, str]:
    """Whether a cell's network was pretrained, where some of the cells' were not."""
    tag = "model.pretrained"
    if all(one.data.tags.get(tag) != "false" for one in runs):
        return {}
    return {tag: run.data.tags.get(tag, "")}


def _comparable(name: str) -> bool:
    return name.startswith(("val/", "test/", "track/", "speed/", "builds/", "review/"))


def _headline(rows: list[dict[str, Any]]) -> list[str]:
    wanted = (
        *("test/mask_map50_95", "val/mask_map50_95", "track/hota", "track/mota", "track/idf1"),
        *("track/tuning/hota", "track/test/hota", "track/mask_hota", "track/smotsa"),
    )
    names = [name for name in wanted if any(name in row for row in rows)]
    return names + [name for name in ("track/tracks",) if any(name in row for row in rows)]
