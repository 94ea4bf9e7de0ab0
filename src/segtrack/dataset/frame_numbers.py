"""Which image a row of a text file is about, where images are not numbered from 1 on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import DataError

_NUMBERED = re.compile(r"^(.*?)(\d+)$", re.DOTALL)


class Frames(NamedTuple):
    """Frames of rows, from 0, int64 (N,), -1 where a row has no image; and what is to be said."""

    frame: NDArray[np.int64]
    note: str


def image_numbers(files: Sequence[Path]) -> tuple[int, ...]:
    """The numbers that the images of a folder bear, in their order.

    Empty where these say nothing: they count from 1, or names do not end with ascending numbers
    behind one and the same text.
    """
    found = [_NUMBERED.match(file.stem) for file in files]
    parts = [match.groups() for match in found if match]
    numbers = tuple(int(number) for _, number in parts)
    if len(numbers) < len(files) or len({prefix for prefix, _ in parts}) > 1:
        return ()
    if any(b <= a for a, b in pairwise(numbers)):
        return ()
    return () if numbers == tuple(range(1, len(numbers) + 1)) else numbers


def frames_of(
    numbers: NDArray[np.int64], first: int, images: tuple[int, ...], count: int, path: Path
) -> Frames:
    """Frames that the rows of a file are of.

    The file counts images, from ``first`` on, or it has the numbers of their files. Which of them,
    the numbers say; where they leave it open, nothing is guessed.

    Args:
        numbers: as they stand in the file, int64 (N,).
        first: number of the first frame in files of this format.
        images: of ``image_numbers``.
        count: frames of the sequence; 0 where that is not known.

    Raises:
        DataError: rows are of frames that are not there, or both meanings are possible.
    """
    counted = numbers - first
    if not len(numbers):
        return Frames(counted, "")
    low, high = int(numbers.min()), int(numbers.max())
    fits = low >= first and (not count or high < first + count)
    named = _by_name(numbers, images)
    run = bool(images) and images == tuple(range(images[0], images[0] + len(images)))
    if not images or (run and images[0] == 0 and low >= first):
        if fits:
            return Frames(counted, "")
        raise _beyond(path, low, high, first, images, count)
    inside = named >= 0
    if inside.all():
        note = f"rows are matched with images by the numbers of their files, from {images[0]} on"
        return Frames(named, note)
    if fits and inside.any() and not run:
        raise DataError(
            f"{path}: may count the images, {first} to {first + len(images) - 1}, or mean the "
            f"numbers of their files, {images[0]} to {images[-1]}; rename the images from 1 on, or "
            "leave out rows of images that are not there"
        )
    if inside.any() and not fits:
        left = int((~inside).sum())
        note = (
            f"rows are matched with images by the numbers of their files, {images[0]} to "
            f"{images[-1]}; {left} rows of frames that have no image are left out"
        )
        return Frames(named, note)
    if fits:
        note = (
            f"images are numbered {images[0]} to {images[-1]}, rows from {first} on: they are "
            "matched in their order"
        )
        return Frames(counted, note)
    raise _beyond(path, low, high, first, images, count)


def _by_name(numbers: NDArray[np.int64], images: tuple[int, ...]) -> NDArray[np.int64]:
    if not images:
        return np.full(len(numbers), -1, np.int64)
    known = np.array(images, np.int64)
    at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.where(known[at] == numbers, at, -1)


def _beyond(
    path: Path, low: int, high: int, first: int, images: tuple[int, ...], count: int
) -> DataError:
    if low < first and not images:
        return DataError(f"{path}: has frame {low}; frames count from {first}")
    there = (
        f"images {images[0]} to {images[-1]}"
        if images
        else f"frames {first} to {first + count - 1}"
    )
    wrong = high if high >= first + count else low
    return DataError(
        f"{path}: has frame {wrong}, the sequence has {there}; the file belongs to another "
        "sequence, or images are missing"
    )
