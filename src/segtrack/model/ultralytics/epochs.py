"""What is said of each epoch: numbers for the journal and one line for the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segtrack.base.metrics import Report
from segtrack.base.saying import say
from segtrack.model.epoch_work import left
from segtrack.model.training import keep_rows, read_rows

# Columns of ultralytics' results.csv and the names under which they are reported.
NAMES = {
    "train/box_loss": "train/box_loss",
    "train/seg_loss": "train/seg_loss",
    "train/cls_loss": "train/cls_loss",
    "train/dfl_loss": "train/dfl_loss",
    "train/sem_loss": "train/sem_loss",  # of yolo26 alone
    "lr/pg0": "train/lr",
    "metrics/mAP50-95(M)": "val/mask_map50_95",
    "metrics/mAP50(M)": "val/mask_map50",
    "metrics/precision(M)": "val/mask_precision",
    "metrics/recall(M)": "val/mask_recall",
    "metrics/mAP50-95(B)": "val/box_map50_95",
    "metrics/mAP50(B)": "val/box_map50",
    "metrics/precision(B)": "val/box_precision",
    "metrics/recall(B)": "val/box_recall",
    "val/box_loss": "val/box_loss",
    "val/seg_loss": "val/seg_loss",
    "val/cls_loss": "val/cls_loss",
    "val/dfl_loss": "val/dfl_loss",
}


class EpochReporter:
    """Reports the rows of results.csv that were not reported yet.

    Reading the file serves a training in this process (``catch_up`` after each epoch) and one in
    processes of its own (``following``, which looks every second) alike.
    """

    def __init__(self, path: Path, epochs: int, report: Report) -> None:
        self.path = path
        self.epochs = epochs
        self.report = report
        self.printed = self.reported = self.batch = self.before = 0
        self.seconds = 0.0

    def go_on(self, done: int) -> None:
        """Begin, or go on after ``done`` epochs of an earlier attempt, which are reported again but
        not printed."""
        keep_rows(self.path, done)
        self.printed = self.before = done
        self.seconds = 0.0  # the library's clock begins again
        self.catch_up()

    def catch_up(self, *_: Any) -> None:
        """Report what is new."""
        for row in read_rows(self.path)[self.reported :]:
            self.reported += 1
            epoch = int(row["epoch"])
            for column, name in NAMES.items():
                if column in row:
                    self.report(name, row[column], epoch)
            if epoch > self.printed:
                took = row["time"] - self.seconds
                self.seconds = row["time"]
                rest = left(row["time"], epoch - self.before, self.epochs - epoch)
                say(_line(row, self.epochs, took) + rest, error=True)

    def see_batch(self, trainer: Any) -> None:
        """Know how many images a step has, before the first one that may run out of memory."""
        self.batch = int(trainer.batch_size)

    def note_batch(self, trainer: Any) -> None:
        """Report how many images a step has: chosen by the machine, or fewer for want of memory."""
        self.see_batch(trainer)
        self.report("train/batch", self.batch, int(trainer.epoch) + 1)

    def following(self, work: Callable[[], None], every: float = 1.0) -> None:
        """Report while ``work`` runs elsewhere, then what came last."""
        done = threading.Event()

        def follow() -> None:
            while not done.wait(every):
                self.catch_up()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            work()
        finally:
            done.set()
            thread.join()
        self.catch_up()


def _line(row: dict[str, float], epochs: int, seconds: float) -> str:
    losses = " ".join(
        f"{kind} {row[f'train/{kind}_loss']:.3f}"
        for kind in ("box", "seg", "cls", "dfl")
        if f"train/{kind}_loss" in row
    )
    masks, best = row.get("metrics/mAP50(M)", 0.0), row.get("metrics/mAP50-95(M)", 0.0)
    width = len(str(epochs))
    return (
        f"epoch {int(row['epoch']):{width}}/{epochs}  loss {losses}  "
        f"val mask mAP50 {masks:.3f} mAP50-95 {best:.3f}  {seconds:.1f} s"
    )
