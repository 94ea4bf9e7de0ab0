"""What became of runs that were found before, for who asks every few seconds."""

from __future__ import annotations

from typing import Any

from segtrack.journal.artifacts import all_runs
from segtrack.journal.tracking import client_of, connect, process_gone, reading
from segtrack.settings import MlflowSettings


def run_now(settings: MlflowSettings, run_id: str) -> Any:
    """MLflow's record of a run that is known, in one query, without what ``connect`` looks at.

    One whose process is gone is marked as killed.

    Raises:
        SettingsError: it is there no more, or cannot be read.
    """
    client = client_of(settings.uri)
    with reading(settings, f"{run_id}: cannot be read"):
        run = client.get_run(run_id)
        if process_gone(run):
            connect(settings)  # marks it as killed, and its cells
            run = client.get_run(run_id)
    return run


def cells_now(settings: MlflowSettings, parent: Any, since: int) -> list[Any]:
    """The child runs of a sweep that started at a time or later, as ``run_now`` reads them.

    Args:
        parent: MLflow's record. since: in milliseconds, as MLflow counts.

    Raises:
        SettingsError: they cannot be read.
    """
    info = parent.info
    query = f"tags.`mlflow.parentRunId` = '{info.run_id}' AND attributes.start_time >= {since}"
    with reading(settings, f"{info.run_id}: cannot be read"):
        return list(all_runs(client_of(settings.uri), info.experiment_id, query, "ASC"))
