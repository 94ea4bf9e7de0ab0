"""What is said of each epoch: numbers for the journal and one line for the terminal.

Importing this module imports pytorch_lightning.
"""

from __future__ import annotations

import csv
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback

from segtrack.base.metrics import Report
from segtrack.base.processes import stop_if_asked
from segtrack.base.saying import say
from segtrack.model.epoch_work import EpochWork, left
from segtrack.model.training import keep_rows, read_rows

# What rfdetr logs, and the names under which that is reported.
NAMES = {
    "train/loss": "train/loss",
    "train/loss_bbox": "train/box_loss",
    "train/loss_giou": "train/giou_loss",
    "train/loss_ce": "train/cls_loss",
    "train/loss_mask_ce": "train/mask_ce_loss",
    "train/loss_mask_dice": "train/mask_dice_loss",
    "val/segm_mAP_50_95": "val/mask_map50_95",
    "val/segm_mAP_50": "val/mask_map50",
    "val/mAP_50_95": "val/box_map50_95",
    "val/mAP_50": "val/box_map50",
}


class Follower(Callback):  # type: ignore[misc]
    """Keeps results.csv, reports each epoch, and ends the training where that was asked for."""

    def __init__(self, path: Path, epochs: int, report: Report) -> None:
        super().__init__()
        self.path, self.epochs, self.report, self.batch = path, epochs, report, 0
        self.start, self.stdout = time.perf_counter(), sys.stdout  # which a guest has not
        self.begun, self.done = self.start, 0
        self.work = EpochWork()

    def go_on(self, done: int, batch: int) -> None:
        """Begin, or go on after ``done`` whole epochs of an earlier attempt, with ``batch`` images
        a step."""
        self.batch = batch
        keep_rows(self.path, done)
        report_rows(self.path, self.report)

    def on_train_epoch_start(self, trainer: Any, *_: Any) -> None:
        self.start = time.perf_counter()
        if not self.done:
            self.begun = self.start
        self._show(trainer, trainer.num_training_batches)

    def on_train_batch_end(self, *_: Any) -> None:
        stop_if_asked()
        self.work.advance()

    def on_validation_epoch_start(self, trainer: Any, *_: Any) -> None:
        if not trainer.sanity_checking:
            self._show(trainer, sum(trainer.num_val_batches), "validation")

    def on_validation_batch_end(self, *_: Any) -> None:
        stop_if_asked()
        self.work.advance()

    def on_exception(self, *_: Any) -> None:
        self.work.end()

    def _show(self, trainer: Any, batches: float, what: str = "") -> None:
        self.work.begin(trainer.current_epoch + 1, self.epochs, batches, what)

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        """Validation is over by now."""
        self.work.end()
        self.done += 1
        row = {"epoch": trainer.current_epoch + 1, "time": time.perf_counter() - self.start}
        metrics = trainer.callback_metrics
        row |= {name: float(metrics[key]) for key, name in NAMES.items() if key in metrics}
        row["train/batch"] = self.batch
        row["train/lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
        with redirect_stdout(self.stdout):
            _tell(row, self.report)
        spent, to_come = time.perf_counter() - self.begun, self.epochs - int(row["epoch"])
        say(_line(row, self.epochs) + left(spent, self.done, to_come), error=True)


def report_rows(path: Path, report: Report) -> None:
    """Report all that stands in results.csv."""
    for row in read_rows(path):
        _tell(row, report)


def _tell(row: dict[str, float], report: Report) -> None:
    for name, value in row.items():
        if name not in ("epoch", "time"):
            report(name, value, int(row["epoch"]))


def _line(row: dict[str, float], epochs: int) -> str:
    masks, best = row.get("val/mask_map50", 0.0), row.get("val/mask_map50_95", 0.0)
    return (
        f"epoch {int(row['epoch']):{len(str(epochs))}}/{epochs}  "
        f"loss {row.get('train/loss', float('nan')):.3f}  "
        f"val mask mAP50 {masks:.3f} mAP50-95 {best:.3f}  {row['time']:.1f} s"
    )
