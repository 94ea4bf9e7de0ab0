"""A prepared data set as material: its images with their objects, under names that are unique."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
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

    def paths() -> Iterator[str]:
        return (row["file_name"] for row in dataset.image_rows("file_name"))

    def pictures() -> Iterator[Picture]:
        names = unique_names(paths)
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


def unique_names(paths: Callable[[], Iterable[str]]) -> Iterator[str]:
    """File names without folders, each once, whatever the letters' case and the suffix.

    Where two are called alike, their folders are put before them. The paths are gone through three
    times, since memory holds 8 bytes of each and the names that are alike.
    """
    alike = _repeated(_digest(_key(PurePosixPath(path).name)) for path in paths())

    def plain() -> Iterator[str]:
        for path in map(PurePosixPath, paths()):
            own = _digest(_key(path.name)) not in alike
            yield _UNSAFE.sub("_", path.name if own else _joined(path))

    again = _repeated(_digest(_key(name)) for name in plain())
    taken: set[str] = set()  # of those that another may be called by
    for i, name in enumerate(plain()):
        key = _key(name)
        if key in taken:
            path = PurePosixPath(name)
            name = f"{path.stem}__{i}{path.suffix}"
            taken.add(_key(name))
        elif _digest(key) in again:
            taken.add(key)
        yield name


def _repeated(digests: Iterable[int]) -> set[int]:
    """Those that are there more than once."""
    found = np.sort(np.fromiter(digests, np.uint64))
    return set(found[1:][found[1:] == found[:-1]].tolist())


def _digest(key: str) -> int:
    """64 bits of a name: should two be the same by chance, one gets a longer name than it needs."""
    text = key.encode(errors="surrogatepass")  # as names of files may be
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


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
