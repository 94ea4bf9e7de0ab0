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

_LARGEST = 1 << 53  # what is more is no number but a name
_NUMBERED = re.compile(r"^(.*?)(\d+)$", re.DOTALL)


class Frames(NamedTuple):
    """Frames of rows, from 0, int64 (N,), -1 where a row has no image; and what is to be said."""

    frame: NDArray[np.int64]
    note: str


def image_numbers(files: Sequence[Path]) -> tuple[int, ...]:
    """The numbers that the images of a folder bear, in their order.

    Empty where these say nothing: they count from 1, or names have no ascending numbers behind one
    and the same text, as the only numbers that differ, or before all else.
    """
    stems = [file.stem for file in files]
    for numbers in (_at_the_end(stems), _that_differ(stems), _at_the_begin(stems)):
        if (
            len(numbers) == len(stems)
            and max(numbers, default=0) < _LARGEST
            and all(b > a for a, b in pairwise(numbers))
        ):
            return () if numbers == tuple(range(1, len(numbers) + 1)) else numbers
    return ()


def numbers_of(names: Sequence[str]) -> tuple[int, ...]:
    """The numbers that names without suffixes bear, whatever their order, all different.

    Empty where names have no such numbers behind one and the same text, or as all that differs.
    """
    for numbers in (_at_the_end(names), _that_differ(names)):
        if len(set(numbers)) == len(names) and max(numbers, default=0) < _LARGEST:
            return numbers
    return ()


def _at_the_end(stems: Sequence[str]) -> tuple[int, ...]:
    """Of ``frame_000051``."""
    found = [match.groups() for match in map(_NUMBERED.match, stems) if match]
    return tuple(int(n) for _, n in found) if len({text for text, _ in found}) == 1 else ()


def _that_differ(stems: Sequence[str]) -> tuple[int, ...]:
    """Of ``000051_cam2``."""
    parts = [re.split(r"([0-9]+)", stem) for stem in stems]
    if not parts or len({len(part) for part in parts}) > 1:
        return ()
    columns = list(zip(*parts, strict=True))
    differing = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(differing) != 1 or differing[0] % 2 == 0:
        return ()
    return tuple(int(text) for text in columns[differing[0]])


def _at_the_begin(stems: Sequence[str]) -> tuple[int, ...]:
    """Of ``000051_jpg.rf.8a1c``."""
    found = [match for match in (re.match("[0-9]+", stem) for stem in stems) if match]
    return tuple(int(match[0]) for match in found)


def first_mask_frame(numbers: NDArray[np.int64], name: str, count: int) -> int:
    """Number of the first frame in a file of masks: 0 in KITTI-MOTS, 1 in MOTSChallenge.

    Args:
        numbers: of its rows' frames, int64 (N,).
        name: of the sequence; MOTSChallenge's begin with MOTS.
        count: frames of the sequence; 0 where that is not known.
    """
    if not len(numbers) or numbers.min() < 1:
        return 0
    ends_there = bool(count) and int(numbers.max()) == count
    return 1 if ends_there or re.match(r"MOTS(20)?-", name, re.IGNORECASE) else 0


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
        raise _beyond(path, numbers, first, images, count)
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
    raise _beyond(path, numbers, first, images, count)


def _by_name(numbers: NDArray[np.int64], images: tuple[int, ...]) -> NDArray[np.int64]:
    if not images:
        return np.full(len(numbers), -1, np.int64)
    known = np.array(images, np.int64)
    at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.where(known[at] == numbers, at, -1)


def _beyond(
    path: Path, numbers: NDArray[np.int64], first: int, images: tuple[int, ...], count: int
) -> DataError:
    low, high = int(numbers.min()), int(numbers.max())
    if low < first and not images:
        return DataError(
            f"{_place(path, numbers, low)}: has frame {low}; frames count from {first}"
        )
    there = (
        f"images {images[0]} to {images[-1]}"
        if images
        else f"frames {first} to {first + count - 1}"
    )
    wrong = high if high >= first + count else low
    return DataError(
        f"{_place(path, numbers, wrong)}: has frame {wrong}, the sequence has {there}; the file "
        "belongs to another sequence, or images are missing"
    )


def _place(path: Path, numbers: NDArray[np.int64], wrong: int) -> str:
    """The file and the line of the first row of this frame; blank lines have no row."""
    if not path.is_file():
        return str(path)
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    row = int(np.argmax(numbers == wrong))
    return f"{path}, line {filled[row]}" if row < len(filled) else str(path)
