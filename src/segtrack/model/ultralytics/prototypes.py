"""Masks from prototypes, decoded inside their boxes only, and as COCO run lengths.

YOLACT (Bolya et al. 2019, eq. 1): a mask's logits are a linear combination of the image's
prototypes, enlarged bilinearly to the image and cut by the detection's box. Enlarging is linear and
works on each axis by itself, so each pixel of the image is a weighted sum of two to three prototype
pixels per axis, with weights that depend on the shapes alone. That gives what ultralytics'
``process_mask_native`` computes for the whole image, here for the pixels of the box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from segtrack.base.rle import encode_runs
from segtrack.model.ultralytics.mask_kernel import mask_edges

Shape = tuple[int, int]  # height, width in px
BLOCK = 64  # image px that are enlarged at once


def decode_masks(
    prototypes: np.ndarray, coefficients: np.ndarray, boxes: np.ndarray, shape: Shape
) -> list[bytes | None]:
    """COCO RLE ``counts`` of each detection's mask at the image's own resolution.

    Args:
        prototypes: float32 (C, mh, mw), over the letterboxed input.
        coefficients: float32 (N, C).
        boxes: float (N, 4), x1 y1 x2 y2 in px of the image, inside it.
        shape: of the image.

    Returns:
        N counts; None where not a single pixel is above zero.
    """
    prototypes, coefficients = map(np.ascontiguousarray, (prototypes, coefficients))
    rows, columns = enlargement(prototypes.shape[1:], shape)
    corners = np.ceil(boxes).astype(int)  # a pixel belongs to a box where x1 <= x < x2
    found: list[np.ndarray] = []
    for weights, (x1, y1, x2, y2) in zip(coefficients, corners.tolist(), strict=True):
        empty = x2 <= x1 or y2 <= y1
        found.append(
            np.zeros(0, np.int64)
            if empty
            else mask_edges(weights, prototypes, rows.parts, columns.parts, (x1, y1, x2, y2))
        )
    places = np.concatenate(found) if found else np.zeros(0, np.int64)
    return counts_of(places, [len(one) // 2 for one in found], shape)


def counts_of(places: np.ndarray, runs: Sequence[int], shape: Shape) -> list[bytes | None]:
    """COCO RLE ``counts`` of masks from where their runs start and end; None for an empty one.

    Args:
        places: int64 (2 M,), see ``base.rle.edges``; mask after mask.
        runs: of each mask.
    """
    texts = encode_runs(places[::2], places[1::2], runs, *shape)
    return [text if count else None for text, count in zip(texts, runs, strict=True)]


class Axis:
    """Enlargement along the first axis as a product with a banded matrix."""

    def __init__(self, matrix: np.ndarray) -> None:
        """``matrix`` (image px, prototype px)."""
        self.matrix = matrix
        self.first = (matrix != 0).argmax(1)
        self.last = matrix.shape[1] - (matrix[:, ::-1] != 0).argmax(1)

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As ``mask_edges`` takes it."""
        return self.matrix, self.first, self.last

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """First and last + 1 of the prototype pixels that image pixels start..stop-1 depend on."""
        return int(self.first[start]), int(self.last[stop - 1])

    def enlarge(self, signal: np.ndarray, start: int, stop: int, origin: int) -> np.ndarray:
        """Image pixels start..stop-1 of ``signal`` (n, m), whose first row is prototype ``origin``.

        In blocks, of which each needs few prototype pixels. Those products are also too small for a
        BLAS to wake other threads, and to wait for them, at every mask.

        Returns:
            float32 (stop - start, m).
        """
        total = np.empty((stop - start, signal.shape[1]), np.float32)
        for begin in range(start, stop, BLOCK):
            end = min(begin + BLOCK, stop)
            low, high = self.span(begin, end)
            block = signal[low - origin : high - origin]
            np.matmul(
                self.matrix[begin:end, low:high], block, out=total[begin - start : end - start]
            )
        return total


@lru_cache(maxsize=64)
def enlargement(prototypes: Shape, image: Shape) -> tuple[Axis, Axis]:
    """The matrices of rows and of columns, by enlarging unit vectors as ultralytics does.

    The letterbox's border lies in the prototypes too. Where it is no whole number of their pixels,
    they are enlarged by 2 or 4 first (ultralytics.utils.ops.process_mask_native, scale_masks).
    """
    (mh, mw), (h, w) = prototypes, image
    gain = min(4 * mh / h, 4 * mw / w)
    pad = (4 * mh - max(round(h * gain), 1)) | (4 * mw - max(round(w * gain), 1))
    factor = 4 // math.gcd(4, pad | pad // 2)
    gain = min(factor * mh / h, factor * mw / w)
    return axis(mh, h, factor, gain), axis(mw, w, factor, gain)


def axis(prototypes: int, image: int, factor: int, gain: float) -> Axis:
    """The matrix of one axis: of its lengths in prototypes and in the image, px.

    Args:
        factor: by which prototypes are enlarged first.
        gain: prototypes so enlarged per px of the image.
    """
    units = np.eye(prototypes, dtype=np.float32)
    if factor > 1:
        units = _linear(units, factor * prototypes)
    content = max(round(image * gain), 1)
    start = round((factor * prototypes - content) / 2 - 0.1)
    return Axis(_linear(units[:, start : start + content], image).T)


def _linear(signal: np.ndarray, size: int) -> np.ndarray:
    """float32 (n, size) of (n, length), as ``torch.nn.functional.interpolate`` with ``linear``.

    To its last digit on a CPU that multiplies and adds at once, by rounding where it rounds.
    """
    last = signal.shape[1] - 1
    scale = float(np.float32(last + 1) / np.float32(size))
    places = np.maximum((np.arange(size) + 0.5) * scale - 0.5, 0).astype(np.float32)
    low = np.minimum(places.astype(int), last)
    weights = places - low.astype(np.float32)
    second = signal[:, np.minimum(low + 1, last)] * weights
    first = signal[:, low].astype(float) * (np.float32(1) - weights)
    enlarged: np.ndarray = (first + second).astype(np.float32)
    return enlarged
