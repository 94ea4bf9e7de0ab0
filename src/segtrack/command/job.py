"""One run: from a composed configuration to a finished MLflow run and its result."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from segtrack.base.addresses import is_live, stream_name
from segtrack.base.errors import (
    DataError,
    SegtrackError,
    SettingsError,
    StageError,
    of_machine,
    out_of_memory,
    place_of,
)
from segtrack.base.files import real
from segtrack.base.metrics import Metric
from segtrack.base.nested import flatten
from segtrack.base.processes import stop_if_asked, stoppable
from segtrack.base.saying import LOG, say
from segtrack.base.secrets import hide_in, without_secrets
from segtrack.command.circumstances import command_of, config_hash, environment, git_state
from segtrack.command.composition import to_settings
from segtrack.command.folders import remove_run, remove_unused, require_utf8, require_writable
from segtrack.command.objective import PRUNED, Values, for_hydra, kept, objective_values
from segtrack.command.pruning import Pruned, watcher
from segtrack.command.run_names import cell_name, run_name
from segtrack.journal import known, require_bucket, require_tracking
from segtrack.model import gpu_record, require_device
from segtrack.settings import Settings, validate
from segtrack.store import is_address, store_folder, store_of

if TYPE_CHECKING:
    from segtrack.journal import Journal
    from segtrack.pipeline import Runner


def live_in(store: Path) -> None:
    """Libraries and segtrack keep what they find out about this machine beside the results, not in
    the user's home."""
    os.environ.setdefault("SEGTRACK_HOME", str(real(store)))


def look(settings: Settings) -> Runner:
    """Find what would end a run at once, before there is any: wrong paths, files, devices.

    Returns:
        What runs it, and has found its inputs.

    Raises:
        SegtrackError: what is wrong, with which value, and what to do. Nothing is left behind.
    """
    require_device(settings.device)
    # A server that has recorded from here, or the sweep of this cell, is no slip: a run begins
    # without it.
    require_tracking(settings.mlflow, settings.parent_run is not None or known(settings.mlflow.uri))
    if settings.mlflow.bucket:
        require_bucket(settings.mlflow)
    elif artifacts := settings.mlflow.artifacts:
        given = f"mlflow.artifacts={artifacts}"
        require_writable(Path(artifacts), given, "choose another folder")
    store, folder = store_of(settings), store_folder(settings)
    there = os.path.isdir(folder)  # noqa: PTH112 (unlike Path's it bears any name)
    given = f"store_cache={settings.store_cache}"
    given = given if is_address(settings.store) else f"store={settings.store}"
    writable = partial(require_writable, folder, given, "choose another folder")
    require_utf8(folder, given, "choose another folder")
    if not there:
        writable()
    store.reach()
    live_in(folder)
    from segtrack.annotation import require_access
    from segtrack.pipeline import Runner, needs_platform

    try:
        if needs_platform(settings):
            require_access(settings.labellerr)
        runner = Runner(settings, store)
        runner.look()
        if runner.must_build:  # a store that can only be read still serves what it has
            writable()
            store.reach(write=True)
        return runner
    except (SegtrackError, OSError) as error:
        if not there and settings.parent_run is None:
            remove_unused(folder)
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"cannot read {error.filename}: {error.strerror}") from error
        raise
    except (MemoryError, RuntimeError) as error:
        raise _of_machine(error) from error


@stoppable()
def run_job(config: DictConfig, runner: Runner | None = None) -> Values | None:
    """Run one composed configuration; called by Hydra, once per run or cell.

    Args:
        config: of this run.
        runner: what ``look`` gave for the same settings.

    Returns:
        The value of ``objective``, of a list the values, or None.

    Raises:
        SegtrackError: what was wrong; the MLflow run, if there is one, has ended as FAILED.
    """
    stop_if_asked()
    settings = to_settings(config)
    hydra = HydraConfig.get()
    output = Path(hydra.runtime.output_dir)
    if hydra.output_subdir is not None:
        hide_in(output / hydra.output_subdir)
    if settings.parent_run is not None:
        hide_in(Path(hydra.sweep.dir), "multirun.yaml")
    if settings.plan:
        from segtrack.pipeline import Planner

        live_in(store_folder(settings))
        store_of(settings).reach()
        say("\n".join(Planner(settings, store_of(settings)).lines()))
        return None
    command = command_of(sys.argv[1:])
    sweeper = OmegaConf.to_container(hydra.sweeper, resolve=False)
    assert isinstance(sweeper, dict)
    overrides, choices = hydra.overrides.task, hydra.runtime.choices
    launch = Launch(
        config, output, overrides, choices, command, {str(k): v for k, v in sweeper.items()}
    )
    return record_run(settings, launch, runner)[1]


@dataclass(frozen=True)
class Launch:
    """How a run was started.

    Attributes:
        config: as it was composed.
        output: the run's folder.
        overrides: words that changed something. choices: options by config group.
        command: for the record, as it was typed.
        sweeper: Hydra's settings of the sweeper whose cell it is.
    """

    config: DictConfig
    output: Path
    overrides: Sequence[str]
    choices: Mapping[str, Any]
    command: str
    sweeper: Mapping[str, Any] = field(default_factory=dict)


def record_run(
    settings: Settings, launch: Launch, runner: Runner | None = None
) -> tuple[str, Values | None]:
    """Run the stages and record them.

    Args:
        runner: what ``look`` gave for the same settings.

    Returns:
        The id of the MLflow run, and what ``run_job`` returns.

    Raises:
        SegtrackError: what was wrong; the MLflow run, if there is one, has ended as FAILED.
    """
    config, output = launch.config, launch.output
    # Only now: everything above must fail within a second.
    from segtrack import journal as journals
    from segtrack.pipeline import RunFacts

    overrides = [o for o in launch.overrides if not o.lstrip("+").startswith("parent_run=")]
    swept, among = _swept(settings, overrides)
    told = swept
    if settings.video is not None and is_live(settings.video) and "video" in swept:
        told = {**swept, "video": stream_name(settings.video)}  # an address may hold secrets
    given = settings.mlflow.run_name or ""  # of a sweep the parent's
    if settings.parent_run is not None:
        given = cell_name(given, settings.model.name, told, among)
    name = without_secrets(given or run_name(settings.model.name, settings.tracker.name, told))
    commit, dirty = git_state()
    code = config_hash(settings)
    chosen = launch.choices.items()
    choices = {f"choice.{k}": str(v) for k, v in chosen if v and "/" not in k}
    tags = {
        "config.hash": code,
        "git.commit": commit,
        "git.dirty": str(dirty).lower(),
        "command": launch.command,
        "overrides": " ".join(overrides),
        "output": str(output),
        "store": str(real(store_folder(settings))),
        **({"store.address": settings.store} if is_address(settings.store) else {}),
        **choices,
    }
    composed = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(composed, dict)
    journal: journals.Journal | None = None
    try:
        with (
            journals.record(
                settings.mlflow, name, tags, settings.parent_run, may_wait=True
            ) as journal,
            _kept_log(journal, output),
            _files(settings, output),
        ):
            say(f"run {name} ({journal.run_id})")
            flat = flatten({str(k): v for k, v in composed.items()})
            journal.params({**swept, **{k: v for k, v in flat.items() if k not in swept}})
            journal.text(OmegaConf.to_yaml(config, resolve=True), "config.yaml")
            journal.text("\n".join(overrides) + "\n", "overrides.txt")
            journal.text(environment(), "environment.txt")
            facts = RunFacts(
                mlflow_run_id=journal.run_id,
                config_hash=code,
                git_commit=commit,
                created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            )
            runner = runner or _looked(settings)  # a cell that fails leaves a run that says so
            runner.begin(journal, output, facts)
            runner.watch = watcher(settings, launch.sweeper, launch.overrides)
            try:
                with _gpu(settings, journal):
                    runner.run()
                named = [name for _, name in runner.names]
                values = objective_values(settings, journal.latest, named)
            except Pruned as early:
                say(f"pruned: {early}")
                journal.tags({PRUNED: str(early.epoch)})
                values = [early.value]
            journal.tags(kept(values))
            journal.flush()
    except SegtrackError:
        if journal is None or journal.forgotten:
            remove_run(output)
        raise
    if settings.parent_run is None:
        from segtrack.command.ending import say_files, say_scores, say_where

        say_scores(journal.latest)
        say_files(runner.shown, output)
        say_where(journal, settings.mlflow)
    return journal.run_id, for_hydra(settings, values)


def _looked(settings: Settings) -> Runner:
    """What ``look`` gives of a cell, whose values a search may have drawn where none are allowed.

    Raises:
        SegtrackError: what is wrong.
    """
    if problems := validate(settings):
        raise SettingsError("; ".join(map(str, problems)))
    return look(settings)


@contextlib.contextmanager
def _kept_log(journal: Journal, output: Path) -> Iterator[None]:
    """Keep what was said in the block, however it ends."""
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # a full disk: why the block ended is what matters
            if (output / LOG).is_file():
                journal.artifact(output / LOG)


def _gpu(settings: Settings, journal: Journal) -> contextlib.AbstractContextManager[None]:
    def number(name: str, value: float) -> None:
        journal.metric(Metric(name, value, 0))

    return gpu_record(settings.device, journal.tags, number)


@contextlib.contextmanager
def _files(settings: Settings, output: Path) -> Iterator[None]:
    """A full disk, a lock, or a folder that went away is told as what it is."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        where = place_of(error) or output
        raise StageError(f"cannot write or read {where}: {error.strerror}") from error
    except (MemoryError, RuntimeError) as error:
        raise _of_machine(error) from error
    except sqlite3.OperationalError as error:
        # Those of the store; disk full, locked, not writable. MLflow's have their own family.
        where = store_folder(settings)
        raise StageError(f"cannot write or read in {where}: {error}") from error


def _of_machine(error: Exception) -> StageError:
    """What a machine lacks that a library could not go on without.

    Raises:
        Exception: ``error`` itself, which says nothing of that kind.
    """
    if not of_machine(error):
        raise error
    why = (str(error).strip().splitlines() or ["none is left"])[0]
    if not out_of_memory(error):
        return StageError(f"this machine lacks something: {why}")
    return StageError(
        f"not enough memory ({why}). Give smaller batches (model.batch, trainer.batch), a "
        "smaller model.imgsz or fewer dataset.workers, or look at what is so large in the input"
    )


def _swept(settings: Settings, overrides: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The values that distinguish this cell, else all that were overridden; and its siblings'."""
    pairs = {key.lstrip("+"): value for key, _, value in (o.partition("=") for o in overrides)}
    if settings.parent_run is None:
        return pairs, {}
    from segtrack.journal import ServerAway, sweep_keys

    try:
        keys, among = sweep_keys(settings.mlflow, settings.parent_run)
    except ServerAway:
        return pairs, {}
    return {key: pairs[key] for key in keys if key in pairs}, among
