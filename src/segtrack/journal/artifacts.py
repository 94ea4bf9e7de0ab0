"""Earlier runs: what they kept, and the cells of a sweep."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.journal.database import sqlite_path
from segtrack.journal.tracking import connect, local_path
from segtrack.settings import MlflowSettings

SWEEP_KEYS = "sweep.keys"  # tag of a sweep's parent: the varied keys as JSON
SWEEP_PATHS = "sweep.paths"  # and those of their values that are paths, by key


def run_weights(settings: MlflowSettings, run_id: str, folder: Path) -> Path:
    """The weights that an earlier run trained, as a local file.

    Raises:
        SettingsError: there is no such run, or it kept no weights.
    """
    client, run = _recorded(settings, run_id, f"model.weights=run:{run_id}")
    run_id = run.info.run_id
    local = local_path(run.info.artifact_uri)
    if local is not None and (local / "weights" / "best.pt").is_file():
        return local / "weights" / "best.pt"
    try:
        return Path(client.download_artifacts(run_id, "weights/best.pt", str(folder)))
    except Exception as error:
        raise SettingsError(
            f"model.weights=run:{run_id}: that run kept no weights/best.pt ({error}). "
            f"Choose a run that trained a model."
        ) from error


def _recorded(settings: MlflowSettings, run_id: str, given: str) -> tuple[Any, Any]:
    """The client and the record of an earlier run, by its id or, the newest of them, by its name.

    Raises:
        SettingsError: there is no such run; ``given`` is how it was asked for.
    """
    path = sqlite_path(settings.uri)
    if path is not None and not path.exists():
        raise SettingsError(f"{given}: {settings.uri} holds no runs yet")
    client, experiment = connect(settings)
    try:
        return client, client.get_run(run_id)
    except Exception as error:
        if named := _newest_named(client, experiment, run_id):
            return client, named
        raise SettingsError(
            f"{given}: no such run in {settings.uri} ({error}). Copy the id, or the name, from "
            "`make ui`."
        ) from error


def _newest_named(client: Any, experiment: str, name: str) -> Any | None:
    if "'" in name or not name.isprintable():  # MLflow's filters have no way to write that
        return None
    query = f"attributes.run_name = '{name}'"
    order = ["attributes.start_time DESC"]
    return next(iter(client.search_runs([experiment], query, order_by=order, max_results=1)), None)


def earlier_run(settings: MlflowSettings, run_id: str) -> Any:
    """MLflow's record of an earlier run: ``info``, ``data.params`` and ``data.tags``.

    Raises:
        SettingsError: there is no such run.
    """
    return _recorded(settings, run_id, run_id)[1]


def run_files(settings: MlflowSettings, run_id: str, pattern: str, into: Path) -> list[Path]:
    """The artifacts of an earlier run that fit a pattern, as local files, in order of their names.

    Args:
        settings: where the run is recorded.
        run_id: of the run.
        pattern: of the path, such as ``tracking/*/scores/counts.npz``; ``*`` within one folder.
        into: folder for those that have to be fetched from a server.

    Raises:
        SettingsError: there is no such run, or its artifacts cannot be fetched.
    """
    client, run = _recorded(settings, run_id, run_id)
    run_id = run.info.run_id
    local = local_path(run.info.artifact_uri)
    if local is not None and local.is_dir():
        return sorted(local.glob(pattern))
    try:
        names = sorted(_matching(client, run_id, pattern.split("/"), ""))
        return [_fetched(client, run_id, name, into) for name in names]
    except Exception as error:
        raise SettingsError(
            f"{run_id}: its artifacts {pattern} cannot be fetched from "
            f"{run.info.artifact_uri} ({error}). Run this where they can be reached."
        ) from error


def _fetched(client: Any, run_id: str, name: str, into: Path) -> Path:
    """One artifact as a file; in a folder of its own, as MLflow may keep only the last name."""
    folder = into / run_id / name.rpartition("/")[0]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one bar per file
    return Path(client.download_artifacts(run_id, name, str(folder)))


def _matching(client: Any, run_id: str, parts: list[str], folder: str) -> Iterator[str]:
    """Paths of the artifacts below ``folder`` whose further path fits ``parts``."""
    for item in client.list_artifacts(run_id, folder or None):
        if not fnmatch.fnmatchcase(item.path.rsplit("/", 1)[-1], parts[0]):
            continue
        if item.is_dir and len(parts) > 1:
            yield from _matching(client, run_id, parts[1:], item.path)
        elif not item.is_dir and len(parts) == 1:
            yield str(item.path)


def sweep_keys(settings: MlflowSettings, parent: str) -> tuple[list[str], dict[str, list[str]]]:
    """The keys that a sweep varies, and values of theirs that are paths, as its parent says.

    Raises:
        SettingsError: there is no such run.
    """
    _, run = _recorded(settings, parent, f"parent_run={parent}")
    tags = run.data.tags
    return json.loads(tags.get(SWEEP_KEYS, "[]")), json.loads(tags.get(SWEEP_PATHS, "{}"))


def cells(settings: MlflowSettings, parent: str) -> list[Any]:
    """The child runs of a sweep, first started first."""
    client, experiment = connect(settings)
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            f"tags.`mlflow.parentRunId` = '{parent}'",
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        found.extend(page)
        token = page.token
        if not token:
            return found
