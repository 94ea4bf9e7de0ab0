"""Any source in, checked, the canonical form out."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.base.names import shown
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import SamWeights
    from segtrack.pipeline.runner import Run
    from segtrack.settings import DatasetSettings, Settings

PLACE = "place.json"  # in the result: where the files lay that it names


def prepare(ask: Ask) -> Recipe:
    """The data set, by the content of its files: where they lie does not matter while they do."""
    settings, seed = ask("source").value, ask.settings.seed
    source, place = datasets.source_of(settings), _place(settings)

    inputs = {"files": datasets.signature(settings)}
    libraries: tuple[str, ...] = ()
    segmenting = None
    if settings.box_masks is not None:
        sam: SamWeights = ask("sam").value
        proposing = model.Proposing(sam, 0.0, ask.settings.device)
        masks = model.masks_of_boxes(sam, ask.settings.device)
        segmenting = datasets.Segmenting(masks, f"{sam.sha256} {proposing.compute()}")
        inputs["sam"], libraries = sam.sha256, proposing.libraries

    def build(folder: Path, report: Report) -> None:
        datasets.prepare(settings, seed, folder, report, ask.scratch("files"), segmenting)
        (folder / PLACE).write_text(json.dumps(place), encoding="utf-8")

    return Recipe(
        build,
        {"dataset": settings, "source_version": source.version},
        inputs,
        libraries,
        here=partial(_here, settings),
        place=json.dumps(place),
        check=partial(source.sequences, settings) if source.sequences else None,
    )


def _load(folder: Path) -> Dataset:
    return datasets.Dataset.load(folder)


def _place(settings: DatasetSettings) -> dict[str, str | None]:
    """Where the settings have the files, which is not in the key."""
    named = {"path": settings.path, "videos": settings.videos}
    return {k: v and str(Path(v).expanduser().absolute()) for k, v in named.items()}


def _here(settings: DatasetSettings, folder: Path) -> bool:
    """Whether the files that a prepared data set names are still the ones that it was made of.

    They may lie elsewhere than those of ``settings``, which have the same content: a copy of the
    data set, which may have been moved, deleted or changed since.
    """
    there = json.loads((folder / PLACE).read_text(encoding="utf-8"))
    if there != _place(settings):
        try:
            found = datasets.signature(dataclasses.replace(settings, **there))
        except DataError:
            return False
        if found != datasets.signature(settings):
            return False
    dataset = _load(folder)
    first = (next(dataset.iter_images(s)).path for s, count in dataset.counts.items() if count)
    paths = [*first, *(one.path for one in dataset.sequences if one.path)]
    return all(path.exists() for path in paths)


def _publish(run: Run, made: Result) -> None:
    dataset: Dataset = made.value
    if run.settings.parent_run is None and "prepare" in run.settings.stages:
        run.table(datasets.overview(dataset))
        for line in dataset.warnings:
            run.say(shown(line, 300))
    if dataset.warnings:
        kinds = ", ".join(line.partition(":")[0] for line in dataset.warnings)
        run.say(f"warnings: {kinds}; see {made.folder / 'checks.txt'}")
    for name in ("checks.txt", "checks.json", "dataset.json", "contact_sheet.jpg"):
        run.keep(made.folder / name, "data")
    run.tag({"dataset.fingerprint": dataset.fingerprint})
    settings = run("source").value
    run.data(settings.source, dataset.fingerprint, settings.path or settings.source)


def _lacking(settings: Settings) -> str:
    """What a command lacks that needs a data set: weights first, since nothing goes without."""
    listed = f"stages=[{','.join(settings.stages)}]"
    none = f"the store has nothing of dataset={settings.dataset.source} for these settings"
    untrained = settings.model.weights in (None, "scratch") and "train" not in settings.stages
    add = "prepare and train" if untrained else "prepare"
    if settings.dataset.path is not None:
        none += " and its files as they are now"
    needs = [("weights", "model.weights=FILE")] if untrained else []
    if set(settings.stages) == {"track"} and settings.video is None:
        needs.append(("a video", "video=FILE"))
    alone = len(settings.stages) == 1 and settings.stages[0] in ("track", "segment", "shards")
    if alone and needs and settings.dataset.source == "images":  # nothing to learn from
        return f"{listed} lacks weights: give model.weights=FILE."
    if alone and needs:
        what, give = (" and ".join(words) for words in zip(*needs, strict=True))
        if settings.model.weights is None:
            none += f"; model.weights=auto takes what is published of model={settings.model.name}"
        return f"{listed} lacks {what}: give {give}, or add {add} to stages; {none}."
    instead = ", or prepare alone, with model.weights=FILE" if untrained else ""
    return f"{listed} needs a data set, and {none}: add {add} to stages{instead}."


STAGE = register(
    Stage(
        name="prepare",
        make=prepare,
        version=9,
        reads=("seed",),
        inputs=("source", "sam"),
        libraries=("opencv-python",),
        load=_load,
        publish=_publish,
        instead=_lacking,
    )
)
