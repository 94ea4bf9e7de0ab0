"""What is said of each epoch: numbers for the journal and one line for the terminal."""

from __future__ import annotations

import csv
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segtrack.base.metrics import Report

# Columns of ultralytics' results.csv and the names under which they are reported.
NAMES = {
    "train/box_loss": "train/box_loss",
    "train/seg_loss": "train/seg_loss",
    "train/cls_loss": "train/cls_loss",
    "train/dfl_loss": "train/dfl_loss",
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


def read_rows(path: Path) -> list[dict[str, float]]:
    """The whole rows of results.csv, by column; ``epoch`` counts from 1."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()  # a row that is still being written is none
    rows = csv.DictReader(lines, skipinitialspace=True)
    return [{key.strip(): float(value) for key, value in row.items()} for row in rows]


def keep_rows(path: Path, epochs: int) -> None:
    """Cut results.csv down to the first ``epochs`` epochs, each once."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept: dict[int, str] = {}
    for line in lines[1:]:
        epoch = line.split(",")[0].strip()
        if line.endswith("\n") and epoch.isdigit() and int(epoch) <= epochs:
            kept[int(epoch)] = line
    if lines:
        path.write_text("".join([lines[0], *(kept[e] for e in sorted(kept))]), encoding="utf-8")


class EpochReporter:
    """Reports the rows of results.csv that were not reported yet.

    Reading the file serves a training in this process (``catch_up`` after each epoch) and one in
    processes of its own (``following``, which looks every second) alike.
    """

    def __init__(self, path: Path, epochs: int, report: Report, printed: int = 0) -> None:
        """``printed``: the epochs of an earlier attempt, reported again but not printed."""
        self.path = path
        self.epochs = epochs
        self.report = report
        self.printed = printed
        self.reported = 0
        self.seconds = 0.0

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
                print(_line(row, self.epochs, took), file=sys.stderr, flush=True)

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
