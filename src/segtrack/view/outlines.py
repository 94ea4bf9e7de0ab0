"""Masks as outlines that a browser draws at any size."""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.base.rle_kernels import cut_out

_NEAR = 0.6  # px by which an outline may leave the mask's own border


def outlines(counts: bytes, height: int) -> list[list[float]]:
    """Rings of a mask, each as x, y, x, y, ... in px, holes as rings of their own (even-odd rule).

    They run along the centres of the outermost pixels, and of points that are no farther than .6 px
    from a straight line only the ends are kept.

    Args:
        counts: compressed COCO RLE.
        height: of the image, px.
    """
    import cv2

    columns, x, y = cut_out(np.frombuffer(counts, np.uint8), height)
    if not columns.size:
        return []
    pixels = np.ascontiguousarray(columns.T)
    found, _ = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    corner = np.array([x + 0.5, y + 0.5])
    rings = []
    for contour in found:
        ring = cv2.approxPolyDP(contour, _NEAR, True)[:, 0] + corner
        if len(ring) < 3:  # one pixel wide: a box around it
            (x1, y1), (x2, y2) = ring.min(0) - 0.5, ring.max(0) + 0.5
            ring = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
        rings.append(ring.ravel().tolist())
    return rings


@compiled
def is_whole(counts: np.ndarray, pixels: int) -> bool:
    """Whether text that someone else wrote is a compressed COCO RLE of an image of that size.

    Args:
        counts: uint8, its characters.
    """
    place, value, count, total = 0, 0, 0, 0
    before = np.zeros(2, np.int64)
    for code in counts:
        digit = int(code) - 48
        if digit < 0 or digit > 63 or place > 6:
            return False
        value |= (digit & 0x1F) << (5 * place)
        place += 1
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << (5 * place)
        run = value + before[count % 2] if count > 2 else value
        if run < 0 or run > pixels:
            return False
        before[count % 2] = run
        total += run
        count, place, value = count + 1, 0, 0
    return place == 0 and total == pixels
