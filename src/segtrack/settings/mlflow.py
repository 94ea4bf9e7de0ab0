"""Where runs are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from omegaconf import MISSING

from segtrack.settings.knobs import Group, Problem, knob


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
        None, "folder of the artifacts; null: the server knows", local=True
    )
    experiment: str = knob(
        "segtrack", "the MLflow experiment that runs are filed under", local=True
    )
    run_name: str | None = knob(
        None, "of the run; null: the swept values, or model and tracker", local=True
    )
    timeout: float = knob(
        5.0, "that a server has to answer", unit="s", low=0.1, high=600, local=True
    )

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the address, or with names that MLflow has no room for."""
        if not self.experiment.strip() or len(self.experiment) > 200:
            allowed = "must have 1 to 200 letters: it is a folder of the artifacts too"
            yield Problem("mlflow.experiment", self.experiment, allowed)
        if self.run_name is not None and not 0 < len(self.run_name.strip()) <= 250:
            yield Problem("mlflow.run_name", self.run_name, "must have 1 to 250 letters")
        parts = urlsplit(self.uri)
        if parts.username or parts.password:
            shown = f"{parts.scheme}://...@{parts.hostname}"
            allowed = (
                "a name or password in the address would be kept in every run; put them into the "
                "variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
            yield Problem("mlflow.uri", shown, allowed)
