"""Labels that are probably wrong, by predictions of networks that did not learn them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import curation, model
from segtrack.base.errors import DataError, SettingsError, some
from segtrack.base.metrics import Report
from segtrack.base.saying import say
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Weights
    from segtrack.pipeline.runner import Run


def suspect(ask: Ask) -> Recipe:
    """A ranked list of objects and of images, from predictions of every part."""
    dataset: Dataset = ask("prepare").value
    settings = ask.settings.suspect
    divided = ask("folds")
    found = ask.each("fold_predict", [{"fold": fold} for fold in range(divided.value.count)])

    def build(folder: Path, report: Report) -> None:
        predictions = [one.value for one in found]
        curation.find_suspects(dataset, divided.value, predictions, settings, folder, report)

    return Recipe(
        build,
        inputs={
            **{split: dataset.split_fingerprint(split) for split in settings.splits},
            "folds": divided.key,
            **{f"predictions {fold}": one.key for fold, one in enumerate(found)},
        },
    )


def _require(ask: Ask) -> None:
    """Look for what would make a judge of a network that cannot be one.

    Raises:
        SettingsError: ``suspect.folds=0`` without weights, or with those of this very command.
        DataError: the named weights lack classes that are labelled.
    """
    require_model(ask)
    if ask.settings.suspect.folds:
        return
    named = ask.settings.model.weights
    if named in (None, "scratch") or "train" in ask.listed:
        why = "train learns the labels" if "train" in ask.listed else "there are none"
        raise SettingsError(
            f"suspect.folds=0: the weights that judge have to be named, and {why}: give "
            "model.weights=FILE of a network that never learnt these labels, or suspect.folds=4"
        )
    weights: Weights = ask("start").value
    dataset: Dataset = ask("prepare").value
    request = model.Request(dataset.names, dataset.class_map)
    if lacking := model.lacking_classes(weights, request):
        raise DataError(
            f"suspect.folds=0: model.weights={named} lack {some(lacking, 5)}, whose labels they "
            "would all call spurious; leave these out with dataset.classes=[...], or let "
            "suspect.folds=4 train networks that know them"
        )


def _publish(run: Run, made: Result) -> None:
    run.keep(made.folder, "suspect")
    say(f"\n{(made.folder / curation.SUMMARY).read_text(encoding='utf-8')}")
    run.say(f"all of them: {made.folder / 'suspects.csv'}; pictures: {made.folder / 'gallery'}")


STAGE = register(
    Stage(
        name="suspect",
        make=suspect,
        version=2,
        reads=("suspect",),
        inputs=("prepare", "folds", "fold_predict", "start"),
        require=_require,
        libraries=("pycocotools",),
        publish=_publish,
        after="evaluate",
    )
)
