"""Where runs are recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from segtrack.base.addresses import no_place
from segtrack.base.secrets import without_secrets
from segtrack.settings.knobs import Group, Problem, knob

_ADDRESS = re.compile(r"([a-z][a-z0-9]*)(?:\+\w+)?(?::|(?<=databricks)$)", re.IGNORECASE)
_HOST = re.compile(r"[\w.-]+:\d{1,5}(/.*)?")  # as browsers take it
# What MLflow's client speaks to; the driver of a database is behind a plus.
_SERVERS = ("http", "https", "postgresql", "mysql", "mssql", "databricks")


class MlflowMode(Enum):
    local = "local"
    server = "server"


@dataclass
class MlflowSettings(Group):
    """Where runs are recorded."""

    mode: MlflowMode = knob(
        MlflowMode.local,
        "a SQLite file beside the project, or a tracking server, which is asked whether it answers "
        "before any work",
        local=True,
    )
    uri: str = knob(
        MISSING,
        "of the tracking store; a password belongs into the environment, not here",
        local=True,
    )
    artifacts: str | None = knob(
        None, "folder of the artifacts, or s3://BUCKET/FOLDER; null: the server knows", local=True
    )
    experiment: str = knob(
        "segtrack", "the MLflow experiment that runs are filed under", local=True
    )
    run_name: str | None = knob(
        None, "of the run; null: its model, its last stage and what was set", local=True
    )
    register: str | None = knob(
        None,
        "name under which MLflow's registry keeps the network that the stage export wrote, a "
        "version for each run; null: the run alone keeps it",
        local=True,
    )
    timeout: float = knob(
        5.0, "that a server has to answer", unit="s", low=0.1, high=600, local=True
    )

    @property
    def bucket(self) -> bool:
        """Whether artifacts lie on S3."""
        return (self.artifacts or "").startswith("s3://")

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the address, or with names that MLflow has no room for."""
        name = self.experiment
        if not name.strip() or len(name) > 200 or not name.isprintable():
            allowed = "must have 1 to 200 letters: it is a folder of the artifacts too"
            yield Problem("mlflow.experiment", name if name.isprintable() else repr(name), allowed)
        if self.run_name is not None and not 0 < len(self.run_name.strip()) <= 250:
            yield Problem("mlflow.run_name", self.run_name, "must have 1 to 250 letters")
        if self.register is not None and not re.fullmatch(r"[^/:\s][^/:]{0,199}", self.register):
            allowed = "must have 1 to 200 letters, of which MLflow takes neither / nor :"
            yield Problem("mlflow.register", repr(self.register), allowed)
        yield from self._of_the_address()
        artifacts = self.artifacts or ""
        if (shown := without_secrets(artifacts)) != artifacts:
            allowed = "would be kept with a password in it; put that into the environment or ~/.aws"
            yield Problem("mlflow.artifacts", shown, allowed)
        elif slip := no_place(artifacts):
            yield Problem("mlflow.artifacts", artifacts, slip)
        elif "://" in artifacts and not self.bucket:
            allowed = (
                "must be a folder of this machine or s3://BUCKET/FOLDER; where else artifacts lie, "
                "a server decides: mlflow=server"
            )
            yield Problem("mlflow.artifacts", artifacts, allowed)

    def _of_the_address(self) -> Iterator[Problem]:
        found = _ADDRESS.match(self.uri)
        kind = found.group(1).lower() if found else "file"
        shown = without_secrets(self.uri) or "''"
        if self.mode is MlflowMode.server and _HOST.fullmatch(self.uri):
            allowed = f"must begin with http:// or https://: mlflow.uri=http://{self.uri}"
        elif kind == "file":
            folder = re.sub("^file:(//)?", "", self.uri).rstrip("/") or "mlruns"
            allowed = (
                f"MLflow records in no plain folder any more; give a file, sqlite:///{folder}/"
                "mlflow.db, or an http(s):// server (`mlflow migrate-filestore` moves older runs)"
            )
        elif kind == "sqlite":
            if re.fullmatch(r"sqlite:///(?!:memory:)[^?]+", self.uri):
                return
            allowed = "must name a file: sqlite:///mlruns/mlflow.db, or sqlite:////FROM/THE/ROOT"
        elif kind not in _SERVERS:
            allowed = f"must begin with sqlite:///, or for a server with {', '.join(_SERVERS)}"
        elif shown != self.uri:
            allowed = (
                "a name or password in the address would be kept in every run; put them into the "
                "variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        elif self.mode is MlflowMode.local:
            allowed = f"is a server; choose it with mlflow=server mlflow.uri={self.uri}"
        else:
            return
        yield Problem("mlflow.uri", shown, allowed)
