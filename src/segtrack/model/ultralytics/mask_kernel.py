"""One mask out of the prototypes, compiled: only what its box needs is computed.

The sums are those of a matrix product that adds term after term with one rounding for each, where
the CPU can do that, so that they are equal to a BLAS's whichever part of them is computed.
"""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled_fused


@compiled_fused
def mask_edges(
    coefficients: np.ndarray,
    prototypes: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    columns: tuple[np.ndarray, np.ndarray, np.ndarray],
    box: tuple[int, int, int, int],
) -> np.ndarray:
    """Where the runs of a mask start and end, int64, as ``base.rle.edges`` has it.

    Args:
        coefficients: float32 (C,). prototypes: float32 (C, mh, mw).
        rows, columns: of an ``Axis``, its matrix (image px, prototype px) and the first and
            last + 1 prototype px of each image px.
        box: x1, y1, x2, y2, whole px of the image, ends excluded, inside it and not empty.
    """
    down, first_row, last_row = rows
    across, first_column, last_column = columns
    x1, y1, x2, y2 = box
    top, bottom = first_row[y1], last_row[y2 - 1]
    left, right = first_column[x1], last_column[x2 - 1]
    logits = np.zeros((right - left, bottom - top), np.float32)
    for c in range(len(coefficients)):
        weight = coefficients[c]
        for i in range(top, bottom):
            for j in range(left, right):
                logits[j - left, i - top] += weight * prototypes[c, i, j]
    height, tall = len(down), y2 - y1
    enlarged = np.zeros((right - left, tall), np.float32)
    for y in range(y1, y2):
        for i in range(first_row[y], last_row[y]):
            weight = down[y, i]
            for j in range(right - left):
                enlarged[j, y - y1] += weight * logits[j, i - top]
    places = np.empty((x2 - x1) * (tall + 1) + 1, np.int64)
    count, inside = 0, False
    line = np.empty(tall, np.float32)
    for x in range(x1, x2):
        line[:] = 0
        for j in range(first_column[x], last_column[x]):
            weight = across[x, j]
            for y in range(tall):
                line[y] += weight * enlarged[j - left, y]
        start = x * height + y1
        for y in range(tall):
            if (line[y] > 0) != inside:
                inside = not inside
                places[count] = start + y
                count += 1
        if inside and (tall < height or x == x2 - 1):  # else it goes on in the next column
            inside = False
            places[count] = start + tall
            count += 1
    return places[:count].copy()
