"""From a data set and starting weights to the best epoch's weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import model
from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Training, Weights
    from segtrack.pipeline.runner import Run


def train(ask: Ask) -> Recipe:
    """Training of the chosen network, continued where it was killed."""
    settings = ask.settings
    start: Weights = ask("start").value
    dataset: Dataset = ask("prepare").value
    if "train" in ask.listed and not dataset.counts.get("train"):
        raise DataError(
            f"stage train: data set {settings.dataset.source} has no training images; leave "
            f"train out of stages and name weights with model.weights=FILE."
        )

    network = model.Network(settings.model, start, settings.device)

    def build(folder: Path, report: Report) -> None:
        model.train(dataset, network, settings.trainer, settings.seed, folder, report)

    return Recipe(
        build,
        {"names": dataset.names, **network.training(settings.trainer)},
        {
            "train": dataset.split_fingerprint("train"),
            "val": dataset.split_fingerprint("val"),
            "weights": start.sha256,
        },
        network.family.libraries,
    )


def _load(folder: Path) -> Training:
    return model.Training.load(folder)


def _publish(run: Run, made: Result) -> None:
    run.keep(made.folder / "results.csv", "train")
    run.keep(made.value.weights.path, "weights")


STAGE = register(
    Stage(
        name="train",
        make=train,
        version=2,
        reads=("seed",),
        inputs=("start", "prepare"),
        load=_load,
        publish=_publish,
        require=require_model,
        after="push",
        resumable=True,
        instead="name trained weights with model.weights=FILE",
    )
)
