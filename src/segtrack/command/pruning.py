"""Ending a training of a search early, where earlier trials were better at that epoch.

Hydra's plugin tells Optuna only what a cell returns. The cell finds its trial in the study by the
values that it got, and reports each epoch there itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from segtrack.base.errors import SegtrackError
from segtrack.base.metrics import Report
from segtrack.command.sweeper import storage_of
from segtrack.pipeline import minimised
from segtrack.settings import Settings

_STARTED = 4  # trials that end by themselves before any is compared with them


class Pruned(SegtrackError):
    """A training need not go on.

    Attributes:
        epoch: the last one. value: the best of the objective so far.
    """

    def __init__(self, epoch: int, value: float) -> None:
        super().__init__(f"ended after epoch {epoch}: below the median of earlier trials")
        self.epoch, self.value = epoch, value


def watcher(
    settings: Settings, sweeper: Mapping[str, Any], overrides: Sequence[str]
) -> Report | None:
    """What looks at each number of a cell's training; None where nothing is to be ended early.

    Args:
        settings: of the cell. sweeper: Hydra's settings of the sweeper. overrides: of the cell.

    Returns:
        Raises ``Pruned`` where the training is to end.
    """
    if settings.prune is None or settings.parent_run is None:
        return None
    storage, name = storage_of(sweeper), sweeper.get("study_name")
    if not storage or not name:
        return None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(_STARTED, settings.prune)
    study = optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    given = set(overrides)
    running = [
        one
        for one in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        if one.params and given >= {f"{key}={value}" for key, value in one.params.items()}
    ]
    if not running:
        return None
    trial = optuna.trial.Trial(study, running[0]._trial_id)
    (wanted,) = settings.objectives
    better = min if minimised(wanted) else max
    best: list[float] = []

    def watch(name: str, value: float, step: int = 0) -> None:
        if name != wanted or not math.isfinite(value):
            return
        best[:] = [better([*best, value])]
        trial.report(value, step)
        if trial.should_prune():
            raise Pruned(step, best[0])

    return watch
