"""The MLflow run: what is recorded, and under which name."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError, SegtrackError, SettingsError
from segtrack.base.metrics import Metric
from segtrack.base.names import storable, whole
from segtrack.base.processes import held, process_mark, stop_if_asked, stoppable
from segtrack.base.saying import say
from segtrack.journal.database import sqlite_path
from segtrack.journal.delivery import Sender, create
from segtrack.journal.models import write_model
from segtrack.journal.outbox import Head, now, remember
from segtrack.journal.pages import page_of
from segtrack.journal.places import local_path
from segtrack.journal.syncing import bring_first, say_waiting
from segtrack.journal.tracking import (
    ServerAway,
    asked_once,
    client_of,
    connect,
    of_server,
    say_where,
    told,
)
from segtrack.journal.writing import METRICS_PER_CALL
from segtrack.settings import MlflowSettings

VALUE_LIMIT = 500  # MLflow takes 6,000 characters a parameter; nobody reads them in a table
FLUSH_SECONDS = 2.0  # curves of a running training are at most about this old


class Journal:
    """One MLflow run, and nothing else in the program knows MLflow.

    Metrics are sent in batches; a (name, step) pair is logged once. What a server does not take
    waits on disk (``Sender``), and ends nothing.

    Attributes:
        latest: value of each metric. worked: something was done that is worth a record, even where
            the run fails; until then wrong input leaves no run behind. forgotten: it left none.
    """

    def __init__(self, settings: MlflowSettings, head: Head, experiment: str | None = None) -> None:
        self.uri, self.run_id = settings.uri, head.run
        self._sender, self._experiment = Sender(settings, head), experiment
        self._seen: set[tuple[str, int]] = set()
        self._waiting: list[tuple[str, float, int, int]] = []
        self._tags: dict[str, str] = {}
        self._flushed = time.monotonic()
        self._sending = threading.RLock()
        self._later: threading.Timer | None = None  # sends what waits, if nothing follows it
        self.latest: dict[str, float] = {}
        self.worked = self.forgotten = False

    def metric(self, metric: Metric) -> None:
        """Record a number; names are mended to what MLflow allows, NaN is kept."""
        name = whole(metric.name)
        if (name, metric.step) in self._seen:
            return
        self._seen.add((name, metric.step))
        self.latest[name] = metric.value
        with self._sending:
            self._waiting.append((name, float(metric.value), now(), metric.step))
        self._flush_in_time()

    def _flush_in_time(self) -> None:
        overdue = time.monotonic() - self._flushed > FLUSH_SECONDS
        if overdue or max(len(self._waiting), len(self._tags)) >= METRICS_PER_CALL:
            self.flush()
        elif self._later is None:  # an epoch reports all at once, and then nothing for minutes
            self._later = threading.Timer(FLUSH_SECONDS, self._flush_late)
            self._later.daemon = True
            self._later.start()

    def _flush_late(self) -> None:
        with self._sending:
            self._later = None
            with contextlib.suppress(Exception):  # whoever records next hears of it
                self.flush()

    def flush(self) -> None:
        """Send the metrics and tags that wait; what cannot be sent waits on."""
        with self._sending:
            if self._waiting:  # first: a tag says that a stage is done, with its numbers
                self._sender.send({"what": "metrics", "rows": self._waiting})
                self._waiting = []
            if self._tags:
                self._sender.send({"what": "tags", "tags": self._tags})
                self._tags = {}
            self._flushed = time.monotonic()

    def _no_later(self) -> None:
        if self._later is not None:
            self._later.cancel()

    def params(self, params: Mapping[str, Any]) -> None:
        """Record parameters in the given order; lists as JSON, long values cut with a note."""
        texts = {whole(key): _param_text(value) for key, value in params.items()}
        self._sender.send({"what": "params", "params": texts})

    def tags(self, tags: Mapping[str, str]) -> None:
        """Record tags; they wait for the metrics, since each call costs a commit."""
        with self._sending:
            self._tags |= _tags(tags)
        self._flush_in_time()

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a file, or a folder with all that is in it, under ``folder``.

        A local artifact store gets a hard link of large binaries where the file system can, so that
        the weights of a 20-cell sweep take their place once; all else may be edited there.
        """
        files = [p for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [path]
        for file in files:
            inner = file.parent.relative_to(path).as_posix() if path.is_dir() else ""
            target = "/".join(part for part in (folder, inner.strip(".")) if part)
            self._sender.send({"what": "artifact", "file": str(file), "folder": target})

    def model(
        self, network: Path, folder: str, facts: Mapping[str, Any], register: str | None
    ) -> None:
        """Keep the folder ``network`` under ``folder`` as a model that MLflow serves.

        Args:
            facts: ``loader_module``, ``signature`` (its parts in MLflow's words) and
                ``requirements``.
            register: name in MLflow's registry that gets it as its newest version.
        """
        with tempfile.TemporaryDirectory() as scratch:
            described = write_model(network, Path(scratch), facts)
            self.artifact(described, folder)
        self.artifact(network, f"{folder}/data/{network.name}")
        if register is not None:
            self._sender.send({"what": "register", "name": register, "folder": folder})

    def text(self, text: str, name: str) -> None:
        """Keep a text as the artifact ``name``."""
        self._sender.send({"what": "text", "text": storable(text), "name": name})

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Record an input of the run as an MLflow data set."""
        named = {"name": storable(name)[:490], "digest": digest[:36]}
        self._sender.send({"what": "dataset", **named, "source": source, "context": context})

    def page(self) -> str:
        """The address of the run's page; where no server records, that of one on this machine.
        Empty where the run has none yet, as it waits for its server."""
        return page_of(self.uri, self._experiment, self.run_id) if self._experiment else ""

    def end(self, status: str, message: str = "") -> None:
        """End the run as FINISHED, FAILED or KILLED; a message becomes the tag ``error``."""
        if message:
            self.tags({"error": message})
        with contextlib.suppress(Exception):  # a lost metric must not hide the status
            self.flush()
        self._no_later()
        self._sender.end({"what": "end", "status": status, "time": now()})

    def forget(self) -> None:
        """Remove the run and what it kept; a server keeps it among those that were deleted."""
        uri = self._sender.place
        folder = local_path(uri) if uri else None
        self._no_later()
        self._sender.forget()
        if sqlite_path(self.uri) is not None:
            # MLflow's own `mlflow gc` does this; the client has no method of it.
            client_of(self.uri)._tracking_client.store._hard_delete_run(self.run_id)
        if folder is not None:
            shutil.rmtree(folder.parent, ignore_errors=True)
        elif uri.startswith("s3://"):
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            with contextlib.suppress(Exception):  # whoever may write may not always remove
                get_artifact_repository(uri).delete_artifacts()
        self.forgotten = True


@contextlib.contextmanager
def record(
    settings: MlflowSettings,
    name: str,
    tags: Mapping[str, str],
    parent: str | None = None,
    again: str | None = None,
    may_wait: bool = False,
) -> Iterator[Journal]:
    """Open an MLflow run, yield its journal, and end it whatever happens.

    Args:
        parent: id of the sweep that it is a cell of.
        again: id of a run that has ended, which goes on; default: a new one.
        may_wait: where no server answers, the run begins on disk. A cell always does: its sweep
            has begun.

    FINISHED where the body returns, KILLED after one of ``stoppable``'s signals, else FAILED with
    the error's message as the tag ``error``. Input that cannot be used leaves no run behind, unless
    something was done before (``Journal.worked``) or the run is a cell of a sweep, whose table it
    is in.
    """
    experiment = _connected(settings, parent, may_wait)
    client = client_of(settings.uri)
    own = {
        "segtrack.host": socket.gethostname(),
        "segtrack.process": process_mark(os.getpid()),
        "mlflow.source.name": "src/run.py",
        "mlflow.source.type": "LOCAL",
        **({"mlflow.parentRunId": parent} if parent else {}),
    }
    head = Head(
        again or uuid.uuid4().hex,
        settings.uri,
        settings.experiment,
        storable(name),
        now(),
        again is not None,
        _tags({**own, **tags}),
    )
    journal: Journal | None = None
    try:
        with told(settings.uri), stoppable():
            if experiment is not None:
                say_where(client, experiment, settings)
            if again is not None:
                bring_first(again, settings)
            with held():  # a run that is there must be ended
                if again is not None:
                    client.update_run(again, status="RUNNING")
                elif experiment is not None:
                    head = _begun(client, experiment, head, anyway=parent is not None or may_wait)
                journal = Journal(settings, head, experiment)
                if again is not None:
                    journal.tags({**head.tags, "error": ""})
                    journal.flush()
            stop_if_asked()
            yield journal
            stop_if_asked()
    except KeyboardInterrupt:
        if journal is not None:
            with asked_once(settings.timeout):  # who pressed Ctrl-C waits for no hanging server
                _end_anyway(journal, "KILLED", "interrupted")
        raise
    except BaseException as error:
        if journal is None:
            raise
        text = (
            str(error) if isinstance(error, SegtrackError) else f"{type(error).__name__}: {error}"
        )
        if isinstance(error, SettingsError | DataError) and not (journal.worked or parent):
            _forget_or_end(journal, text)
        else:
            _end_anyway(journal, "FAILED", text)
        raise
    _finish(journal, settings)


def _finish(journal: Journal, settings: MlflowSettings) -> None:
    """End a run that did its work. A file takes milliseconds, which no signal cuts; a server that
    hangs is waited for no longer than ``settings.timeout`` once somebody presses Ctrl-C."""
    file = sqlite_path(settings.uri) is not None
    with told(settings.uri):
        try:
            with held() if file else stoppable():
                journal.end("FINISHED")
        except KeyboardInterrupt:
            if file:
                raise
            with asked_once(settings.timeout), held():  # to write it twice is to write it once
                journal.end("FINISHED")


def _connected(settings: MlflowSettings, parent: str | None, may_wait: bool) -> str | None:
    """The experiment's id; None where a server is away and the run begins all the same."""
    try:
        experiment = connect(settings)[1]
    except SettingsError as error:
        # What a server has against one run of a sweep's it has against all, and the sweep runs.
        away = parent is not None or (may_wait and isinstance(error, ServerAway))
        if sqlite_path(settings.uri) is not None or not away:
            raise
        return None
    if sqlite_path(settings.uri) is None:
        remember(settings.uri)
        if parent is None:
            say_waiting(settings.uri)
    return experiment


def _begun(client: Any, experiment: str, head: Head, anyway: bool) -> Head:
    """The run as the server made it, or as one that it has to make yet."""
    if sqlite_path(head.uri) is not None:
        run = client.create_run(experiment, run_name=head.name, tags=head.tags)
        return replace(head, run=run.info.run_id, created=True)
    try:
        run = create(client, experiment, head)
    except Exception as error:
        if not anyway or not of_server(error):
            raise
        return head
    return replace(head, run=run.info.run_id, created=True)


def _forget_or_end(journal: Journal, message: str) -> None:
    try:
        journal.forget()
    except Exception:  # a server that does not let us
        _end_anyway(journal, "FAILED", message)


def _end_anyway(journal: Journal, status: str, message: str) -> None:
    """End a run that failed; where even that fails (disk full), the first error must be seen."""
    try:
        with held():
            journal.end(status, message)
    except Exception as error:
        why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        why = [line for line in str(error).splitlines() if "Error)" in line] or why
        say(f"warning: MLflow could not end the run as {status}: {why[0]}", error=True)


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {whole(k): storable(str(v))[:4900] for k, v in tags.items()}


def _param_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = storable(text)
    if len(text) <= VALUE_LIMIT:
        return text
    return f"{text[:VALUE_LIMIT]}... (cut; {len(text)} characters, see config.yaml)"
