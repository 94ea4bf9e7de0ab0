"""Where runs are recorded: MLflow's client for it, its experiment, and what is wrong with it."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlparse

from filelock import FileLock, Timeout

from segtrack.base.atomic import try_making
from segtrack.base.errors import SegtrackError, SettingsError, StageError
from segtrack.base.names import level, storable
from segtrack.base.processes import held, process_mark, stop_if_asked
from segtrack.base.saying import say
from segtrack.journal.database import quiet, ready, refuse_special, sqlite_path, usable
from segtrack.journal.moved import bring_along
from segtrack.journal.places import local_path
from segtrack.settings import MlflowSettings

_MAKING_SECONDS = 60  # that another process may take to make the database
# Packages that take records to where they are kept; google's are Protocol Buffers, and its bucket.
_THEIRS = (
    *("mlflow", "sqlalchemy", "requests", "urllib3", "httpx", "google"),
    *("boto3", "botocore", "azure", "fsspec", "s3fs"),
)
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
LOCAL = "; mlflow=local records on this machine"  # of a new run; not of what waits


class ServerAway(SettingsError):
    """No server answers, or what answers is of no use now."""


def require_tracking(settings: MlflowSettings, may_wait: bool = False) -> None:
    """Find what would end recording, before there is anything, and without MLflow.

    Args:
        may_wait: where no server answers, records may wait for it.

    Raises:
        SegtrackError: the database cannot be used, or the server does not answer.
    """
    path = sqlite_path(settings.uri)
    if path is None:
        if not may_wait:
            probe(settings)
        return
    usable(path)
    there = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        try_making(there)
    except OSError as error:
        raise _unwritable(settings, there, error.strerror) from error


def connect(settings: MlflowSettings) -> tuple[Any, str]:
    """Make the database where it is missing, probe a server, and find or make the experiment.

    Returns:
        The MLflow client and the experiment's id.

    Raises:
        SegtrackError: the database cannot be used or made, or the server does not answer within
            ``settings.timeout`` seconds or as MLflow does.
    """
    path = sqlite_path(settings.uri)
    if path is None:
        probe(settings)
        try:
            with told(settings.uri, SettingsError):
                client = client_of(settings.uri)
                experiment = _experiment(client, settings)
        except SettingsError:
            probe(settings)  # it may have gone since it answered
            raise
        if experiment:
            return client, experiment
        raise SettingsError(f"mlflow.uri={settings.uri}: what answers there is no MLflow server")
    refuse_special(path)
    try:
        if not path.parent.exists() and not path.resolve().is_relative_to(Path.cwd()):
            _say(f"mlflow.uri={settings.uri}: making the folder {path.parent}")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that make the database at once fail with "duplicate column".
        with FileLock(path.with_suffix(".lock"), timeout=_MAKING_SECONDS), told(settings.uri):
            ready(path)
            bring_along(path, settings)
            client = client_of(settings.uri)
            experiment = _experiment(client, settings)
    except Timeout as error:
        raise StageError(
            f"mlflow.uri={settings.uri}: another process has been making it for {_MAKING_SECONDS} "
            f"s and holds {error.lock_file}; wait until it has ended, or end it"
        ) from error
    except OSError as error:
        where = Path(error.filename or path.parent)
        raise _unwritable(settings, where, error.strerror) from error
    with told(settings.uri):
        _mark_killed(client, experiment)
    return client, experiment


def _unwritable(settings: MlflowSettings, where: Path, why: str | None) -> SettingsError:
    return SettingsError(
        f"mlflow.uri={settings.uri}: cannot write {where}: {why}. Make it writable or choose "
        "another place with mlflow.uri=sqlite:///FILE"
    )


@contextlib.contextmanager
def told(uri: str, family: type[SegtrackError] = StageError) -> Iterator[None]:
    """Errors of MLflow and of its database in one line, as ``family``."""
    try:
        yield
    except Exception as error:
        if not _of_theirs(error) and not isinstance(error, ImportError):  # of a database's driver
            raise
        do = "Mend it, or record elsewhere with mlflow.uri=...; results that are made are kept"
        text = one_line(error)
        raise family(f"mlflow.uri={uri}: MLflow cannot record there: {text}. {do}") from error


def of_server(error: Exception) -> bool:
    """Whether it is the fault of a server, or of the way to it (a driver may be lacking), that a
    record did not get there; all else is one of this program, or of a file of this machine."""
    if isinstance(error, OSError) and error.filename:
        return False
    way = SegtrackError | OSError | HTTPException | ImportError
    return isinstance(error, way) or _of_theirs(error)


def _of_theirs(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in _THEIRS


@contextlib.contextmanager
def asking(settings: MlflowSettings) -> Iterator[None]:
    """Whatever a server does while it is asked is ``ServerAway``; errors of a file stay."""
    if sqlite_path(settings.uri) is not None:
        yield
        return
    with told(settings.uri, ServerAway):
        yield


@contextlib.contextmanager
def reading(settings: MlflowSettings, otherwise: str) -> Iterator[None]:
    """Whatever goes wrong while runs are read is a ``SettingsError`` that begins as said."""
    try:
        yield
    except SegtrackError:
        raise
    except Exception as error:
        raise SettingsError(f"{otherwise} from {settings.uri} ({error})") from error


def one_line(error: Exception) -> str:
    """What an error of MLflow, or of what it uses, says first."""
    text = re.split(r"\n\[SQL|\n?\(Background on", str(error) or type(error).__name__)[0]
    return re.sub(r"\s+", " ", text).strip(". ")[:500]


def probe(settings: MlflowSettings) -> None:
    """Ask a tracking server for the experiment, once, and without MLflow, which would ask for a
    minute. Its ``/health`` answers also while its database does not, and with it nothing else.

    Raises:
        ServerAway: no answer within ``settings.timeout`` seconds, or one that it is ill.
    """
    name = urlencode({"experiment_name": storable(settings.experiment)})
    url = f"{settings.uri.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name?{name}"
    try:
        parts = urlparse(settings.uri)
        if port := _PORTS.get(parts.scheme.partition("+")[0]):
            address = (parts.hostname or "localhost", parts.port or port)
            socket.create_connection(address, settings.timeout).close()
            return
        if parts.scheme not in ("http", "https"):
            return
        with urllib.request.urlopen(url, timeout=settings.timeout):
            return
    except urllib.error.HTTPError as error:
        if error.code < 500:
            return  # it answers: there is no such experiment yet, or it wants to know who asks
        why: Exception = error
    except (OSError, ValueError, HTTPException) as error:
        why = error
    raise ServerAway(
        f"mlflow.uri={settings.uri}: no MLflow server answers there within "
        f"{settings.timeout:g} s ({why}). Start it, or give its address with mlflow.uri=...{LOCAL}"
    ) from why


def client_of(uri: str) -> Any:
    """A client for ``uri``; a relative SQLite path is taken from here, also if we move later."""
    path = sqlite_path(uri)
    return _cached_client(uri if path is None else f"sqlite:///{path.resolve()}")


@functools.cache
def _cached_client(uri: str) -> Any:
    quiet()
    # MLflow's own are minutes, for which a run would stand still. What a server does not take is
    # kept and sent again; one more try is for a connection that it had closed.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return client if sqlite_path(uri) is None else _Held(client)


_ASKING = threading.RLock()


@contextlib.contextmanager
def asked_once(seconds: float | None = None) -> Iterator[None]:
    """Let MLflow's client send what is in this block once, and wait at most so long for each answer
    (in whole s, rounded up; default: as long as ever).

    What makes something would make it twice: an answer that was lost says not that nothing was
    made. MLflow reads this from the environment alone, at each call: what other threads ask
    meanwhile is sent once as well, and is kept as ever where that fails.
    """
    given = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    if seconds is not None:
        given["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, math.ceil(seconds)))
    with _ASKING:
        before = {key: os.environ.get(key) for key in given}
        os.environ.update(given)
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value


class _Held:
    """A client of a file, whose calls of milliseconds no signal cuts: one that is cut within a
    transaction keeps the database locked, and then the run cannot be ended either."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return _held(found) if callable(found) else found


def _held(call: Callable[..., Any]) -> Callable[..., Any]:
    def whole(*values: Any, **named: Any) -> Any:
        with held():
            result = call(*values, **named)
        stop_if_asked()
        return result

    return whole


def _experiment(client: Any, settings: MlflowSettings) -> str:
    name = storable(settings.experiment)
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
            _say(f"mlflow.experiment={name}: it was deleted in MLflow and is there again")
        return str(found.experiment_id)
    try:
        # Without the kind MLflow's UI opens an experiment with its pages for language models.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, _location(settings), tags=kind))
    except Exception:
        # Another machine on the same server may have made it in the meantime.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def _location(settings: MlflowSettings) -> str | None:
    """Where a new experiment keeps the artifacts of its runs; None: MLflow decides."""
    if not settings.artifacts:
        return None
    name = level(storable(settings.experiment))
    if settings.bucket:
        return f"{settings.artifacts.rstrip('/')}/{name}"
    return (Path(settings.artifacts).resolve() / name).as_uri()


def say_where(client: Any, experiment: str, settings: MlflowSettings) -> None:
    """Say where artifacts go, if not where the settings have them: an experiment stays there."""
    kept, wanted = client.get_experiment(experiment).artifact_location, _location(settings)
    if wanted and (local_path(kept) or kept) != (local_path(wanted) or wanted):
        _say(
            f"mlflow.experiment={settings.experiment}: keeps its artifacts in {kept}, as it did "
            f"from its first run; mlflow.artifacts={settings.artifacts} is that of new ones: give "
            "mlflow.experiment=ANOTHER"
        )


@functools.cache
def _say(text: str) -> None:
    """Print it once per process, as each cell of a sweep connects again, and beside results."""
    say(text, error=True)


def _mark_killed(client: Any, experiment: str) -> None:
    """Runs of this host that still count as running, but whose process is gone, were killed."""
    query = f"attributes.status = 'RUNNING' AND tags.`segtrack.host` = '{socket.gethostname()}'"
    for run in client.search_runs([experiment], query):
        if process_gone(run):
            client.set_tag(run.info.run_id, "error", "the process was killed")
            client.set_terminated(run.info.run_id, "KILLED")


def process_gone(run: Any) -> bool:
    """Whether a run counts as running though its process, one of this machine, is there no more."""
    tags = run.data.tags
    mark = tags.get("segtrack.process", "")
    here = tags.get("segtrack.host") == socket.gethostname() and run.info.status == "RUNNING"
    return bool(here and mark and mark != process_mark(int(mark.split("@")[0])))
