"""COCO run-length masks, read and written without whole images.

A mask is the lengths of alternating background and foreground runs, background first, down the
columns of the image (pycocotools' ``maskApi.c``: ``rleFrString`` and ``rleToString``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_LONGEST = 7  # digits of a number: 35 bits, for images of up to 2**33 pixels


def run_lengths(counts: bytes) -> np.ndarray:
    """The int64 run lengths that a compressed RLE stands for.

    Every number is a little-endian string of 5-bit digits in characters from ``0`` on; bit 5 says
    that another digit follows, bit 4 of the last one is the sign. From the fourth run on a number
    is the difference to the run before the last.
    """
    digits = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not len(digits):
        return np.zeros(0, np.int64)
    last = np.flatnonzero((digits & 0x20) == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(len(digits)) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((digits & 0x1F) << (5 * place), first)
    negative = (digits[last] & 0x10) != 0
    values -= np.where(negative, np.int64(1) << (5 * (last - first + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def mask_box(runs: np.ndarray, height: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 in whole pixels, ends excluded, around a mask's foreground; zeros if empty."""
    ends = np.cumsum(runs)
    start, end = ends[:-1:2], ends[1::2]
    start, end = start[end > start], end[end > start]
    if not len(start):
        return 0, 0, 0, 0
    first_column, last_column = start // height, (end - 1) // height
    x1, x2 = int(first_column[0]), int(last_column[-1]) + 1
    if (first_column != last_column).any():  # a run that goes on in the next column
        return x1, 0, x2, height
    return x1, int((start % height).min()), x2, int(((end - 1) % height).max()) + 1


def decode_box(runs: np.ndarray, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """The part of a mask inside ``box`` (x1, y1, x2, y2, ends excluded) as bool (y2-y1, x2-x1)."""
    x1, y1, x2, y2 = box
    edges = np.clip(np.concatenate([[0], np.cumsum(runs)]), x1 * height, x2 * height)
    inside = np.arange(len(runs)) % 2 == 1
    columns = np.repeat(inside, np.diff(edges)).reshape(x2 - x1, height)
    return columns[:, y1:y2].T


def encode_box(mask: np.ndarray, height: int, width: int, corner: tuple[int, int]) -> bytes:
    """Compressed RLE of an image of ``height`` x ``width`` that is empty but for ``mask``.

    Args:
        mask: (h, w), above zero where the mask is.
        corner: x, y of its upper left pixel in the image.
    """
    x, y = corner
    return encode_edges(edges(mask, height, x, y), height, width)


def edges(mask: np.ndarray, height: int, x: int, y: int) -> np.ndarray:
    """Where runs start and end, int64, in an image that is empty but for ``mask`` at ``x, y``.

    Pixels are counted down the columns of the image. Arguments as in ``encode_box``.
    """
    h, w = mask.shape
    # A row of zeros ends each column's runs; those of full columns go on in the next column.
    pitch = h if h == height else h + 1
    flat = np.zeros(w * pitch + 2, bool)
    np.greater(mask.T, 0, out=flat[1:-1].reshape(w, pitch)[:, :h])
    found = np.flatnonzero(flat[1:] != flat[:-1])
    column, row = np.divmod(found, pitch)
    places: np.ndarray = (x + column) * height + y + row
    return places


def encode_edges(places: np.ndarray, height: int, width: int) -> bytes:
    """Compressed RLE of an image of that size from where its runs start and end, see ``edges``."""
    return encode_runs(places[::2], places[1::2], [len(places) // 2], height, width)[0]


def encode_runs(
    starts: np.ndarray, ends: np.ndarray, counts: ArrayLike, height: int, width: int
) -> list[bytes]:
    """Compressed RLE of several images of that size, much faster than one by one.

    Args:
        starts, ends: int (M,), first pixel and last pixel + 1 of each run of foreground, counted
            down the columns, image after image.
        counts: (N,), how many runs each image has.
    """
    from segtrack.base.rle_text import DIGITS, write_runs

    runs = np.asarray(counts, np.int64)
    text = np.empty(DIGITS * (2 * len(starts) + len(runs)), np.uint8)
    stops = np.zeros(len(runs) + 1, np.int64)
    first, last = (np.ascontiguousarray(side, np.int64) for side in (starts, ends))
    write_runs(first, last, runs, height * width, text, stops[1:])
    whole = text[: stops[-1]].tobytes()
    return [whole[begin:end] for begin, end in pairwise(stops.tolist())]


def pixels(counts: bytes) -> int:
    """How many pixels a mask has."""
    from segtrack.base.rle_kernels import area

    return area(np.frombuffer(counts, np.uint8))


def disjoint(
    masks: Sequence[bytes | None], order: Sequence[int], height: int, width: int
) -> list[bytes | None]:
    """Give each pixel to the first mask in ``order`` that has it.

    Args:
        masks: compressed RLE of ``height`` x ``width`` pixels, or None.
        order: their positions, the one that gives nothing away first.

    Returns:
        What is left of each; None for nothing. Masks that lose nothing keep their very bytes.
    """
    from segtrack.base.rle_kernels import cut_out, extents

    rle = list(masks)
    there = [i for i in order if rle[i] is not None]
    texts = [counts for i in there if (counts := rle[i]) is not None]
    stops = np.cumsum(np.array([len(text) for text in texts], np.int64))
    box = extents(np.frombuffer(b"".join(texts), np.uint8), stops, height)
    first = np.maximum(box[:, None, :2], box[None, :, :2])  # of what two share, x and y
    last = np.minimum(box[:, None, 2:], box[None, :, 2:])
    before, after = np.nonzero(np.triu((first < last).all(2), 1))
    decoded: dict[int, np.ndarray] = {}

    def mask(at: int) -> np.ndarray:
        if at not in decoded:
            columns, _, _ = cut_out(np.frombuffer(texts[at], np.uint8), height)
            decoded[at] = columns.view(bool).T
        return decoded[at]

    for at in np.unique(after).tolist():
        own = mask(at).copy()
        x, y = box[at, :2].tolist()
        for other in before[after == at].tolist():
            (x1, y1), (x2, y2) = first[at, other].tolist(), last[at, other].tolist()
            other_x, other_y = box[other, :2].tolist()
            theirs = mask(other)[y1 - other_y : y2 - other_y, x1 - other_x : x2 - other_x]
            own[y1 - y : y2 - y, x1 - x : x2 - x] &= ~theirs
        if own.sum() < mask(at).sum():
            rle[there[at]] = encode_box(own, height, width, (x, y)) if own.any() else None
    return rle


def compressed(segmentation: dict[str, Any], width: int, height: int) -> bytes:
    """The compressed ``counts`` of a COCO RLE, compressed or not, for an image of this size.

    Read with care: pycocotools trusts what it is given and reads beyond it.

    Raises:
        ValueError: it is not an RLE, or one of another size; the message says what.
    """
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise ValueError(f"its RLE has size {size}, the image has [{height}, {width}]")
    if isinstance(counts, list):
        if not all(isinstance(c, int) and c >= 0 for c in counts):
            raise ValueError("its RLE counts are not whole numbers from 0")
        covered = sum(counts)
    elif isinstance(counts, str):
        covered = int(checked_run_lengths(counts).sum())
    else:
        raise ValueError(f"its RLE counts are {counts!r:.40}, not a list or a string")
    if covered != width * height:
        raise ValueError(f"its RLE covers {covered} pixels, the image has {width * height}")
    if isinstance(counts, str):
        return counts.encode()
    from pycocotools import mask as coco

    return bytes(coco.frPyObjects({"size": size, "counts": counts}, height, width)["counts"])


def checked_run_lengths(counts: str) -> np.ndarray:
    """As ``run_lengths``, of text that someone else wrote.

    Raises:
        ValueError: not such a text; the message says what is wrong.
    """
    codes = np.frombuffer(counts.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
    wrong = np.flatnonzero((codes < 48) | (codes >= 48 + 64))
    if len(wrong):
        raise ValueError(f"its RLE holds the character {counts[wrong[0]]!r}")
    last = np.flatnonzero(((codes - 48) & 0x20) == 0)
    if len(codes) and (not len(last) or last[-1] != len(codes) - 1):
        raise ValueError("its RLE ends in the middle of a number")
    longest = int(np.diff(last, prepend=-1).max(initial=0))
    if longest > _LONGEST:
        raise ValueError(f"its RLE has a number of {longest} digits")
    runs = run_lengths(counts.encode())
    if (runs < 0).any():
        raise ValueError("its RLE has a run of negative length")
    if (runs >= 1 << 32).any():  # which pycocotools does not hold, and sums of which may overflow
        raise ValueError("its RLE has a run of more than 2^32 pixels")
    return runs
