"""What is predicted in one part of the images by a network that did not learn from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset, Folds
    from segtrack.model import Predictions, Weights


def fold_predict(ask: Ask, fold: int) -> Recipe:
    """Predictions of one part: by its own network, or by the weights that were named."""
    settings = ask.settings
    dataset: Dataset = ask("prepare").value
    divided = ask("folds")
    parts: Folds = divided.value
    trained = settings.suspect.folds > 0
    weights: Weights = ask("fold_train", fold=fold).value.weights if trained else ask("start").value
    network = model.Network(settings.model, weights, settings.device)
    floor, limit, splits = (
        settings.suspect.conf_floor,
        settings.model.max_det,
        settings.suspect.splits,
    )
    request = model.Request(dataset.names, dataset.class_map, floor, limit)
    members = parts.members(fold)

    def build(folder: Path, report: Report) -> None:
        images = (row for row in datasets.images_of(dataset, splits) if row.image_id in members)
        model.predict_images(images, network, request, folder, report)

    return Recipe(
        build,
        {"fold": fold, **network.prediction(request)},
        {
            **datasets.content_of(dataset, splits),
            "folds": divided.key,
            "weights": weights.sha256,
        },
        network.family.libraries,
        metric=lambda name: f"suspect/fold_{fold}/{name}",
    )


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


STAGE = register(
    Stage(
        name="fold_predict",
        make=fold_predict,
        version=1,
        inputs=("start", "prepare", "folds", "fold_train"),
        load=_load,
        listed=False,
    )
)
