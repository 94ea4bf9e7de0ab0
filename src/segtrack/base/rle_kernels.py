"""Masks out of their run lengths, compiled: for every object of every frame."""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled


@compiled
def _runs(counts: np.ndarray) -> np.ndarray:
    """The run lengths of a compressed COCO RLE, int64; no negative ones of what is no valid mask,
    so that nothing is written outside."""
    runs = np.zeros(len(counts), np.int64)
    count, place, value = 0, 0, 0
    for code in counts:
        digit = int(code) - 48
        value |= (digit & 0x1F) << (5 * place)
        place += 1
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << (5 * place)
        runs[count] = value
        if count > 2:
            runs[count] += runs[count - 2]
        runs[count] = max(runs[count], 0)
        count, place, value = count + 1, 0, 0
    return runs[:count]


@compiled
def _box(runs: np.ndarray, height: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of ``mask_box``."""
    end, x1, x2, y1, y2 = 0, -1, 0, height, 0
    for i in range(len(runs)):
        start = end
        end += runs[i]
        if i % 2 and end > start:
            first, last = start // height, (end - 1) // height
            x1 = first if x1 < 0 else x1
            x2 = last + 1
            y1 = min(y1, start % height if first == last else 0)
            y2 = max(y2, (end - 1) % height + 1 if first == last else height)
    return (0, 0, 0, 0) if x1 < 0 else (x1, y1, x2, y2)


@compiled
def cut_out(counts: np.ndarray, height: int) -> tuple[np.ndarray, int, int]:
    """The same as ``run_lengths``, ``mask_box`` and ``decode_box`` of ``segtrack.base.rle``.

    Args:
        counts: compressed COCO RLE, uint8. height: of the image, px.

    Returns:
        The mask inside its own extent, column after column as the runs go, uint8 0 or 1 (w, h),
        and the x, y of its upper left pixel; (0, 0) where it is empty.
    """
    runs = _runs(counts)
    x1, y1, x2, y2 = _box(runs, height)
    if x1 == x2:
        return np.zeros((0, 0), np.uint8), 0, 0
    mask = np.zeros((x2 - x1, y2 - y1), np.uint8)
    end = 0
    for i in range(len(runs)):
        start = end
        end += runs[i]
        if i % 2:
            while start < end:
                x, y = start // height, start % height
                length = min(end - start, height - y)
                mask[x - x1, y - y1 : y - y1 + length] = 1
                start += length
    return mask, x1, y1


@compiled
def extents(counts: np.ndarray, stops: np.ndarray, height: int) -> np.ndarray:
    """The same as ``mask_box`` of ``segtrack.base.rle`` of several masks.

    Args:
        counts: compressed COCO RLE, uint8, mask after mask. stops: int64 (N,), where each ends.
        height: of the image, px.

    Returns:
        int64 (N, 4).
    """
    boxes = np.empty((len(stops), 4), np.int64)
    start = 0
    for i in range(len(stops)):
        boxes[i] = _box(_runs(counts[start : stops[i]]), height)
        start = stops[i]
    return boxes


@compiled
def area(counts: np.ndarray) -> int:
    """How many pixels a mask has."""
    total: int = _runs(counts)[1::2].sum()
    return total
