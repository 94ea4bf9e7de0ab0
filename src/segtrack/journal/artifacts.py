"""Earlier runs: finding them, what they kept, and the cells of a sweep."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError, of_machine, some
from segtrack.journal.database import sqlite_path
from segtrack.journal.delivery import by_first_id
from segtrack.journal.places import local_path
from segtrack.journal.tracking import asking, client_of, connect
from segtrack.settings import MlflowSettings

SWEEP_KEYS = "sweep.keys"  # tag of a sweep's parent: the varied keys as JSON
SWEEP_PATHS = "sweep.paths"  # and those of their values that are paths, by key
SWEEP_ONCE = "sweep.once"  # cells with settings that a finished cell has are not run


_SWEEPS: dict[tuple[str, str], tuple[list[str], dict[str, list[str]]]] = {}
"""What ``sweep_keys`` has found, by address and id: cells go on where their server is away."""


def run_weights(settings: MlflowSettings, run_id: str, folder: Path) -> Path:
    """The weights that an earlier run trained, as a local file.

    Raises:
        SettingsError: there is no such run, it kept no weights, or they cannot be fetched.
    """
    given = f"model.weights=run:{run_id}"
    run = _recorded(settings, run_id, given)[1]
    kept = Artifacts(settings, run, folder)
    kept.require()
    if not kept.names("weights/best.pt"):
        raise SettingsError(
            f"{given}: that run kept no weights/best.pt in {kept.uri}. Choose a run that trained a "
            "model."
        )
    return kept.fetch("weights/best.pt")


def _recorded(settings: MlflowSettings, run_id: str, given: str) -> tuple[Any, Any]:
    """The client and the record of an earlier run: by its id, else the newest of a name, else by
    the beginning of its id.

    Raises:
        SettingsError: there is no such run, or ids of several begin so; ``given`` is how it was
            asked for.
    """
    path = sqlite_path(settings.uri)
    if path is not None and not path.exists():
        raise SettingsError(f"{given}: {settings.uri} holds no runs yet")
    client, experiment = connect(settings)
    try:
        return client, client.get_run(run_id)
    except Exception as error:
        named = _newest_named(client, experiment, run_id)
        if found := named or by_first_id(client, experiment, run_id):
            return client, found
        begun = _begun(client, experiment, run_id)
        if len(begun) == 1:
            return client, begun[0]
        if begun:
            ids = some([run.info.run_id for run in begun], 3)
            raise SettingsError(f"{given}: ids of several runs begin so: {ids}") from error
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


def _begun(client: Any, experiment: str, start: str) -> list[Any]:
    """Runs whose id begins so, some of them; as ``segtrack view`` finds them."""
    if not re.fullmatch("[0-9a-f]{6,31}", start):
        return []
    query = f"attributes.run_id LIKE '{start}%'"
    return list(client.search_runs([experiment], query, max_results=4))


def earlier_run(settings: MlflowSettings, run_id: str) -> Any:
    """MLflow's record of an earlier run: ``info``, ``data.params`` and ``data.tags``.

    Raises:
        SettingsError: there is no such run.
    """
    return _recorded(settings, run_id, run_id)[1]


def run_of_output(settings: MlflowSettings, output: Path) -> Any | None:
    """MLflow's record of the run whose folder of outputs this is."""
    path, text = sqlite_path(settings.uri), str(output)
    if (path is not None and not path.exists()) or "'" in text or not text.isprintable():
        return None
    client, experiment = connect(settings)
    return next(all_runs(client, experiment, f"tags.output = '{text}'", "DESC"), None)


class Artifacts:
    """What an earlier run kept, on this machine or on a server.

    Attributes:
        into: folder for files that have to be fetched from a server.
    """

    def __init__(self, settings: MlflowSettings, run: Any, into: Path) -> None:
        self.run_id: str = run.info.run_id
        self.uri: str = run.info.artifact_uri
        self.into = into
        self._settings = settings
        local = local_path(self.uri)
        self._local = local if local is not None and local.is_dir() else None
        self._worked = any(tag.startswith("stage.") for tag in run.data.tags)

    def require(self) -> None:
        """Tell a run that kept nothing from one whose artifacts are gone.

        Raises:
            SettingsError: its folder is not there, though it did a stage, and so kept its settings
                at least.
        """
        local = local_path(self.uri)
        if local is not None and self._worked and not local.exists():
            above = local.parent.parent  # of the whole experiment
            gone = local if above.exists() else above
            raise SettingsError(
                f"{self.run_id}: its artifacts are recorded in {gone}, which is not there. "
                "Bring it back, or say with mlflow.artifacts=FOLDER where it went"
            )

    def names(self, pattern: str) -> list[str]:
        """Paths of the artifacts that fit a pattern, such as ``tracking/*/scores/counts.npz``, in
        order; ``*`` within one folder.

        Raises:
            SettingsError: they cannot be listed.
        """
        if self._local is not None:
            found = (p for p in self._local.glob(pattern) if p.is_file())
            return sorted(p.relative_to(self._local).as_posix() for p in found)
        with self._told(pattern):
            return sorted(_matching(self._client, self.run_id, pattern.split("/"), ""))

    def fetch(self, name: str) -> Path:
        """One artifact as a local file, which is only to be read.

        Raises:
            SettingsError: it cannot be fetched.
        """
        if self._local is not None:
            return Path(self._local, name)
        there = self.into / self.run_id / name
        if there.is_file():  # from before
            return there
        # In a folder of its own, as MLflow may keep only the last name.
        there.parent.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one bar per file
        with self._told(name):
            fetched = self._client.download_artifacts(self.run_id, name, str(there.parent))
        return Path(fetched)

    def files(self, pattern: str) -> list[Path]:
        """All that fit a pattern, as ``names`` has it, as local files."""
        return [self.fetch(name) for name in self.names(pattern)]

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Every value of a metric with its step, in order of steps; empty where it has none.

        Raises:
            SettingsError: it cannot be read.
        """
        with self._told(metric):
            rows = client_of(self._settings.uri).get_metric_history(self.run_id, metric)
        return sorted((int(row.step), float(row.value)) for row in rows)

    @property
    def _client(self) -> Any:
        return connect(self._settings)[0]

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if of_machine(error):
                raise
            raise SettingsError(
                f"{self.run_id}: its artifacts {what} cannot be fetched from {self.uri} ({error}). "
                f"Run this where they can be reached."
            ) from error


def run_files(settings: MlflowSettings, run_id: str, pattern: str, into: Path) -> list[Path]:
    """The artifacts of an earlier run that fit a pattern, as local files, in order of their names.

    Args:
        settings: where the run is recorded.
        run_id: of the run, or its name.
        pattern: of the path, such as ``tracking/*/scores/counts.npz``; ``*`` within one folder.
        into: folder for those that have to be fetched from a server.

    Raises:
        SettingsError: there is no such run, or its artifacts cannot be fetched.
    """
    kept = Artifacts(settings, earlier_run(settings, run_id), into)
    kept.require()
    return kept.files(pattern)


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
    asked = (settings.uri, parent)
    if asked not in _SWEEPS:
        _, run = _recorded(settings, parent, f"parent_run={parent}")
        tags = run.data.tags
        _SWEEPS[asked] = (
            json.loads(tags.get(SWEEP_KEYS, "[]")),
            json.loads(tags.get(SWEEP_PATHS, "{}")),
        )
    return _SWEEPS[asked]


def cells(settings: MlflowSettings, parent: str) -> list[Any]:
    """The child runs of a sweep, first started first.

    Raises:
        SegtrackError: they cannot be read; ``ServerAway`` where a server is what fails.
    """
    client, experiment = connect(settings)
    with asking(settings):
        return list(all_runs(client, experiment, f"tags.`mlflow.parentRunId` = '{parent}'", "ASC"))


def twin(settings: MlflowSettings, parent: str, config_hash: str) -> Any | None:
    """The finished cell of a sweep that has these settings, where cells are to be run once.

    Raises:
        SegtrackError: as ``cells`` does.
    """
    query = (
        f"tags.`mlflow.parentRunId` = '{parent}' AND tags.`config.hash` = '{config_hash}' "
        "AND attributes.status = 'FINISHED'"
    )
    client, experiment = connect(settings)
    with asking(settings):
        if SWEEP_ONCE not in client.get_run(parent).data.tags:
            return None
        return next(all_runs(client, experiment, query, "ASC"), None)


def all_runs(client: Any, experiment: str, query: str, order: str) -> Iterator[Any]:
    """The runs that a filter finds, by when they started, page by page."""
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            query,
            order_by=[f"attributes.start_time {order}"],
            page_token=token,
            max_results=200,
        )
        yield from page
        token = page.token
        if not token:
            return
