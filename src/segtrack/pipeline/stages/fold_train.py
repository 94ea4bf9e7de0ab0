"""The network that judges one part of the images, trained on the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset, Folds
    from segtrack.model import Training, Weights

LINKS = "links"  # of a part's images and labels, while it is learnt from


def fold_train(ask: Ask, fold: int) -> Recipe:
    """As ``train``, with the run's own settings, on all parts but one."""
    settings = ask.settings
    start: Weights = ask("start").value
    dataset: Dataset = ask("prepare").value
    divided = ask("folds")
    parts: Folds = divided.value
    network = model.Network(settings.model, start, settings.device)

    def build(folder: Path, report: Report) -> None:
        learnt = datasets.learnt_for(dataset, parts, fold, folder / LINKS)
        learnt.write()
        model.train(learnt, network, settings.trainer, settings.seed, folder, report)
        learnt.remove()

    content = datasets.content_of(dataset, settings.suspect.splits)
    return Recipe(
        build,
        {"names": dataset.names, "fold": fold, **network.training(settings.trainer)},
        {**content, "folds": divided.key, "weights": start.sha256},
        network.family.libraries,
        metric=lambda name: f"suspect/fold_{fold}/{name}",
    )


def _load(folder: Path) -> Training:
    return model.Training.load(folder)


STAGE = register(
    Stage(
        name="fold_train",
        make=fold_train,
        version=1,
        reads=("seed",),
        inputs=("start", "prepare", "folds"),
        load=_load,
        listed=False,
        resumable=True,
    )
)
