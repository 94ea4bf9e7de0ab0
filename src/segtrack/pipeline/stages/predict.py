"""Detections and masks in the images of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.files import digest
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register
from segtrack.settings import plain

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Predictions, Weights


def predict(
    ask: Ask,
    split: str,
    floor: float,
    limit: int,
    named: str = "images",
    one_class: bool = False,
) -> Recipe:
    """Predictions of a split, scores from ``floor`` on, at most ``limit`` an image.

    Raw images whose classes nobody chose have those of the weights.

    Args:
        named: tells apart the numbers of several splits in the journal.
        one_class: as ``model.Request`` has it.
    """
    settings = ask.settings
    dataset: Dataset = ask("prepare").value
    weights: Weights = ask("weights").value
    network = model.Network(settings.model, weights, settings.device)
    names = dataset.names or weights.names
    request = model.Request(names, dataset.class_map, floor, limit, one_class)

    def build(folder: Path, report: Report) -> None:
        images, count = dataset.iter_images(split), dataset.counts[split]
        model.predict_images(images, network, request, folder, report, count)
        datasets.require_unchanged(dataset, split)

    # Predictions name images by id, and ids move when another split of the data set grows.
    ids = digest([image.image_id for image in dataset.iter_images(split)])[:16]
    return Recipe(
        build,
        network.prediction(request),
        {
            "images": dataset.split_fingerprint(split),
            "ids": ids,
            "weights": weights.sha256,
        },
        network.family.libraries,
        metric=lambda name: name.replace("/images_", f"/{named}_"),
    )


def content_code(ask: Ask, split: str, floor: float, limit: int) -> str:
    """Stands for the predictions of a split by what they are made of and nothing else: unlike the
    key in the store, it stays when the images are called otherwise.
    """
    settings, dataset = ask.settings, ask("prepare").value
    weights: Weights = ask("weights").value
    network = model.Network(settings.model, weights, settings.device)
    asked = network.prediction(model.Request(dataset.names, dataset.class_map, floor, limit))
    contents = sorted({image.sha256 for image in dataset.iter_images(split)})
    return digest([plain(asked), weights.sha256, contents])


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


STAGE = register(
    Stage(
        name="predict",
        make=predict,
        version=1,
        inputs=("prepare", "weights"),
        load=_load,
        listed=False,
    )
)
