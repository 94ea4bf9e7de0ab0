"""From a data set and starting weights to the best epoch's weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.errors import DataError, SettingsError
from segtrack.base.metrics import Report, read_metrics
from segtrack.pipeline.objective import val_problems
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Training, Weights
    from segtrack.pipeline.runner import Run
    from segtrack.settings import Settings


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
    if "train" in ask.listed and dataset.counts.get("val"):
        for problem in (one for name in settings.objectives for one in val_problems(name)):
            raise SettingsError(str(problem))
    network = model.Network(settings.model, start, settings.device)

    def build(folder: Path, report: Report) -> None:
        datasets.require_unchanged(dataset, "train", "val")
        model.train(dataset, network, settings.trainer, settings.seed, folder, report)
        keep_if_unchanged(dataset, folder)

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


def keep_if_unchanged(dataset: Dataset, folder: Path) -> None:
    """Empty a training's folder where its pictures were changed while it ran: what was learnt from
    others is no training of these, and nothing that one of these could go on from.

    Raises:
        DataError: they were, with the first of them.
    """
    try:
        datasets.require_unchanged(dataset, "train", "val")
    except DataError:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _load(folder: Path) -> Training:
    return model.Training.load(folder)


def _publish(run: Run, made: Result) -> None:
    if run("prepare").value.counts.get("val"):  # else the training images stand in for them
        for metric in read_metrics(made.folder):
            if metric.step == made.value.best_epoch and metric.name.startswith("val/"):
                # Of the weights that are kept, which those of the last epoch need not be.
                run.record(metric.name.replace("val/", "val/best/", 1), metric.value)
    run.keep(made.folder / "results.csv", "train")
    run.keep(made.value.weights.path, "weights")


def _lacking(settings: Settings) -> str:
    """What a command lacks that predicts, where there is a data set."""
    name = settings.model.name
    return (
        f"stages=[{','.join(settings.stages)}] lacks weights, and the store has no training of "
        f"model={name} with these settings: give model.weights=FILE, or model.weights=auto for "
        f"what is published of {name}, or add train to stages."
    )


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
        instead=_lacking,
    )
)
