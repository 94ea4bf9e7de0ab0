"""The MLflow run: what is recorded, under which name. The only module that imports mlflow."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import json
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from filelock import FileLock

from segtrack.base.errors import DataError, SegtrackError, SettingsError
from segtrack.base.files import link_or_copy
from segtrack.base.metrics import Metric
from segtrack.base.names import level, storable, whole
from segtrack.base.processes import process_mark, terminated_as_interrupt
from segtrack.settings import MlflowMode, MlflowSettings

SWEEP_KEYS = "sweep.keys"  # tag of a sweep's parent: the varied keys as JSON
SWEEP_PATHS = "sweep.paths"  # and those of their values that are paths, by key
VALUE_LIMIT = 500  # MLflow takes 6,000 characters a parameter; nobody reads them in a table
PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
METRICS_PER_CALL = 1000
FLUSH_SECONDS = 2.0  # curves of a running training are at most this old


class Journal:
    """One MLflow run, and nothing else in the program knows MLflow.

    Metrics are sent in batches; a (name, step) pair is logged once.

    Attributes:
        latest: value of each metric. worked: something was done that is worth a record, even where
            the run fails; until then wrong input leaves no run behind. forgotten: it left none.
    """

    def __init__(self, settings: MlflowSettings, run_id: str) -> None:
        self.client, self.uri = _client(settings.uri), settings.uri
        self.run_id = run_id
        self._seen: set[tuple[str, int]] = set()
        self._waiting: list[Any] = []
        self._tags: dict[str, str] = {}
        self._flushed = time.monotonic()
        self.latest: dict[str, float] = {}
        self.worked = self.forgotten = False

    def metric(self, metric: Metric) -> None:
        """Record a number; names are mended to what MLflow allows, NaN is kept."""
        name = whole(metric.name)
        if (name, metric.step) in self._seen:
            return
        from mlflow.entities import Metric as MlflowMetric

        self._seen.add((name, metric.step))
        self.latest[name] = metric.value
        now = int(time.time() * 1000)
        self._waiting.append(MlflowMetric(name, float(metric.value), now, metric.step))
        self._flush_in_time()

    def _flush_in_time(self) -> None:
        overdue = time.monotonic() - self._flushed > FLUSH_SECONDS
        if overdue or max(len(self._waiting), len(self._tags)) >= METRICS_PER_CALL:
            self.flush()

    def flush(self) -> None:
        """Send the metrics and tags that wait."""
        from mlflow.entities import RunTag

        tags, self._tags = self._tags, {}
        rows = [RunTag(k, v) for k, v in tags.items()]
        for start in range(0, len(rows), TAGS_PER_CALL):
            self.client.log_batch(self.run_id, tags=rows[start : start + TAGS_PER_CALL])
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), METRICS_PER_CALL):
            self.client.log_batch(self.run_id, metrics=waiting[start : start + METRICS_PER_CALL])
        self._flushed = time.monotonic()

    def params(self, params: Mapping[str, Any]) -> None:
        """Record parameters in the given order; lists as JSON, long values cut with a note."""
        from mlflow.entities import Param

        rows = [Param(whole(k), _param_text(v)) for k, v in params.items()]
        for start in range(0, len(rows), PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=rows[start : start + PARAMS_PER_CALL])

    def tags(self, tags: Mapping[str, str]) -> None:
        """Record tags; they wait for the metrics, since each call costs a commit."""
        self._tags |= _tags(tags)
        self._flush_in_time()

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a file, or a folder with all that is in it, under ``folder``.

        A local artifact store gets a hard link where the file system can, so that the weights of a
        20-cell sweep take their place once.
        """
        local = self._local_artifacts()
        files = [p for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [path]
        for file in files:
            inner = file.parent.relative_to(path).as_posix() if path.is_dir() else ""
            target = "/".join(part for part in (folder, inner.strip(".")) if part)
            if local is not None:
                link_or_copy(file, local / target / file.name)
            else:
                self.client.log_artifact(self.run_id, str(file), target or None)

    def text(self, text: str, name: str) -> None:
        """Keep a text as the artifact ``name``."""
        self.client.log_text(self.run_id, storable(text), name)

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Record an input of the run as an MLflow data set."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entity = Dataset(
            name=storable(name)[:490],
            digest=digest[:36],
            source_type="local",
            source=json.dumps(source),
        )
        tags = [InputTag("mlflow.data.context", context)]
        self.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def end(self, status: str, message: str = "") -> None:
        """End the run as FINISHED, FAILED or KILLED; a message becomes the tag ``error``."""
        if message:
            self.tags({"error": message})
        with contextlib.suppress(Exception):  # a lost metric must not hide the status
            self.flush()
        self.client.set_terminated(self.run_id, status)

    def forget(self) -> None:
        """Remove the run and what it kept; a server keeps it among those that were deleted."""
        folder = self._local_artifacts()
        self.client.delete_run(self.run_id)
        if _sqlite_path(self.uri) is not None:
            # MLflow's own `mlflow gc` does this; the client has no method of it.
            self.client._tracking_client.store._hard_delete_run(self.run_id)
        if folder is not None:
            shutil.rmtree(folder.parent, ignore_errors=True)
        self.forgotten = True

    def _local_artifacts(self) -> Path | None:
        return _local_path(self.client.get_run(self.run_id).info.artifact_uri)


@contextlib.contextmanager
def record(
    settings: MlflowSettings, name: str, tags: Mapping[str, str], parent: str | None = None
) -> Iterator[Journal]:
    """Open an MLflow run, yield its journal, and end it whatever happens.

    FINISHED where the body returns, KILLED after Ctrl-C or SIGTERM, else FAILED with the error's
    message as the tag ``error``. Input that cannot be used leaves no run behind, unless something
    was done before (``Journal.worked``) or the run is a cell of a sweep, whose table it is in.
    """
    client, experiment = connect(settings)
    own = {
        "segtrack.host": socket.gethostname(),
        "segtrack.process": process_mark(os.getpid()),
        "mlflow.source.name": "src/run.py",
        "mlflow.source.type": "LOCAL",
        **({"mlflow.parentRunId": parent} if parent else {}),
    }
    run = client.create_run(experiment, run_name=storable(name), tags=_tags({**own, **tags}))
    journal = Journal(settings, run.info.run_id)
    try:
        with terminated_as_interrupt():
            yield journal
    except KeyboardInterrupt:
        _end_anyway(journal, "KILLED", "interrupted")
        raise
    except BaseException as error:
        text = (
            str(error) if isinstance(error, SegtrackError) else f"{type(error).__name__}: {error}"
        )
        if isinstance(error, SettingsError | DataError) and not (journal.worked or parent):
            _forget_or_end(journal, text)
        else:
            _end_anyway(journal, "FAILED", text)
        raise
    journal.end("FINISHED")


def _forget_or_end(journal: Journal, message: str) -> None:
    try:
        journal.forget()
    except Exception:  # a server that does not let us
        _end_anyway(journal, "FAILED", message)


def _end_anyway(journal: Journal, status: str, message: str) -> None:
    """End a run that failed; where even that fails (disk full), the first error must be seen."""
    try:
        journal.end(status, message)
    except Exception as error:
        print(f"warning: MLflow could not end the run as {status}: {error}", file=sys.stderr)


def connect(settings: MlflowSettings) -> tuple[Any, str]:
    """Make the database where it is missing, probe a server, and find or make the experiment.

    Returns:
        The MLflow client and the experiment's id.

    Raises:
        SettingsError: the server does not answer within ``settings.timeout`` seconds.
    """
    if settings.mode is MlflowMode.server:
        probe(settings)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    path = _sqlite_path(settings.uri)
    if path is None:
        client = _client(settings.uri)
        return client, _experiment(client, settings)
    try:
        if not path.parent.exists() and not path.resolve().is_relative_to(Path.cwd()):
            print(f"mlflow.uri={settings.uri}: making the folder {path.parent}", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that make the database at once fail with "duplicate column".
        with FileLock(path.with_suffix(".lock")):
            client = _client(settings.uri)
            experiment = _experiment(client, settings)
    except OSError as error:
        raise SettingsError(
            f"mlflow.uri={settings.uri}: cannot write {error.filename or path.parent}: "
            f"{error.strerror}. Make it writable or choose another place with mlflow.uri=..."
        ) from error
    _mark_killed(client, experiment)
    return client, experiment


def probe(settings: MlflowSettings) -> None:
    """Ask a tracking server for its health, once.

    Raises:
        SettingsError: no answer within ``settings.timeout`` seconds.
    """
    if urlparse(settings.uri).scheme not in ("http", "https"):
        return
    url = settings.uri.rstrip("/") + "/health"
    try:
        with urllib.request.urlopen(url, timeout=settings.timeout):
            return
    except urllib.error.HTTPError:
        return  # it answers; a proxy in front of it may not know /health
    except OSError as error:
        raise SettingsError(
            f"mlflow.uri={settings.uri}: no MLflow server answers there within "
            f"{settings.timeout:g} s ({error}). Start it, give its address with mlflow.uri=..., "
            f"or record locally with mlflow=local."
        ) from error


def run_weights(settings: MlflowSettings, run_id: str, folder: Path) -> Path:
    """The weights that an earlier run trained, as a local file.

    Raises:
        SettingsError: there is no such run, or it kept no weights.
    """
    client, run = _recorded(settings, run_id, f"model.weights=run:{run_id}")
    local = _local_path(run.info.artifact_uri)
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
    """The client and the record of an earlier run.

    Raises:
        SettingsError: there is no such run; ``given`` is how it was asked for.
    """
    path = _sqlite_path(settings.uri)
    if path is not None and not path.exists():
        raise SettingsError(f"{given}: {settings.uri} holds no runs yet")
    client, _ = connect(settings)
    try:
        return client, client.get_run(run_id)
    except Exception as error:
        raise SettingsError(
            f"{given}: no such run in {settings.uri} ({error}). Copy the id from `make ui`."
        ) from error


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
    local = _local_path(run.info.artifact_uri)
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
    """The keys that a sweep varies, and values of theirs that are paths, as its parent says."""
    client, _ = connect(settings)
    tags = client.get_run(parent).data.tags
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


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {whole(k): storable(str(v))[:4900] for k, v in tags.items()}


def _param_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = storable(text)
    if len(text) <= VALUE_LIMIT:
        return text
    return f"{text[:VALUE_LIMIT]}... (cut; {len(text)} characters, see config.yaml)"


def _client(uri: str) -> Any:
    """A client for ``uri``; a relative SQLite path is taken from here, also if we move later."""
    path = _sqlite_path(uri)
    return _cached_client(uri if path is None else f"sqlite:///{path.resolve()}")


@functools.cache
def _cached_client(uri: str) -> Any:
    _quiet()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _quiet() -> None:
    """MLflow's and alembic's chatter about migrations is nobody's concern here."""
    import logging

    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _experiment(client: Any, settings: MlflowSettings) -> str:
    found = client.get_experiment_by_name(settings.experiment)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    location = None
    if settings.artifacts:
        location = (Path(settings.artifacts).resolve() / level(settings.experiment)).as_uri()
    try:
        # Without the kind MLflow's UI opens an experiment with its pages for language models.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(settings.experiment, location, tags=kind))
    except Exception:
        # Another machine on the same server may have made it in the meantime.
        found = client.get_experiment_by_name(settings.experiment)
        if found is None:
            raise
        return str(found.experiment_id)


def _sqlite_path(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _local_path(uri: str) -> Path | None:
    parts = urlparse(uri)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path))
    return None


def _mark_killed(client: Any, experiment: str) -> None:
    """Runs of this host that still count as running, but whose process is gone, were killed."""
    query = f"attributes.status = 'RUNNING' AND tags.`segtrack.host` = '{socket.gethostname()}'"
    for run in client.search_runs([experiment], query):
        mark = run.data.tags.get("segtrack.process", "")
        if mark and mark != process_mark(int(mark.split("@")[0])):
            client.set_tag(run.info.run_id, "error", "the process was killed")
            client.set_terminated(run.info.run_id, "KILLED")
