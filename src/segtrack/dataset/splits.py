"""Which image goes into which split: seeded, balanced by class, whole groups on one side.

The order of work is that of Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label
data" (ECML 2011): rarest class first, each group to the split that lacks most of that class. Beyond
it, a split that has its share of images takes no more, so that the shares come out exactly when
groups are single images.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import SettingsError
from segtrack.settings import SPLITS, SplitFractions

_ROUNDING = 1e-6
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Strata:
    """What is to be divided, in flat arrays.

    Attributes:
        sizes: int64 (G,), images of each group.
        owner: int64 (E,), group of each entry, ascending.
        class_id: int32 (E,), a class that the group has.
        amount: int64 (E,), how many images of the group have it. (Annotations would let one
            crowded image speak for a whole split.)
        class_count: classes.
    """

    sizes: NDArray[np.int64]
    owner: NDArray[np.int64]
    class_id: NDArray[np.int32]
    amount: NDArray[np.int64]
    class_count: int


def strata(
    group_of: NDArray[np.int64],
    owner: NDArray[np.int64],
    class_id: NDArray[np.int32],
    class_count: int,
) -> Strata:
    """Collect images into groups.

    Args:
        group_of: int64 (N,), group of each image, 0..G-1.
        owner, class_id: (A,), image (position in ``group_of``) and class of each annotation.
        class_count: classes.
    """
    sizes = np.bincount(group_of).astype(np.int64)
    present = np.unique(owner * class_count + class_id)  # of each class in each image, once
    owner, class_ids = present // max(class_count, 1), present % max(class_count, 1)
    entries, amount = np.unique(group_of[owner] * class_count + class_ids, return_counts=True)
    return Strata(
        sizes,
        entries // max(class_count, 1),
        (entries % max(class_count, 1)).astype(np.int32),
        amount.astype(np.int64),
        class_count,
    )


def fractions_of(settings: SplitFractions) -> NDArray[np.float64]:
    """Shares of the splits, in the order of ``SPLITS``.

    Raises:
        SettingsError: they are negative or do not sum to 1.
    """
    shares = np.array([getattr(settings, split) for split in SPLITS], np.float64)
    if (shares < 0).any() or abs(shares.sum() - 1) > _ROUNDING:
        listed = ", ".join(f"{s} {v:g}" for s, v in zip(SPLITS, shares, strict=True))
        raise SettingsError(
            f"dataset.splits: {listed} sum to {shares.sum():g}; shares are 0 to 1 and sum to 1"
        )
    return shares


def divide(groups: Strata, fractions: NDArray[np.float64], seed: int) -> NDArray[np.int8]:
    """Assign every group to a split.

    Args:
        groups: what to divide.
        fractions: float64 (splits,), sums to 1.
        seed: the same gives the same.

    Returns:
        int8 (G,), position in ``fractions``.
    """
    count = len(groups.sizes)
    totals = np.bincount(groups.class_id, groups.amount, groups.class_count).astype(np.float64)
    order, rarest = _order(groups, totals, np.random.default_rng(seed))
    room = targets(int(groups.sizes.sum()), fractions).tolist()
    lacking = (totals[:, None] * fractions).tolist()
    starts = np.searchsorted(groups.owner, np.arange(count + 1))
    usable = [i for i, share in enumerate(fractions.tolist()) if share > 0]
    result = np.zeros(count, np.int8)
    for begin in range(0, count, _BLOCK):  # Python numbers of a block at a time
        block = order[begin : begin + _BLOCK]
        rows = zip(
            block.tolist(),
            groups.sizes[block].tolist(),
            rarest[block].tolist(),
            starts[block].tolist(),
            starts[block + 1].tolist(),
            strict=True,
        )
        for group, size, rare, start, end in rows:
            open_splits = [i for i in usable if room[i] >= size]
            if not open_splits:  # a group larger than any room that is left
                open_splits = [max(usable, key=room.__getitem__)]
            if rare < 0:
                chosen = max(open_splits, key=room.__getitem__)
            else:
                lack = lacking[rare]
                chosen = max(open_splits, key=list(zip(lack, room, strict=True)).__getitem__)
            result[group] = chosen
            room[chosen] -= size
            classes = groups.class_id[start:end].tolist()
            for one, amount in zip(classes, groups.amount[start:end].tolist(), strict=True):
                lacking[one][chosen] -= amount
    return result


def drawn(identities: Sequence[bytes], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each of ``identities``, which depends on it and the seed alone.

    Whatever lies below a share is a random part of that size, and stays in it as others come: of n
    images n p are expected, give or take the square root of n p (1 - p).
    """
    salt = f"{seed} ".encode()
    digests = b"".join(hashlib.sha256(salt + one).digest()[:8] for one in identities)
    return (np.frombuffer(digests, ">u8") >> 11) / 2.0**53


def targets(count: int, fractions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers that sum to ``count`` in the given shares (largest remainders)."""
    exact = fractions * count
    whole = np.floor(exact + _ROUNDING).astype(np.int64)
    rest = count - int(whole.sum())
    whole[np.argsort(-(exact - whole), kind="stable")[:rest]] += 1
    return whole


class Grouping:
    """Numbers the groups of file names by what ``dataset.group_by`` captures in them.

    All of the match counts where the expression has no group; a name that does not match, or any
    name where there is no expression, is a group of its own.

    Attributes:
        matched: names that matched so far.

    Raises:
        SettingsError: the expression is not one.
    """

    def __init__(self, pattern: str | None) -> None:
        try:
            self.pattern = re.compile(pattern) if pattern is not None else None
        except re.error as error:
            raise SettingsError(
                f"dataset.group_by is {pattern!r}, not a regular expression ({error})"
            ) from error
        self.matched = 0
        self.count = 0
        self._numbers: dict[tuple[str | None, ...], int] = {}

    def key(self, name: str) -> tuple[str | None, ...] | None:
        """What makes the group of ``name``; None where it is one of its own."""
        match = self.pattern.search(name) if self.pattern else None
        return None if match is None else match.groups() or (match.group(),)

    def name(self, name: str) -> str:
        """The group of ``name`` in words: what was captured, or else the name itself."""
        key = self.key(name)
        return name if key is None else "/".join(part or "" for part in key)

    def number(self, name: str) -> int:
        """The number of the group that ``name`` belongs to, from 0."""
        key = self.key(name)
        if key is None:
            self.count += 1
            return self.count - 1
        self.matched += 1
        number = self._numbers.setdefault(key, self.count)
        self.count += number == self.count
        return number


def _order(
    groups: Strata, totals: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Groups by their rarest class, rarest first, none last; large ones first, else shuffled."""
    count = len(groups.sizes)
    rank = np.empty(groups.class_count + 1, np.int64)
    rank[np.argsort(totals, kind="stable")] = np.arange(groups.class_count)
    rank[-1] = groups.class_count
    best = np.full(count, groups.class_count, np.int64)
    np.minimum.at(best, groups.owner, rank[groups.class_id])
    by_rank = np.append(np.argsort(totals, kind="stable"), -1)
    order = np.lexsort((rng.permutation(count), -groups.sizes, best))
    return order, by_rank[best]
