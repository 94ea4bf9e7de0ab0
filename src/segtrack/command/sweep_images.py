"""What a sweep's cells say about images: the setting that validation chose, on the test images."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from segtrack import evaluation
from segtrack.base.errors import DataError
from segtrack.base.saying import say
from segtrack.command.sweep_cells import Cells, apart
from segtrack.command.sweep_outcome import publish
from segtrack.journal import Journal, run_files
from segtrack.report import Basis, Setting, compare_settings
from segtrack.settings import MlflowSettings

METRICS = ("mask_map50_95", "box_map50_95")


def conclude_images(
    journal: Journal,
    mlflow: MlflowSettings,
    settings: Sequence[Cells],
    defaults: Mapping[str, Any],
    trained: bool,
    searched_by: Sequence[str] = (),
) -> None:
    """Put the comparison of all settings into the parent run and print its outcome.

    Args:
        journal: of the parent.
        mlflow: where runs are recorded.
        settings: the finished cells.
        defaults: values of the swept keys where the sweep does not set them.
        trained: weights differ between settings.
        searched_by: metrics by which a search drew the settings.
    """
    if not apart(settings, "evaluate"):  # as in a sweep over a tracker's knobs
        return
    first: evaluation.ImageUnits | None = None
    compared: list[Setting] = []
    try:
        for cells in settings:
            seeds = [one for run in cells.runs if (one := _units(mlflow, run)) is not None]
            if not seeds:
                continue
            first = first or seeds[0]
            for one in seeds:
                pair = (compared[0].name if compared else cells.name, cells.name)
                evaluation.check_paired(first, one, pair)
            scores = evaluation.estimates(seeds, METRICS)
            is_default = cells.is_default(defaults)
            compared.append(
                Setting(cells.name, cells.params, scores, _validated(cells), is_default)
            )
            del one, seeds  # of 100,000 images .2 GB a run: not those of all settings together
    except DataError as error:  # a sweep over data sets, or over seeds that divide them
        journal.text(f"{error}\n", "images/comparison.txt")
        say(f"settings are not compared on images: {error}")
        return
    if first is None or len(compared) < 2:
        return
    by_test = any(name.startswith("test/") for name in searched_by)
    validated = first.split == "test" and trained and not by_test
    validated = validated and all(one.choice for one in compared)
    if not validated:
        compared = [replace(one, choice=None) for one in compared]
    units = f"{first.split} {evaluation.unit_name(first)}"
    chosen = ("validation images", "val") if validated else ("", "")
    basis = Basis(units, *chosen, trained)
    publish(journal, compare_settings(compared, basis), "images/")


def _units(mlflow: MlflowSettings, run: Any) -> evaluation.ImageUnits | None:
    """The evaluated images of a cell; None where it did not evaluate."""
    with tempfile.TemporaryDirectory() as folder:
        for file in run_files(mlflow, run.info.run_id, "evaluation/units.npz", Path(folder)):
            return evaluation.ImageUnits.load(file)
    return None


def _validated(cells: Cells) -> dict[str, float] | None:
    """Means over seeds of what training recorded of validation images; None where it did not."""
    means = {}
    for metric in METRICS:
        values = [run.data.metrics.get(f"val/best/{metric}") for run in cells.runs]
        if None in values:
            return None
        means[metric] = statistics.fmean(values)
    return means
