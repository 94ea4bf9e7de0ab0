"""COCO's compressed text of many masks at once; importing this module imports numba."""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled

DIGITS = 7  # of a run, at most: 35 bits


@compiled
def write_runs(
    starts: np.ndarray,
    ends: np.ndarray,
    counts: np.ndarray,
    size: int,
    text: np.ndarray,
    stops: np.ndarray,
) -> None:
    """Write each mask's text behind the last one's (pycocotools' ``rleToString``).

    Args:
        starts, ends: int64 (M,), first pixel and last pixel + 1 of each run, mask after mask.
        counts: int64 (N,), runs of each mask. size: pixels of an image.
        text: uint8, filled; ``DIGITS * (2 * M + N)`` are enough. stops: int64 (N,), filled.
    """
    at = first = 0
    before = np.zeros(2, np.int64)  # the two numbers before
    for mask in range(len(counts)):
        runs = counts[mask]
        full = runs > 0 and ends[first + runs - 1] == size
        place = 0
        for number in range(2 * runs if full else 2 * runs + 1):
            edge = size
            if number < 2 * runs:
                run = first + number // 2
                edge = ends[run] if number % 2 else starts[run]
            value = edge - place
            place = edge
            rest = value - before[number % 2] if number > 2 else value
            before[number % 2] = value
            more = True
            while more:
                digit = rest & 0x1F
                rest >>= 5
                more = rest != -1 if digit & 0x10 else rest != 0
                text[at] = 48 + (digit | 0x20 if more else digit)
                at += 1
        first += runs
        stops[mask] = at
