"""The stage: predictions and ground truth in; figures, tables, curves and a gallery out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.dataset import Dataset
from segtrack.evaluation import summary
from segtrack.evaluation.measurement import measure
from segtrack.evaluation.rows import RowsWriter
from segtrack.evaluation.units import FILE as UNITS_FILE
from segtrack.model import Predictions
from segtrack.settings import EvaluationSettings


def evaluate(
    dataset: Dataset,
    split: str,
    predictions: Predictions,
    settings: EvaluationSettings,
    folder: Path,
    report: Report,
    group_by: str | None = None,
) -> None:
    """Compare predictions with the labels of one split.

    Args:
        group_by: regular expression on file names; images with the same match are one unit of a
            comparison.

    Writes ``metrics.json``, ``per_class.csv``, ``summary.txt``, ``figures/`` (each PNG with its
    CSV), ``gallery/``, ``units.npz`` (for ``ImageUnits.load``), ``matches.parquet`` and
    ``confusion.parquet`` (see ``rows``) into ``folder``, and reports every figure that has ground
    truth.

    Memory holds one batch's labels and masks at a time, and of each detection some bytes that the
    figures need (see ``matching``): some 0.7 KB per image with five objects.

    Raises:
        DataError: the predictions belong to another data set.
    """
    from segtrack.evaluation import charts, gallery

    if predictions.info.names != dataset.names:
        raise DataError(
            f"{predictions.folder}: predicted classes {list(predictions.info.names)}, but the data "
            f"set has {list(dataset.names)}; predict again for this data set"
        )
    with RowsWriter(folder) as rows:
        found = measure(dataset, split, predictions, settings, group_by, rows)
    metrics = found.metrics()
    for name, value in metrics.items():
        if value is not None:
            report(name, value)
    text = json.dumps({"counts": found.counts, "metrics": metrics}, indent=1, ensure_ascii=False)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (folder / "per_class.csv").write_text(summary.per_class_csv(found), encoding="utf-8")
    (folder / "summary.txt").write_text(summary.summary_text(found), encoding="utf-8")
    found.units.save(folder / UNITS_FILE)
    for name in ("figures", "gallery"):
        shutil.rmtree(folder / name, ignore_errors=True)  # remains of an attempt that was killed
        (folder / name).mkdir()
    charts.draw(found, settings, folder / "figures")
    gallery.draw(dataset, predictions, found, settings, folder / "gallery")
