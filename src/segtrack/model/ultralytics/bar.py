"""A bar for the epoch that runs, on the terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Callbacks = dict[str, list[Callable[[Any], None]]]


class EpochBar:
    """Shows the batches of an epoch with rate and remaining time, and is gone afterwards."""

    def __init__(self) -> None:
        self._bar: Any = None

    def attach(self, callbacks: Callbacks) -> None:
        """Follow a training through its callbacks, where stderr is a terminal."""
        if sys.stderr.isatty():
            callbacks["on_train_epoch_start"].append(self._start)
            callbacks["on_train_batch_end"].append(self._advance)
            callbacks["on_train_epoch_end"].append(self._stop)
            callbacks["teardown"].append(self._stop)

    def _start(self, trainer: Any) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        self._stop(trainer)
        label = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task(label, total=len(trainer.train_loader))
        self._bar.start()

    def _advance(self, _: Any) -> None:
        self._bar.advance(self._bar.task_ids[0])

    def _stop(self, _: Any) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
