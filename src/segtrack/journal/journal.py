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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError, SegtrackError, SettingsError
from segtrack.base.files import hand_out
from segtrack.base.metrics import Metric
from segtrack.base.names import storable, whole
from segtrack.base.processes import held, process_mark, stop_if_asked, stoppable
from segtrack.base.saying import say
from segtrack.journal.database import sqlite_path
from segtrack.journal.models import write_model
from segtrack.journal.pages import page_of
from segtrack.journal.tracking import client_of, connect, local_path, say_where, told
from segtrack.settings import MlflowSettings

VALUE_LIMIT = 500  # MLflow takes 6,000 characters a parameter; nobody reads them in a table
PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
METRICS_PER_CALL = 1000
FLUSH_SECONDS = 2.0  # curves of a running training are at most about this old


class Journal:
    """One MLflow run, and nothing else in the program knows MLflow.

    Metrics are sent in batches; a (name, step) pair is logged once.

    Attributes:
        latest: value of each metric. worked: something was done that is worth a record, even where
            the run fails; until then wrong input leaves no run behind. forgotten: it left none.
    """

    def __init__(self, settings: MlflowSettings, run_id: str) -> None:
        self.client, self.uri = client_of(settings.uri), settings.uri
        self.run_id = run_id
        self._seen: set[tuple[str, int]] = set()
        self._waiting: list[Any] = []
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
        from mlflow.entities import Metric as MlflowMetric

        self._seen.add((name, metric.step))
        self.latest[name] = metric.value
        now = int(time.time() * 1000)
        with self._sending:
            self._waiting.append(MlflowMetric(name, float(metric.value), now, metric.step))
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
            waiting, tags = self._waiting, self._tags
            try:
                self.flush()
            except Exception:  # whoever records next hears of it
                self._waiting, self._tags = waiting, tags

    def flush(self) -> None:
        """Send the metrics and tags that wait."""
        from mlflow.entities import RunTag

        with self._sending:
            tags, self._tags = self._tags, {}
            rows = [RunTag(k, v) for k, v in tags.items()]
            for start in range(0, len(rows), TAGS_PER_CALL):
                self.client.log_batch(self.run_id, tags=rows[start : start + TAGS_PER_CALL])
            waiting, self._waiting = self._waiting, []
            for start in range(0, len(waiting), METRICS_PER_CALL):
                some = waiting[start : start + METRICS_PER_CALL]
                self.client.log_batch(self.run_id, metrics=some)
            self._flushed = time.monotonic()

    def _no_later(self) -> None:
        if self._later is not None:
            self._later.cancel()

    def params(self, params: Mapping[str, Any]) -> None:
        """Record parameters in the given order; lists as JSON, long values cut with a note."""
        from mlflow.entities import Param

        rows = [Param(whole(k), _param_text(v)) for k, v in params.items()]
        for start in range(0, len(rows), PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=rows[start : start + PARAMS_PER_CALL])

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
        local = self._local_artifacts()
        files = [p for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [path]
        for file in files:
            inner = file.parent.relative_to(path).as_posix() if path.is_dir() else ""
            target = "/".join(part for part in (folder, inner.strip(".")) if part)
            if local is not None:
                hand_out(file, local / target / file.name)
            else:
                self.client.log_artifact(self.run_id, str(file), target or None)

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
        if register is None:
            return
        with contextlib.suppress(Exception):  # it is there; what else is wrong the next line says
            self.client.create_registered_model(register)
        made = self.client.create_model_version(
            register, f"runs:/{self.run_id}/{folder}", self.run_id
        )
        self.tags({"registered": f"{register} {made.version}"})
        say(f"registered as models:/{register}/{made.version}")

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
        try:
            self.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])
        except Exception as error:
            if "unique" not in str(error).lower():
                raise
            # Another run recorded the same one at this moment; now MLflow finds it.
            self.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def page(self) -> str:
        """The address of the run's page; where no server records, that of one on this machine."""
        experiment = self.client.get_run(self.run_id).info.experiment_id
        return page_of(self.uri, experiment, self.run_id)

    def end(self, status: str, message: str = "") -> None:
        """End the run as FINISHED, FAILED or KILLED; a message becomes the tag ``error``."""
        if message:
            self.tags({"error": message})
        with contextlib.suppress(Exception):  # a lost metric must not hide the status
            self.flush()
        self._no_later()
        self.client.set_terminated(self.run_id, status)

    def forget(self) -> None:
        """Remove the run and what it kept; a server keeps it among those that were deleted."""
        folder, uri = self._local_artifacts(), self.client.get_run(self.run_id).info.artifact_uri
        self._no_later()
        self.client.delete_run(self.run_id)
        if sqlite_path(self.uri) is not None:
            # MLflow's own `mlflow gc` does this; the client has no method of it.
            self.client._tracking_client.store._hard_delete_run(self.run_id)
        if folder is not None:
            shutil.rmtree(folder.parent, ignore_errors=True)
        elif uri.startswith("s3://"):
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            with contextlib.suppress(Exception):  # whoever may write may not always remove
                get_artifact_repository(uri).delete_artifacts()
        self.forgotten = True

    def _local_artifacts(self) -> Path | None:
        return local_path(self.client.get_run(self.run_id).info.artifact_uri)


@contextlib.contextmanager
def record(
    settings: MlflowSettings,
    name: str,
    tags: Mapping[str, str],
    parent: str | None = None,
    again: str | None = None,
) -> Iterator[Journal]:
    """Open an MLflow run, yield its journal, and end it whatever happens.

    Args:
        parent: id of the sweep that it is a cell of.
        again: id of a run that has ended, which goes on; default: a new one.

    FINISHED where the body returns, KILLED after one of ``stoppable``'s signals, else FAILED with
    the error's message as the tag ``error``. Input that cannot be used leaves no run behind, unless
    something was done before (``Journal.worked``) or the run is a cell of a sweep, whose table it
    is in.
    """
    client, experiment = connect(settings)
    own = {
        "segtrack.host": socket.gethostname(),
        "segtrack.process": process_mark(os.getpid()),
        "mlflow.source.name": "src/run.py",
        "mlflow.source.type": "LOCAL",
        **({"mlflow.parentRunId": parent} if parent else {}),
    }
    journal: Journal | None = None
    try:
        with told(settings.uri), stoppable():
            say_where(client, experiment, settings)
            with held():  # a run that is there must be ended
                if again is None:
                    again = client.create_run(
                        experiment, run_name=storable(name), tags=_tags({**own, **tags})
                    ).info.run_id
                    journal = Journal(settings, again)
                else:
                    client.update_run(again, status="RUNNING")
                    journal = Journal(settings, again)
                    journal.tags({**own, **tags, "error": ""})
                    journal.flush()
            stop_if_asked()
            yield journal
            stop_if_asked()
    except KeyboardInterrupt:
        if journal is not None:
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
    with told(settings.uri), held():
        journal.end("FINISHED")


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
