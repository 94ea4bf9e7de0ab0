"""What every data set has, and what each kind of source adds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from segtrack.settings.knobs import Group, Problem, knob

# Of an image, unless dataset.max_pixels says otherwise; the largest cameras, those of telephones,
# have 200 megapixels.
MAX_PIXELS = 200_000_000
SPLITS = ("train", "val", "test", "pool")


class Detections(Enum):
    """Where a sequence's detections come from."""

    auto = "auto"
    model = "model"
    file = "file"


class BoxMasks(Enum):
    """What makes masks of labels that are only boxes."""

    sam = "sam"


@dataclass
class SplitFractions:
    """Shares of the images that the source itself assigns to no split; they sum to 1."""

    train: float = knob(0.7, "share of the images to learn from", low=0, high=1)
    val: float = knob(0.15, "share that chooses the epoch", low=0, high=1)
    test: float = knob(0.15, "share that is reported, never trained on", low=0, high=1)
    pool: float = knob(0.0, "share that is to be reviewed", low=0, high=1)


@dataclass
class DatasetSettings(Group):
    """What every data set has. ``source`` names the reader in ``segtrack.dataset``."""

    source: str = knob(MISSING, "the reader")
    path: str | None = knob(
        None, "the folder that holds the data set; it counts by its content", local=True
    )
    classes: Any = knob(
        None,
        "null: all; a list [person, car] chooses by name; a mapping {vehicle: [car, truck, bus]} "
        "merges",
        kind="list, mapping or null",
    )
    splits: SplitFractions = knob(
        SplitFractions, "shares of what the source assigns to no split; they sum to 1"
    )
    box_masks: BoxMasks | None = knob(
        None,
        "labels that are only boxes: sam makes masks of them (model.sam); null: rectangles",
    )
    layered: bool = knob(
        False,
        "outlines lie over one another, later ones in front, as Cityscapes' and most drawn ones "
        "do: true cuts off what later ones cover, and what is left is the visible fraction, as an "
        "estimate",
    )
    group_by: str | None = knob(
        None,
        "regular expression on the file name; images with the same match stay in one split",
    )
    decode: bool = knob(
        True, "decode every image once to be sure that it can be read; false: header only, faster"
    )
    max_pixels: int | None = knob(
        MAX_PIXELS,
        "width times height that an image may have; a file of kilobytes may ask for gigabytes of "
        "memory. Scans and aerial views that have more need a larger number; null: any",
        unit="px",
        low=1,
        local=True,
    )
    workers: int = knob(
        0,
        "processes that read images; 0: one per CPU core",
        unit="processes",
        low=0,
        high=1024,
        local=True,
    )
    require_sources: bool = knob(
        False, "stop when an image has no row in the table of sources and licences"
    )
    sources: str = knob("sources.md", "the file with that table", local=True)
    videos: str | None = knob(
        None, "file, folder or glob of videos or sequences for the track stage", local=True
    )
    starting_weights: str = knob(
        "auto",
        "what model.weights=null begins with: auto (see model.weights), or shipped",
        choices=("auto", "shipped"),
        local=True,
    )
    detections: Detections = knob(
        Detections.auto,
        "where a sequence's detections come from: model, file (its own det/det.txt), or auto: the "
        "file where there are no frames",
        local=True,
    )
    det_class: str = knob(
        "person",
        "class of the detections in det.txt, which does not say it",
        origin="MOTChallenge has persons",
        local=True,
    )

    def problems(self) -> Iterator[Problem]:
        """What is wrong between the knobs."""
        total = sum(vars(self.splits).values())
        if abs(total - 1) > 1e-6:
            shown = " + ".join(f"{share:g}" for share in vars(self.splits).values())
            yield Problem("dataset.splits", shown, f"the shares must sum to 1, not {total:g}")
        yield from _class_problems(self.classes)
        if self.group_by is not None:
            try:
                re.compile(self.group_by)
            except re.error as error:
                allowed = f"must be a regular expression ({error})"
                yield Problem("dataset.group_by", self.group_by, allowed)


_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")


@dataclass
class FolderSettings(DatasetSettings):
    """A data set that is read from a folder: ``dataset.path`` has to be one."""

    def problems(self) -> Iterator[Problem]:
        """A folder is needed."""
        yield from super().problems()
        if self.path is None:
            allowed = f"dataset={self.source} needs a folder: dataset.path=FOLDER"
            yield Problem("dataset.path", None, allowed)
        elif not Path(self.path).expanduser().is_dir():
            allowed = "no such folder; give the folder that holds the data set"
            file = Path(self.path).expanduser()
            if file.suffix.lower() in _ARCHIVES and file.is_file():
                allowed = "is an archive; unpack it and give the folder"
            elif file.is_file():
                allowed = f"is a file; give its folder: dataset.path={file.parent}"
            yield Problem("dataset.path", self.path, allowed)


def _class_problems(classes: Any) -> Iterator[Problem]:
    if classes is None:
        return
    allowed = "a list [person, car] or a mapping {vehicle: [car, truck], person: [person]}"
    if isinstance(classes, list):
        good = bool(classes) and all(isinstance(name, str) and name.strip() for name in classes)
        if good and len(set(classes)) != len(classes):
            yield Problem("dataset.classes", classes, "names a class twice")
    elif isinstance(classes, dict):
        lists = [v for v in classes.values() if isinstance(v, list) and v]
        names = [name for v in lists for name in v]
        good = bool(classes) and len(lists) == len(classes)
        good = good and all(isinstance(name, str) and name.strip() for name in [*classes, *names])
        if good and len(set(names)) != len(names):
            yield Problem("dataset.classes", classes, "puts a class into two merged classes")
    else:
        good = False
    if not good:
        yield Problem("dataset.classes", classes, f"must be null, {allowed}")
