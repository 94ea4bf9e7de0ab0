"""A prepared data set as material: its images with their objects, under names that are unique."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from segtrack.convert.material import Material, Picture, Thing
from segtrack.dataset import Dataset
from segtrack.settings import SPLITS

# What some system does not take in a file's name, and what parts the values of some format.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|;]')


def image_material(dataset: Dataset) -> Material:
    """The images of a prepared data set, in the order of their ids."""
    names = unique_names(row["file_name"] for row in dataset.image_rows("file_name"))

    def pictures() -> Iterator[Picture]:
        for name, (row, own) in zip(names, dataset.iter_labelled(), strict=True):
            things = tuple(map(_thing, own))
            labelled = bool(things) or row["split"] != "pool"
            yield Picture(
                name,
                row["width"],
                row["height"],
                row["split"],
                things,
                file=row["path"],
                labelled=labelled,
            )

    splits = tuple(split for split in SPLITS if dataset.counts.get(split))
    return Material(dataset.names, (), pictures, splits)


def turned(dataset: Dataset) -> int:
    """How many images are turned by their EXIF orientation before they are shown."""
    return sum((row["orientation"] or 1) > 1 for row in dataset.image_rows("orientation"))


def unique_names(paths: Iterable[str]) -> list[str]:
    """File names without folders, each once, whatever the letters' case and the suffix.

    Where two are called alike, their folders are put before them.
    """
    parts = [PurePosixPath(path) for path in paths]
    seen = Counter(_key(path.name) for path in parts)
    plain = [path.name if seen[_key(path.name)] == 1 else _joined(path) for path in parts]
    taken: set[str] = set()
    names = []
    for i, name in enumerate(plain):
        name = _UNSAFE.sub("_", name)
        if _key(name) in taken:
            path = PurePosixPath(name)
            name = f"{path.stem}__{i}{path.suffix}"
        taken.add(_key(name))
        names.append(name)
    return names


def _key(name: str) -> str:
    return PurePosixPath(name).stem.casefold()


def _joined(path: PurePosixPath) -> str:
    return "__".join(part for part in path.parts if part not in ("..", "/"))


def _thing(row: dict[str, Any]) -> Thing:
    x, y, w, h = (row[key] for key in "xywh")
    exact = row["rle"] or b""
    return Thing(
        row["class_id"],
        (x, y, x + w, y + h),
        () if exact else tuple(np.array(p, np.float64).reshape(-1, 2) for p in row["polygons"]),
        exact,
        crowd=row["iscrowd"],
        visible=row["visible_fraction"],
    )
