"""Links to MLflow's own pages."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.journal import page_of
from segtrack.runs import KeptRun
from segtrack.settings import MlflowSettings

_LOCAL = "sqlite:///mlruns/mlflow.db"  # what `make ui` serves


@dataclass(frozen=True)
class MlflowLink:
    """Where MLflow shows a run.

    Attributes:
        runs: the address without the run's id, which ends it.
        title: what somebody has to know who follows it.
    """

    runs: str
    title: str

    def to(self, run_id: str) -> str:
        """The address of a run of the same experiment."""
        return f"{self.runs}{run_id}"


def mlflow_link(settings: MlflowSettings, run: KeptRun) -> MlflowLink | None:
    """To a run and those beside it; None where MLflow knows nothing of it."""
    if run.id is None or not run.experiment:
        return None
    address = page_of(settings.uri, run.experiment, "")
    if settings.uri.startswith(("http://", "https://")):
        return MlflowLink(address, "The run on its MLflow server")
    # Of another database neither the address is shown, which may hold a password, nor guessed.
    serve = "make ui" if settings.uri == _LOCAL else "mlflow ui on its database"
    return MlflowLink(address, f"The run in MLflow, which is there while {serve} runs")
