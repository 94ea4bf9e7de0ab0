"""The settings in which runs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from segtrack.runs.kept import KeptRun
from segtrack.settings import CHANGE_NO_SCORE, among

UNSET = "not set"


def settings_of(run: KeptRun) -> dict[str, str]:
    """The run's settings as text by dotted key, without those that change no score.

    MLflow cuts long values; those of the run's configuration are whole. A cell of a sweep over the
    options of a group has the option beside the group's settings, which say more.
    """
    config = run.config
    known = run.params or config
    groups = {key[:at] for key in known for at, sign in enumerate(key) if sign == "."}
    keys = [key for key in known if key not in groups and not among(key, CHANGE_NO_SCORE)]
    return {key: value_text(config.get(key, known[key])) for key in keys}


def differing(runs: Sequence[KeptRun]) -> dict[str, list[str]]:
    """By setting in which the runs differ, the value of each; of those that change scores."""
    each = [settings_of(run) for run in runs]
    keys = dict.fromkeys(key for one in each for key in one)
    rows = {key: [one.get(key, UNSET) for one in each] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def value_text(value: Any) -> str:
    """A setting's value as text, as the parameters of a run are recorded."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
