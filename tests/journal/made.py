"""Databases of MLflow, and runs of any number in one, written past it: it takes 10 ms for each."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtrack import journal as journals
from segtrack.settings import MlflowSettings

BEGAN = 1_600_000_000_000  # ms


@dataclass(frozen=True)
class MadeRun:
    """A run that started ``minute`` minutes after ``BEGAN`` and took one."""

    name: str
    minute: int
    status: str = "FINISHED"
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    id: str = ""


def empty_mlflow(folder: Path, template: Path) -> MlflowSettings:
    """A database in ``folder``, a copy of ``mlflow_template``, and a place of artifacts."""
    shutil.copy2(template, folder / "mlflow.db")
    return MlflowSettings(
        uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=str(folder / "artifacts")
    )


def fill(settings: MlflowSettings, runs: Iterable[MadeRun]) -> None:
    """Put runs into the experiment of a SQLite file."""
    _, experiment = journals.connect(settings)
    rows: dict[str, list[tuple[Any, ...]]] = {"runs": [], "tags": [], "params": [], "latest": []}
    for number, run in enumerate(runs):
        key, start = run.id or f"{number:032x}", BEGAN + 60_000 * run.minute
        end = None if run.status == "RUNNING" else start + 60_000
        place = f"/nowhere/{key}/artifacts"
        rows["runs"].append((key, run.name, run.status, start, end, place, int(experiment)))
        tags = {"mlflow.runName": run.name, **run.tags}
        rows["tags"] += [(name, value, key) for name, value in tags.items()]
        rows["params"] += [(name, value, key) for name, value in run.params.items()]
        for name, value in run.metrics.items():
            nan = value != value
            rows["latest"].append((name, 0.0 if nan else value, start, 0, nan, key))
    path = Path(settings.uri.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO runs (run_uuid, name, status, start_time, end_time, artifact_uri, "
            "experiment_id, source_type, user_id, lifecycle_stage) VALUES (?, ?, ?, ?, ?, ?, ?, "
            "'LOCAL', 'made', 'active')",
            rows["runs"],
        )
        for table in ("tags", "params"):
            query = f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)"
            database.executemany(query, rows[table])
        database.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows["latest"],
        )
