"""Cells in the hands of Hydra's launchers: those of a killed worker are run again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.base.processes import held, process_mark
from segtrack.base.saying import say
from segtrack.command import objective
from segtrack.command.circumstances import config_hash
from segtrack.command.composition import to_settings
from segtrack.command.folders import remove_run
from segtrack.command.search import Search
from segtrack.settings import MlflowSettings

_TRIES = 3  # launches of one command, after which whatever kills the workers has to be found
_EVERY = 0.5  # s between two looks at cells that a launcher has left running


@dataclass(frozen=True)
class Known:
    """What a cell that need not run returns."""

    values: objective.Values | None


def already(config: DictConfig, output: Path) -> Known | None:
    """What a finished cell of the sweep with the same settings returned; None: there is none.

    A search may draw what it has drawn before, and cells of a killed worker are launched again
    together with those that have ended.

    Args:
        config: of the cell. output: its folder, which is removed where it is not needed.
    """
    settings = to_settings(config)
    if settings.parent_run is None:
        return None
    try:
        twin = journals.twin(settings.mlflow, settings.parent_run, config_hash(settings))
    except journals.ServerAway:  # to run it twice loses nothing
        return None
    if twin is None:
        return None
    values = objective.read(twin.data.tags)
    if len(values) != len(settings.objectives):
        return None
    say(f"is done: {twin.info.run_name} ({twin.info.run_id})")
    remove_run(output, above=False)
    return Known(objective.for_hydra(settings, values))


def launch(
    by_hydra: Callable[[], int],
    journal: journals.Journal,
    settings: MlflowSettings,
    cells: Search | int,
) -> int:
    """Let Hydra run the cells; where a worker is killed, once more those that it did not finish.

    Args:
        by_hydra: runs all that are left, and returns the exit code.
        journal: of the parent. settings: where it is recorded.
        cells: how many there are, or the search that draws them.

    Returns:
        The last exit code.

    Raises:
        SettingsError: Hydra could not begin a single cell of a sweep that is no search.
    """
    search = cells if isinstance(cells, Search) else None
    code = 0
    for number in range(_TRIES):
        if search is not None and not search.left:
            return 0
        try:
            code = by_hydra()
        except KeyboardInterrupt:
            wait = journals.asked_once(settings.timeout)  # no longer than this, after Ctrl-C
            with wait, held(), contextlib.suppress(journals.ServerAway):
                _end_cells(journal, settings)
            raise
        except SettingsError as error:  # no worker's end, and no other try would mend it
            with contextlib.suppress(journals.ServerAway):
                if search or _when_ended(journal, settings):  # whose parent is known by it
                    say(f"error: {error}", error=True)
                    return error.exit_code
            raise
        if not code:
            return 0
        try:
            children = _when_ended(journal, settings)
        except journals.ServerAway:
            return code
        lost = [run for run in children if _lost(run)]
        missing = search.lost if search else len(children) < int(str(cells))
        if not (lost or missing) or number + 1 == _TRIES:
            return code
        if away := [run for run in children if run.info.status == "RUNNING"]:
            hosts = ", ".join(sorted({run.data.tags["segtrack.host"] for run in away}))
            say(f"warning: cells may still be running on {hosts}; type the same command later")
            return code
        say("warning: a worker was killed; the cells that it did not finish are run again")
        journal.tags({journals.SWEEP_ONCE: "true"})
        journal.flush()
        if search:
            search.settle()
    return code


def _end_cells(journal: journals.Journal, settings: MlflowSettings) -> None:
    """End cells that a launcher started and leaves alone, as submitit does: a terminal's Ctrl-C
    reaches them too, ``kill`` does not. What runs elsewhere is named."""
    here = socket.gethostname()
    away: set[str] = set()
    for run in journals.cells(settings, journal.run_id):
        if run.info.status != "RUNNING":
            continue
        host, process = (run.data.tags.get(f"segtrack.{key}", "") for key in ("host", "process"))
        pid = int(process.partition("@")[0] or 0)
        if host != here:
            away.add(host)
        elif pid and pid != os.getpid() and process == process_mark(pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
    if away:
        say(f"warning: cells may still be running on {', '.join(sorted(away))}", error=True)


def _when_ended(journal: journals.Journal, settings: MlflowSettings) -> list[Any]:
    """All cells, once none of this machine is running: a launcher that fails leaves others be."""
    bring(journal, settings)
    while True:
        children = journals.cells(settings, journal.run_id)  # which marks those that were killed
        here = socket.gethostname()
        running = [run for run in children if run.info.status == "RUNNING"]
        if not any(run.data.tags.get("segtrack.host") == here for run in running):
            return children
        time.sleep(_EVERY)


def bring(journal: journals.Journal, settings: MlflowSettings) -> None:
    """Let the server have what it did not take of the cells, if it does now."""
    for _ in journals.sync(Path(), settings.timeout, parent=journal.run_id):
        pass


def _lost(run: Any) -> bool:
    return bool(run.info.status == "KILLED" and run.data.tags.get("error") != "interrupted")
