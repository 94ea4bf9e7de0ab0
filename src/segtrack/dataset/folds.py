"""Images in parts, each judged by a network that learnt from the other parts, and what it learns.

Parts are divided as splits are (``splits.divide``): whole groups, balanced by class, seeded.
"""

from __future__ import annotations

import heapq
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import DataError
from segtrack.base.files import digest, link_or_copy
from segtrack.base.frames import row_groups
from segtrack.dataset import yolo_tree
from segtrack.dataset.canonical import Dataset, ImageRow
from segtrack.dataset.splits import Grouping, divide, strata
from segtrack.settings import SPLITS

FILE = "folds.npz"


@dataclass(frozen=True)
class Folds:
    """Which part an image is in.

    Attributes:
        count: parts; 1 where all images are judged by one network that learnt from none of them.
        image_id: int64 (N,), ascending. fold: int16 (N,), 0 to ``count - 1``.
    """

    count: int
    image_id: NDArray[np.int64]
    fold: NDArray[np.int16]

    def save(self, folder: Path) -> None:
        """Write it into ``folder``."""
        np.savez(folder / FILE, count=self.count, image_id=self.image_id, fold=self.fold)

    @staticmethod
    def load(folder: Path) -> Folds:
        """What ``save`` wrote."""
        with np.load(folder / FILE) as data:
            return Folds(int(data["count"]), data["image_id"], data["fold"])

    def members(self, fold: int) -> frozenset[int]:
        """Ids of the images of one part."""
        return frozenset(self.image_id[self.fold == fold].tolist())


@dataclass(frozen=True)
class Learnt:
    """What the network of one part learns from, as ``model.TrainingData`` has it.

    Images of the other parts; those of the split ``val`` among them choose the epoch. Where there
    are no others they are learnt from.

    Attributes:
        folder: that ``write`` fills with a YOLO tree of links.
        split_of: ``train`` or ``val``, by image id.
    """

    dataset: Dataset
    folder: Path
    split_of: Mapping[int, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by class id."""
        return self.dataset.names

    @property
    def yolo_yaml(self) -> Path:
        """``data.yaml`` of the tree of links."""
        return self.folder / yolo_tree.FOLDER / "data.yaml"

    def iter_images(self, split: str) -> Iterator[ImageRow]:
        """The images of a split in the order of their ids."""
        every = images_of(self.dataset, SPLITS)
        return (row for row in every if self.split_of.get(row.image_id) == split)

    def iter_annotations(self, split: str) -> Iterator[dict[str, Any]]:
        """COCO annotations of a split, as ``Dataset.iter_annotations`` has them."""
        every = annotations_of(self.dataset, SPLITS)
        return (row for row in every if self.split_of.get(row["image_id"]) == split)

    def write(self) -> None:
        """Make the tree; remains of a killed attempt go."""
        yolo_tree.make_folders(self.folder)
        counts = dict.fromkeys(SPLITS, 0)
        source, target = self.dataset.folder / yolo_tree.FOLDER, self.folder / yolo_tree.FOLDER
        for kind in ("images", "labels"):
            for split in SPLITS:
                with os.scandir(source / kind / split) as files:
                    for file in files:
                        to = self.split_of.get(int(file.name.split("_", 1)[0]))
                        if to is not None:
                            _link(Path(file.path).resolve(), target / kind / to / file.name)
                            counts[to] += kind == "images"
        yolo_tree.write_yaml(self.folder, self.names, counts)

    def remove(self) -> None:
        """Leave nothing of the tree."""
        shutil.rmtree(self.folder, ignore_errors=True)


def divide_folds(
    dataset: Dataset, splits: Sequence[str], count: int, group_by: str | None, seed: int
) -> Folds:
    """Deal the images of some splits into parts.

    Images of one group (``dataset.group_by``), or with the same bytes, are in one part: a network
    that learnt from a neighbour's label would know this one's error.

    Args:
        count: of parts; 1 deals nothing.

    Raises:
        DataError: there are no labels to judge, or fewer groups than parts.
        SettingsError: ``group_by`` is no regular expression.
    """
    rows = list(images_of(dataset, splits))
    ids = np.array([row.image_id for row in rows], np.int64)
    owner, class_id = _labels(dataset, ids)
    if not len(owner):
        raise DataError(
            f"stage suspect: the splits {', '.join(splits)} of the data set hold {len(ids)} images "
            "and no label to judge; name others with suspect.splits, or annotate first"
        )
    if count == 1:
        return Folds(1, ids, np.zeros(len(ids), np.int16))
    group_of = _groups(rows, group_by)
    groups = int(group_of.max()) + 1
    if groups < count:
        by = f"dataset.group_by={group_by} and equal files make" if group_by else "equal files make"
        raise DataError(
            f"stage suspect: {by} {groups} group{'s' * (groups > 1)} of {len(ids)} images, too few "
            f"for suspect.folds={count}; lower it, or divide the images more finely"
        )
    parts = strata(group_of, owner, class_id, len(dataset.names))
    fold = divide(parts, np.full(count, 1 / count), seed)[group_of]
    return Folds(count, ids, fold.astype(np.int16))


def learnt_for(dataset: Dataset, folds: Folds, fold: int, folder: Path) -> Learnt:
    """What the network learns that judges the part ``fold``; ``write`` makes it files."""
    members = set(folds.image_id[folds.fold != fold].tolist())
    splits = {split: {row.image_id for row in dataset.iter_images(split)} for split in SPLITS}
    choosing = members & splits["val"]
    if choosing == members:
        choosing = set()
    split_of = {one: "val" if one in choosing else "train" for one in members}
    return Learnt(dataset, folder, split_of)


def images_of(dataset: Dataset, splits: Sequence[str]) -> Iterator[ImageRow]:
    """The images of several splits in the order of their ids, as a stream."""
    every = (dataset.iter_images(split) for split in splits)
    return heapq.merge(*every, key=lambda row: row.image_id)


def annotations_of(dataset: Dataset, splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    """COCO annotations of several splits in the order of their images, as a stream."""
    every = (dataset.iter_annotations(split) for split in splits)
    return heapq.merge(*every, key=lambda row: int(row["image_id"]))


def content_of(dataset: Dataset, splits: Sequence[str]) -> dict[str, str]:
    """Digests that stand for the images, labels and ids of some splits, for the key of a result."""
    ids = [(row.image_id, row.file_name) for row in images_of(dataset, splits)]
    found = {split: dataset.split_fingerprint(split) for split in sorted(set(splits))}
    return {**found, "ids": digest(ids)[:16]}


def _labels(
    dataset: Dataset, ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Position in ``ids`` and class of each label of these images."""
    owners, classes = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    for table in row_groups(dataset.folder / "annotations.parquet", ["image_id", "class_id"]):
        image = table["image_id"].to_numpy()
        place = np.minimum(np.searchsorted(ids, image), max(len(ids) - 1, 0))
        there = ids[place] == image if len(ids) else np.zeros(len(image), bool)
        owners.append(place[there])
        classes.append(table["class_id"].to_numpy()[there])
    return np.concatenate(owners), np.concatenate(classes)


def _groups(rows: Sequence[ImageRow], group_by: str | None) -> NDArray[np.int64]:
    """The group of each image, 0..G-1, where files of equal content join theirs."""
    grouping = Grouping(group_by)
    parent: dict[int, int] = {}

    def root(group: int) -> int:
        while group in parent:
            group = parent[group]
        return group

    first: dict[str, int] = {}
    numbers = []
    for row in rows:
        number = grouping.number(row.file_name)
        numbers.append(number)
        other = first.setdefault(row.sha256, number)
        one, other = root(number), root(other)
        if one != other:
            parent[max(one, other)] = min(one, other)
    joined = np.array([root(number) for number in numbers], np.int64)
    return np.unique(joined, return_inverse=True)[1].astype(np.int64)


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except OSError:  # a file system without symbolic links
        link_or_copy(source, target)
