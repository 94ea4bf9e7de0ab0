"""Any source in, checked, the canonical form out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run


def prepare(ask: Ask) -> Recipe:
    """The data set, by the content of its files: where they lie does not matter while they do."""
    settings, seed = ask("source").value, ask.settings.seed
    source = datasets.source_of(settings)

    def build(folder: Path, report: Report) -> None:
        datasets.prepare(settings, seed, folder, report, ask.scratch("files"))

    return Recipe(
        build,
        {"dataset": settings, "source_version": source.version},
        {"files": datasets.signature(settings)},
        here=_here,
        place=str(settings.path and Path(settings.path).expanduser().absolute()),
    )


def _load(folder: Path) -> Dataset:
    return datasets.Dataset.load(folder)


def _here(folder: Path) -> bool:
    """Whether the files of a prepared data set still lie where it found them."""
    dataset = _load(folder)
    first = (next(dataset.iter_images(s)).path for s, count in dataset.counts.items() if count)
    paths = [*first, *(one.path for one in dataset.sequences if one.path)]
    return all(path.exists() for path in paths)


def _publish(run: Run, made: Result) -> None:
    dataset: Dataset = made.value
    if dataset.warnings:
        kinds = ", ".join(line.partition(":")[0] for line in dataset.warnings)
        run.say(f"warnings: {kinds}; see {made.folder / 'checks.txt'}")
    for name in ("checks.txt", "checks.json", "dataset.json", "contact_sheet.jpg"):
        run.keep(made.folder / name, "data")
    run.tag({"dataset.fingerprint": dataset.fingerprint})
    settings = run("source").value
    run.data(settings.source, dataset.fingerprint, settings.path or settings.source)


STAGE = register(
    Stage(
        name="prepare",
        make=prepare,
        version=4,
        reads=("seed",),
        inputs=("source",),
        libraries=("opencv-python",),
        load=_load,
        publish=_publish,
        instead="name a video with video=FILE and weights with model.weights=FILE",
    )
)
