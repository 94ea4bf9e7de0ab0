"""The labelled images in parts, for networks that judge what they did not learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset, Folds


def folds(ask: Ask) -> Recipe:
    """Parts of the images whose labels are judged, by group."""
    dataset: Dataset = ask("prepare").value
    settings, group_by, seed = (
        ask.settings.suspect,
        ask.settings.dataset.group_by,
        ask.settings.seed,
    )
    count, splits = max(settings.folds, 1), list(settings.splits)

    def divided() -> Folds:
        return datasets.divide_folds(dataset, splits, count, group_by, seed)

    def build(folder: Path, report: Report) -> None:
        divided().save(folder)

    return Recipe(
        build,
        {"folds": count, "splits": splits, **({"group_by": group_by} if count > 1 else {})},
        datasets.content_of(dataset, splits),
        check=divided,
    )


def _load(folder: Path) -> Folds:
    return datasets.Folds.load(folder)


STAGE = register(
    Stage(
        name="folds",
        make=folds,
        version=1,
        reads=("seed",),
        inputs=("prepare",),
        load=_load,
        listed=False,
    )
)
