"""A project whose folder got another place: its database still says where it was.

MLflow records whole paths. Without this a project that was renamed loses what its runs kept and
makes its old folder again, and a copy writes into the original.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from segtrack.base.names import level, storable
from segtrack.base.saying import say
from segtrack.journal.database import opened
from segtrack.journal.places import local_path
from segtrack.settings import MlflowSettings


def bring_along(path: Path, settings: MlflowSettings) -> None:
    """Let a database say where the artifacts of its runs lie now, and say that.

    That is ``settings.artifacts``, if runs of it are there and either nothing is where they were,
    or the database and they lie in this project and what is recorded does not: a copy.

    Raises:
        SegtrackError: it cannot be read or written.
    """
    if not settings.artifacts or settings.bucket:
        return
    root = Path(settings.artifacts).resolve()
    with opened(path) as database:
        rows = database.execute("SELECT experiment_id, name, artifact_location FROM experiments")
        for experiment, name, kept in rows.fetchall():
            old, new = local_path(kept or ""), root / level(name)
            if old is None or old == new or old.name != new.name:
                continue  # on a server, as it should be, or made by someone else
            here = Path.cwd()
            copied = not old.is_relative_to(here) and all(
                one.resolve().is_relative_to(here) for one in (path, new)
            )
            if old.exists() and not copied:
                continue  # the settings have changed, and the experiment stays where it is
            found = _runs_at(database, experiment, new)
            own = name == storable(settings.experiment)
            if found or (own and not old.exists()):
                _record(database, experiment, old, new, found)
                _say(name, old, new, len(found))


def _say(name: str, old: Path, new: Path, runs: int) -> None:
    what = f"{old}, where its artifacts went, is not there; from now on they go to {new}"
    if runs:
        what = (
            f"this project was moved or copied from where {old} was; the artifacts of {runs} "
            f"earlier run(s) are in {new} now, and new ones go there too"
        )
    say(f"mlflow.experiment={name}: {what}", error=True)


def _runs_at(database: sqlite3.Connection, experiment: int, folder: Path) -> list[str]:
    """The runs of an experiment that have a folder there."""
    there = {one.name for one in folder.iterdir()} if folder.is_dir() else set()
    rows = database.execute("SELECT run_uuid FROM runs WHERE experiment_id = ?", (experiment,))
    return [run for (run,) in rows if run in there]


def _record(
    database: sqlite3.Connection, experiment: int, old: Path, new: Path, runs: list[str]
) -> None:
    """All or nothing, as a kill may come."""
    place = new.as_uri()
    # Where the whole project went, its other folders went too.
    inner = new.relative_to(Path.cwd()).parts if new.is_relative_to(Path.cwd()) else ()
    moved = bool(inner) and old.parts[-len(inner) :] == inner
    before, now = f"{Path(*old.parts[: -len(inner)])}/", f"{Path.cwd()}/"
    database.execute("BEGIN IMMEDIATE")
    database.execute(
        "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (place, experiment)
    )
    for run in runs:
        database.execute(
            "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (f"{place}/{run}/artifacts", run)
        )
        database.execute(
            "UPDATE model_versions SET storage_location = replace(storage_location, ?, ?) "
            "WHERE run_id = ?",
            (old.as_uri(), place, run),
        )
        if moved:
            database.execute(
                "UPDATE tags SET value = ? || substr(value, ?) WHERE key = 'output' "
                "AND run_uuid = ? AND substr(value, 1, ?) = ?",
                (now, len(before) + 1, run, len(before), before),
            )
    database.execute("COMMIT")
