"""The settings in which runs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from segtrack.runs.kept import KeptRun

_APART = (
    *("mlflow.", "labellerr.", "render.", "parent_run", "plan", "stages", "store", "objective"),
    *("suspect.", "select.", "export.", "evaluation.gallery", "dataset.workers"),
    *("trainer.workers", "trainer.threads", "device"),
)
"""Settings in which runs may differ without being other settings."""
UNSET = "not set"


def settings_of(run: KeptRun) -> dict[str, str]:
    """The run's settings as text by dotted key, without those that change no score.

    MLflow cuts long values; those of the run's configuration are whole.
    """
    config = run.config
    known = run.params or config
    return {k: value_text(config.get(k, v)) for k, v in known.items() if not k.startswith(_APART)}


def differing(runs: Sequence[KeptRun]) -> dict[str, list[str]]:
    """By setting in which the runs differ, the value of each; of those that change scores."""
    each = [settings_of(run) for run in runs]
    keys = dict.fromkeys(key for one in each for key in one)
    rows = {key: [one.get(key, UNSET) for one in each] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def value_text(value: Any) -> str:
    """A setting's value as text, as the parameters of a run are recorded."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
