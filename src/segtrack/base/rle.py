"""COCO run-length masks without decoding whole images.

A mask is the lengths of alternating background and foreground runs, background first, down the
columns of the image (pycocotools' ``maskApi.c``: ``rleFrString`` and ``rleToString``).
"""

from __future__ import annotations

import numpy as np


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
        mask: bool (h, w).
        corner: x, y of its upper left pixel in the image.
    """
    from pycocotools import mask as coco_mask

    x, y = corner
    slab = np.zeros((mask.shape[1], height), np.int8)
    slab[:, y : y + mask.shape[0]] = mask.T
    flat = slab.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=0, append=0)) + x * height
    changes = changes[changes < height * width]
    runs = np.diff(changes, prepend=0, append=height * width).tolist()
    coded = coco_mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return bytes(coded["counts"])
