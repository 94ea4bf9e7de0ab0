"""One record of a run, as plain values, and how MLflow is given it.

A record is what JSON holds: ``what`` names a function of ``Writer``, the rest are its arguments. To
write one twice is as to write it once: a server that took it may have gone before it said so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from segtrack.base.files import hand_out
from segtrack.base.saying import say
from segtrack.journal.places import local_path
from segtrack.journal.tracking import asked_once

Record = dict[str, Any]

PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
METRICS_PER_CALL = 1000
# Of HTTP: no login, no right to it, a proxy's login, too slow, too early, too many at once.
_LATER = (401, 403, 407, 408, 425, 429)


class Writer:
    """Writes records of one run where MLflow keeps them."""

    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id

    def write(self, record: Record) -> None:
        """Write one record.

        Raises:
            Exception: of MLflow, or of what it sends it with.
        """
        values = {key: value for key, value in record.items() if key != "what"}
        getattr(self, record["what"])(**values)

    def refused(self, error: Exception) -> bool:
        """Whether the server will never take the record that it answered with this error.

        Not so where it is away, or busy, or does not know us, or has the run no more: who restores
        the run, or logs in anew, wants all of it there.
        """
        if _status(error) not in range(400, 500) or _status(error) in _LATER:
            return False
        try:
            return bool(self.client.get_run(self.run_id).info.lifecycle_stage == "active")
        except Exception:
            return False

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        rows = [RunTag(key, value) for key, value in tags.items()]
        for start in range(0, len(rows), TAGS_PER_CALL):
            self.client.log_batch(self.run_id, tags=rows[start : start + TAGS_PER_CALL])

    def params(self, params: Mapping[str, str]) -> None:
        """Set parameters, in the given order."""
        from mlflow.entities import Param

        rows = [Param(key, value) for key, value in params.items()]
        for start in range(0, len(rows), PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=rows[start : start + PARAMS_PER_CALL])

    def metrics(self, rows: Sequence[tuple[str, float, int, int]]) -> None:
        """Add numbers: name, value, time in ms, step. MLflow keeps each such row once."""
        from mlflow.entities import Metric

        made = [Metric(*row) for row in rows]
        for start in range(0, len(made), METRICS_PER_CALL):
            self.client.log_batch(self.run_id, metrics=made[start : start + METRICS_PER_CALL])

    def artifact(self, file: str, folder: str) -> None:
        """Keep a file under ``folder``; it takes the place of one of that name."""
        if self.local is not None:
            hand_out(Path(file), self.local / folder / Path(file).name)
        else:
            self.client.log_artifact(self.run_id, file, folder or None)

    def text(self, text: str, name: str) -> None:
        """Keep a text as the artifact ``name``."""
        self.client.log_text(self.run_id, text, name)

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Name an input of the run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entity = Dataset(name=name, digest=digest, source_type="local", source=json.dumps(source))
        tags = [InputTag("mlflow.data.context", context)]
        try:
            self.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])
        except Exception as error:
            if "unique" not in str(error).lower():
                raise
            # Another run recorded the same one at this moment; now MLflow finds it.
            self.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def register(self, name: str, folder: str) -> None:
        """Make what is kept under ``folder`` the newest version of a model in the registry."""
        from mlflow.exceptions import MlflowException

        source = f"runs:/{self.run_id}/{folder}"
        try:
            self.client.create_registered_model(name)
        except MlflowException:  # it is there; what else is wrong the next lines say
            asked = f"name='{name}'" if "'" not in name else f'name="{name}"'
            made = [v for v in self.client.search_model_versions(asked) if v.source == source]
        else:
            made = []
        if made:
            version = made[0]
        else:
            with asked_once():
                version = self.client.create_model_version(name, source, self.run_id)
        self.tags({"registered": f"{name} {version.version}"})
        say(f"registered as models:/{name}/{version.version}")

    def end(self, status: str, time: int) -> None:
        """End the run, at a time in ms."""
        self.client.set_terminated(self.run_id, status, time)

    def forget(self) -> None:
        """Remove the run; a server keeps it among those that were deleted."""
        if self.client.get_run(self.run_id).info.lifecycle_stage != "deleted":
            self.client.delete_run(self.run_id)

    @cached_property
    def place(self) -> str:
        """The address of the run's artifacts."""
        return str(self.client.get_run(self.run_id).info.artifact_uri)

    @property
    def local(self) -> Path | None:
        """The folder of the run's artifacts; None where they are on a server."""
        return local_path(self.place)


def _status(error: Exception) -> int:
    """HTTP's status of an answer, as MLflow or what it sends files with tells it; 0: none came."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)
