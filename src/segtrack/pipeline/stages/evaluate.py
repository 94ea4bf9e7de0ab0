"""Predictions of the test split (val where there is none) against its labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import evaluation, model
from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model, say_lacking

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run

LACKING = (
    "its AP is 0 where it is labelled, which counts in all means; name what it is called there, or "
    "leave it out, by dataset.classes"
)


def evaluate(ask: Ask) -> Recipe:
    """Scores, curves, figures and a gallery of one split."""
    dataset: Dataset = ask("prepare").value
    settings, group_by = ask.settings.evaluation, ask.settings.dataset.group_by
    split = next((s for s in ("test", "val") if dataset.counts.get(s)), None)
    if split is None:
        raise DataError(
            "stage evaluate: the data set has neither test nor val images; give it some, or "
            "leave evaluate out of stages."
        )
    found = ask("predict", split=split, floor=settings.conf_floor, limit=settings.max_det)

    def build(folder: Path, report: Report) -> None:
        evaluation.evaluate(dataset, split, found.value, settings, folder, report, group_by)

    inputs = {"predictions": found.key, "images": dataset.split_fingerprint(split)}
    return Recipe(build, {"split": split, "group_by": group_by}, inputs)


def _publish(run: Run, made: Result) -> None:
    dataset: Dataset = run("prepare").value
    say_lacking(run, model.Request(dataset.names, dataset.class_map), LACKING)
    run.named("class", dataset.names)
    run.keep(made.folder, "evaluation")


STAGE = register(
    Stage(
        name="evaluate",
        make=evaluate,
        version=8,
        reads=("evaluation",),
        inputs=("prepare", "predict", "weights", "start"),
        require=require_model,
        libraries=("pycocotools",),
        publish=_publish,
        after="train",
    )
)
