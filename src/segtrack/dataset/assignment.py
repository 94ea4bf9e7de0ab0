"""Gives every image of the catalogue its split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.classes import ClassMap
from segtrack.dataset.labels import packed_class_ids
from segtrack.dataset.sources.port import source_of
from segtrack.dataset.splits import Grouping, divide, drawn, fractions_of, strata
from segtrack.settings import SPLITS, DatasetSettings

_TEST = SPLITS.index("test")


def assign_splits(
    catalogue: Catalogue,
    checks: Checks,
    classes: ClassMap,
    settings: DatasetSettings,
    seed: int,
) -> None:
    """Images with a declared split keep it; the others are divided by ``dataset.splits``.

    Images with the same bytes go to one side, like those of one group. Where the source's test
    split is to last, an image is in it, or not, by its content alone, or by its group.

    Raises:
        SettingsError: ``dataset.splits`` or ``dataset.group_by`` makes no sense.
    """
    fractions = fractions_of(settings.splits)
    grouping = Grouping(settings.group_by)
    catalogue.db.execute("UPDATE images SET split = declared")
    free = "declared IS NULL"
    image_ids = np.fromiter((row[0] for row in catalogue.rows("image_id", free)), np.int64)
    if not len(image_ids):
        return
    names = (row[0] for row in catalogue.rows("file_name", free))
    group_of = np.fromiter(map(grouping.number, names), np.int64)
    if settings.group_by is not None and not grouping.matched:
        message = f"dataset.group_by {settings.group_by!r} matches no file name"
        (example,) = next(catalogue.rows("file_name", free))
        checks.warn("group_by", str(settings.path), message, f"file names are like {example}")
    _join_duplicates(catalogue, image_ids, group_of)
    owner, class_id = _class_entries(catalogue, classes, free)
    chosen = np.full(len(image_ids), _TEST, np.int8)
    rest = np.ones(len(image_ids), bool)
    if source_of(settings).lasting_test and fractions[_TEST]:
        place = drawn(_identities(catalogue, grouping, free), seed)
        of_group = np.ones(group_of.max() + 1)
        np.minimum.at(of_group, group_of, place)
        rest = of_group[group_of] >= fractions[_TEST]
        fractions[_TEST] = 0.0
        fractions /= fractions.sum() or 1.0
    if rest.any():
        owned = rest[owner]
        owner, class_id = (np.cumsum(rest) - 1)[owner[owned]], class_id[owned]
        group_of = np.unique(group_of[rest], return_inverse=True)[1].astype(np.int64)
        groups = strata(group_of, owner, class_id, len(classes.names))
        chosen[rest] = divide(groups, fractions, seed)[group_of]
    catalogue.set_splits(_named(image_ids, chosen))


def _identities(catalogue: Catalogue, grouping: Grouping, where: str) -> list[bytes]:
    """What an image is told by: its group, its content, or else its name."""
    found = []
    for name, sha256 in catalogue.rows("file_name, sha256", where):
        group = grouping.key(name)
        found.append(repr(group).encode() if group else sha256 or name.encode())
    return found


def _named(image_ids: NDArray[np.int64], chosen: NDArray[np.int8]) -> Iterator[tuple[str, int]]:
    for image_id, split in zip(image_ids.tolist(), chosen.tolist(), strict=True):
        yield SPLITS[split], image_id


def _class_entries(
    catalogue: Catalogue, classes: ClassMap, where: str
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Image (position among the free ones) and output class of every annotation."""
    ids = classes.ids()
    owners, class_ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    position = 0
    for batch in catalogue.batches("labels", where):
        found = [packed_class_ids(blob) if blob else ids[:0] for (blob,) in batch]
        counts = [len(one) for one in found]
        mapped = ids[np.concatenate(found)]
        owner = np.repeat(np.arange(position, position + len(batch)), counts)
        owners.append(owner[mapped >= 0])
        class_ids.append(mapped[mapped >= 0])
        position += len(batch)
    return np.concatenate(owners), np.concatenate(class_ids)


def _join_duplicates(
    catalogue: Catalogue, image_ids: NDArray[np.int64], group_of: NDArray[np.int64]
) -> None:
    """Give images with the same bytes, and all of their groups, one group number (in place)."""
    query = (
        "SELECT sha256, image_id FROM images WHERE declared IS NULL AND sha256 IN "
        "(SELECT sha256 FROM images WHERE declared IS NULL AND LENGTH(sha256) > 0 "
        "GROUP BY sha256 HAVING COUNT(*) > 1) ORDER BY sha256, image_id"
    )
    parents: dict[int, int] = {}

    def root(group: int) -> int:
        while group in parents:
            group = parents[group]
        return group

    first_of: tuple[bytes, int] = (b"", -1)
    for sha, image_id in catalogue.db.execute(query):
        group = root(int(group_of[np.searchsorted(image_ids, image_id)]))
        if sha != first_of[0]:
            first_of = (sha, group)
        other = root(first_of[1])
        if group != other:
            parents[max(group, other)] = min(group, other)
    if parents:
        moved = np.array(sorted(parents), np.int64)
        to = np.array([root(group) for group in moved.tolist()], np.int64)
        place = np.minimum(np.searchsorted(moved, group_of), len(moved) - 1)
        hit = moved[place] == group_of
        group_of[hit] = to[place[hit]]
