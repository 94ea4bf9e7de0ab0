"""Masks by Segment Anything for the boxes that a detector found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import model
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Given, Recipe, Result, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Predictions, SamWeights
    from segtrack.pipeline.runner import Run


def propose(ask: Ask, split: str) -> Recipe:
    """The model's predictions of a split with SAM's masks instead of its own."""
    settings = ask.settings
    dataset: Dataset = ask("prepare").value
    knobs = settings.model
    predicted = ask(
        "predict", split=split, floor=knobs.conf_floor, limit=knobs.max_det, named=split
    )
    sam: SamWeights = ask("sam").value
    proposing = model.Proposing(sam, settings.labellerr.conf, settings.device)

    def build(folder: Path, report: Report) -> None:
        images = dataset.iter_images(split)
        model.propose_masks(images, predicted.value, proposing, folder, report)

    return Recipe(
        build,
        {"compute": proposing.compute()},
        {"predictions": predicted.key, "sam": sam.sha256},
        proposing.libraries,
        metric=lambda name: name.replace("/images_", f"/{split}_"),
    )


def sam(ask: Ask) -> Given:
    """The checkpoint of SAM that is chosen."""
    found = model.resolve_sam(ask.settings.model.sam, ask.settings.model.weights_folder)
    return Given(found, f"{found.network} {found.origin} {found.sha256[:8]}")


def _publish_sam(run: Run, made: Result) -> None:
    found: SamWeights = made.value
    run.say(f"{found.network} {found.origin}")
    run.tag({"sam.sha256": found.sha256, "sam.origin": found.origin})


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


SAM = register(Stage(name="sam", make=sam, publish=_publish_sam, listed=False))
STAGE = register(
    Stage(
        name="propose",
        make=propose,
        version=1,
        reads=("labellerr.conf",),
        inputs=("prepare", "predict", "sam"),
        load=_load,
        listed=False,
    )
)
