"""Objects in pictures that nobody labelled: what a network makes of somebody's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import convert, model
from segtrack.base.errors import some
from segtrack.base.files import digest, hand_out
from segtrack.base.metrics import Report
from segtrack.pipeline.pool import require_pool
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model, say_lacking

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run

_COUNTS = "counts.json"


def segment(ask: Ask) -> Recipe:
    """The objects of every picture of the pool, as COCO JSON and as a table.

    An object has one class, as in a video, and counts from ``evaluation.confusion_conf`` on.
    """
    dataset: Dataset = ask("prepare").value
    floor, limit = ask.settings.evaluation.confusion_conf, ask.settings.model.max_det
    found = ask("predict", split="pool", floor=floor, limit=limit, named="pool", one_class=True)

    def build(folder: Path, report: Report) -> None:
        counts = convert.write_found(dataset, "pool", found.value, folder)
        (folder / _COUNTS).write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")
        report("segment/images", dataset.counts["pool"])
        report("segment/objects", sum(counts.values()))

    names = [(row.image_id, row.file_name) for row in dataset.iter_images("pool")]
    return Recipe(build, {}, {"predictions": found.key, "names": digest(names)[:16]})


def _require(ask: Ask) -> None:
    """Look for pictures, and for the weights that are to find something in them."""
    require_model(ask)
    require_pool(ask, "segment", "segment")


def _publish(run: Run, made: Result) -> None:
    dataset: Dataset = run("prepare").value
    if dataset.names:
        wanted = model.Request(dataset.names, dataset.class_map)
        say_lacking(run, wanted, "none of it can be found")
    counts = json.loads((made.folder / _COUNTS).read_text(encoding="utf-8"))
    found = some([f"{name} {count}" for name, count in counts.items()]) or "nothing"
    run.say(f"{dataset.counts['pool']} pictures: {found}")
    for name in (convert.COCO, convert.TABLE):
        hand_out(made.folder / name, run.output / "segment" / name)
        run.show("objects of all pictures", run.output / "segment" / name)
    run.keep(run.output / "segment", "segment")


STAGE = register(
    Stage(
        name="segment",
        make=segment,
        version=1,
        inputs=("prepare", "predict", "weights", "start", "source"),
        require=_require,
        publish=_publish,
        after="train",
        includes=("prepare",),  # pictures that are not labelled are no data set of their own
        instead="give the run that did it",
    )
)
