"""What the network sees of the images of a split, as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import model
from segtrack.base.files import digest
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Features, Weights


def features(ask: Ask, split: str) -> Recipe:
    """Pooled features of a split's images, by the weights that predict."""
    settings = ask.settings
    dataset: Dataset = ask("prepare").value
    weights: Weights = ask("weights").value
    network = model.Network(settings.model, weights, settings.device)

    def build(folder: Path, report: Report) -> None:
        model.image_features(dataset.iter_images(split), network).save(folder)

    contents = [(image.image_id, image.sha256) for image in dataset.iter_images(split)]
    return Recipe(
        build,
        network.looking(),
        {"images": digest(contents), "weights": weights.sha256},
        network.family.libraries,
    )


def _load(folder: Path) -> Features:
    return model.Features.load(folder)


STAGE = register(
    Stage(
        name="features",
        make=features,
        version=1,
        inputs=("prepare", "weights"),
        load=_load,
        listed=False,
    )
)
