"""A stage from outside of the package: how large the objects of each class are.

``SEGTRACK_PLUGINS=tests.plugins.toy_stage`` makes it known, ``stages=[prepare,sizes]`` lists it.
Whatever works on the prepared data set may look like this.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from segtrack.base.metrics import Report
from segtrack.pipeline import Ask, Recipe, Result, Stage, register

if TYPE_CHECKING:  # importing a plugin is light: what does the work is imported where it works
    from segtrack.dataset import Dataset
    from segtrack.pipeline import Run

FILE = "sizes.csv"


def sizes(ask: Ask) -> Recipe:
    """Mean area of the objects of each class in the training split, px²."""
    dataset: Dataset = ask("prepare").value

    def build(folder: Path, report: Report) -> None:
        areas: dict[str, list[float]] = defaultdict(list)
        for row in dataset.iter_annotations("train"):
            areas[dataset.names[row["category_id"]]].append(row["area"])
        with (folder / FILE).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["class", "objects", "mean area px2"])
            for name, values in sorted(areas.items()):
                table.writerow([name, len(values), round(mean(values), 1)])
                report(f"sizes/{name}", mean(values))

    return Recipe(build, inputs={"train": dataset.split_fingerprint("train")})


def publish(run: Run, made: Result) -> None:
    """Keep the table with the run."""
    run.keep(made.folder / FILE, "sizes")


STAGE = register(
    Stage(
        name="sizes",
        make=sizes,
        version=1,
        inputs=("prepare",),
        publish=publish,
        after="prepare",
    )
)
