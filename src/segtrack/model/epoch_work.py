"""How far the epoch that runs is, and what is left of a training."""

from __future__ import annotations

from contextlib import ExitStack

from segtrack.base.progress import Work, doing, duration


class EpochWork:
    """Shows the batches of an epoch, then those of its validation."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._work: Work | None = None

    def begin(self, epoch: int, epochs: int, batches: float, what: str = "") -> None:
        """``epoch`` counts from 1; ``what`` is done in it, if not training."""
        self._open.close()
        label = f"epoch {epoch}/{epochs}" + (f", {what}" if what else "")
        known = int(batches) if batches < float("inf") else None
        self._work = self._open.enter_context(doing(label, known, "batches"))

    def advance(self) -> None:
        """A batch is done."""
        if self._work is not None:
            self._work.advance()

    def end(self) -> None:
        """The epoch is over, or the training."""
        self._open.close()
        self._work = None


def left(seconds: float, done: int, to_come: int) -> str:
    """``, 6 min left`` after ``done`` epochs in ``seconds``; empty after the last one."""
    return f", {duration(seconds / max(done, 1) * to_come)} left" if to_come > 0 else ""
