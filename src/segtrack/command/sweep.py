"""A multirun: one parent MLflow run, one child per cell, and the table that compares them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from segtrack import journal as journals
from segtrack.base.errors import SegtrackError, StageError
from segtrack.base.nested import flatten
from segtrack.base.saying import LOG, logged, say
from segtrack.command.cells import Cell, knobs_after_choices
from segtrack.command.circumstances import command_of, git_state
from segtrack.command.composition import compose_settings, composing, swept
from segtrack.command.ending import reading, say_where
from segtrack.command.job import look, run_job
from segtrack.command.launching import already, bring, launch
from segtrack.command.objective import Values
from segtrack.command.run_names import sweep_name
from segtrack.command.search import Search
from segtrack.command.sweeper import Searched
from segtrack.pipeline import objective_warnings, platform_stages
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
        sweep = swept(overrides)
    cells = sweep.cells
    later = knobs_after_choices(overrides)
    typed, words = words, [later.get(word, word) for word in words]
    first = compose_settings(conf, _own(cells[0].overrides), extra)
    default_of = partial(_defaults, conf, extra, overrides)
    keys = list(dict.fromkeys(key for cell in cells for key in cell.swept))
    search = Search(sweep, first, overrides) if sweep.sweeper.draws else None
    if first.plan:
        return hydra(words, run_job)
    journals.require_tracking(first.mlflow)  # a sweep's table and its search live there
    _require_one(conf, extra, cells)
    if search is not None and search.open():
        return 0
    for warning in objective_warnings(first):
        say(f"warning: {warning}")
    commit, dirty = git_state()
    tags = {
        "command": command_of(typed),
        "git.commit": commit,
        "git.dirty": str(dirty).lower(),
        journals.SWEEP_KEYS: json.dumps(keys),
        journals.SWEEP_PATHS: json.dumps(_paths(cells)),
    }
    name = first.mlflow.run_name or sweep_name(keys)
    again = search.parent if search else None
    with journals.record(first.mlflow, name, tags, again=again) as journal:
        if again is None:
            what = ("sweeper", search.name) if search else ("cells", len(cells))
            journal.params(dict([what, ("swept", keys)]))
        own = [f"parent_run={journal.run_id}", *_without_platform(overrides, first.stages)]
        if search is not None:
            search.begin(journal, default_of(keys))
        by_hydra = partial(_by_hydra, hydra, [*words, *own], search)
        code = launch(by_hydra, journal, first.mlflow, search or len(cells))
        searched = search.outcome if search else None
        try:
            count, failed = _concluded(journal, first.mlflow, keys, default_of, searched)
        except journals.ServerAway as error:
            say(f"warning: the tables of this sweep cannot be made now: {error}", error=True)
            report = reading("report", journal.run_id, first.mlflow)
            say(f"once it answers: {journals.SYNC}, and then: {report}")
            count, failed = len(cells), 0
        if failed or code:
            if not count:
                raise StageError("no cell was run; what kept Hydra from it is said above")
            raise StageError(f"{failed or 'some'} of {count} cells failed; see their runs")
    return 0


def _concluded(
    journal: journals.Journal,
    settings: MlflowSettings,
    keys: list[str],
    default_of: Callable[[Sequence[str]], dict[str, Any]],
    searched: Searched | None,
) -> tuple[int, int]:
    """How many cells there are, and how many of them failed, of which tables are made.

    Raises:
        ServerAway: what the cells came to cannot be read, or the tables not be kept.
    """
    from segtrack.command.sweep_conclusion import conclude

    bring(journal, settings)
    with journals.asking(settings), _sweep_log(journal, settings):
        found = conclude(journal, settings, keys, default_of, searched)
        say_where(journal, settings)
    return found


def _by_hydra(
    hydra: Callable[[Sequence[str], Any], int], words: Sequence[str], search: Search | None
) -> int:
    return hydra([*words, *(search.words() if search else [])], _cell)


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


@contextlib.contextmanager
def _sweep_log(journal: journals.Journal, settings: MlflowSettings) -> Iterator[None]:
    """What is said of all cells stands in the folder that has theirs, and in the parent run."""
    outputs = [Path(run.data.tags["output"]) for run in journals.cells(settings, journal.run_id)]
    if not outputs:
        yield
        return
    path = outputs[0].parent / LOG
    with logged(path):
        yield
    if path.is_file():
        journal.artifact(path)


def _cell(config: DictConfig) -> Values | None:
    """A cell that fails raises, so that the others go on and the launcher knows."""
    hydra = HydraConfig.get()
    own = [word for word in hydra.overrides.task if not word.startswith("parent_run=")]
    say(f"\ncell {hydra.job.num}  {' '.join(own)}")
    try:
        known = already(config, Path(hydra.runtime.output_dir))
        return run_job(config) if known is None else known.values
    except SegtrackError as error:
        number = HydraConfig.get().job.num
        say(f"error in cell {number}: {error}", error=True)
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
    say(f"cells run stages=[{','.join(kept)}]; list the platform's stages to have them too")
    return [f"stages=[{','.join(kept)}]"]


def _own(overrides: Sequence[str]) -> list[str]:
    return [o for o in overrides if not o.startswith("hydra")]


def _defaults(
    conf: Path, extra: Path | None, overrides: Sequence[str], swept: Sequence[str]
) -> dict[str, Any]:
    """The values of the swept keys where the command does not set them."""
    kept = [o for o in _own(overrides) if o.lstrip("+").partition("=")[0] not in swept]
    try:
        flat = flatten(plain(compose_settings(conf, kept, extra)))
    except SegtrackError:  # a key that only exists together with a swept choice
        return {}
    of = {key: key if key in flat else f"{key}.name" for key in swept}  # groups go by name
    return {key: flat[name] for key, name in of.items() if name in flat}
