"""Masks from prototypes, decoded inside their boxes only, and as COCO run lengths.

YOLACT (Bolya et al. 2019, eq. 1): a mask's logits are a linear combination of the image's
prototypes, enlarged bilinearly to the image and cut by the detection's box. Enlarging is linear and
works on each axis by itself, so each pixel of the image is a weighted sum of two to three prototype
pixels per axis, with weights that depend on the shapes alone. That gives what ultralytics'
``process_mask_native`` computes for the whole image, here for the pixels of the box.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from segtrack.base.rle import edges, encode_edges

Shape = tuple[int, int]  # height, width in px
BLOCK = 64  # image px that are enlarged at once


def decode_masks(
    prototypes: torch.Tensor, coefficients: torch.Tensor, boxes: np.ndarray, shape: Shape
) -> list[bytes | None]:
    """COCO RLE ``counts`` of each detection's mask at the image's own resolution.

    Args:
        prototypes: float (C, mh, mw), over the letterboxed input.
        coefficients: float (N, C).
        boxes: float (N, 4), x1 y1 x2 y2 in px of the image, inside it.
        shape: of the image.

    Returns:
        N counts; None where not a single pixel is above zero.
    """
    count, height, width = prototypes.shape
    logits = (coefficients @ prototypes.reshape(count, -1)).reshape(-1, height, width)
    rows, columns = _enlargement((height, width), shape)
    corners = np.ceil(boxes).astype(int)  # a pixel belongs to a box where x1 <= x < x2
    found: list[bytes | None] = []
    for logit, (x1, y1, x2, y2) in zip(logits.cpu().numpy(), corners.tolist(), strict=True):
        if x2 <= x1 or y2 <= y1:
            found.append(None)
            continue
        left, right = columns.span(x1, x2)
        tall = rows.enlarge(logit[:, left:right], y1, y2, 0)
        enlarged = columns.enlarge(tall.T, x1, x2, left)
        places = edges(enlarged.T, shape[0], x1, y1)
        found.append(encode_edges(places, *shape) if len(places) else None)
    return found


class _Axis:
    """Enlargement along the first axis as a product with a banded matrix."""

    def __init__(self, matrix: np.ndarray) -> None:
        """``matrix`` (image px, prototype px)."""
        self.matrix = matrix
        self.first = (matrix != 0).argmax(1)
        self.last = matrix.shape[1] - (matrix[:, ::-1] != 0).argmax(1)

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
def _enlargement(prototypes: Shape, image: Shape) -> tuple[_Axis, _Axis]:
    """The matrices of rows and of columns, by enlarging unit vectors as ultralytics does.

    The letterbox's border lies in the prototypes too. Where it is no whole number of their pixels,
    they are enlarged by 2 or 4 first (ultralytics.utils.ops.process_mask_native, scale_masks).
    """
    (mh, mw), (h, w) = prototypes, image
    gain = min(4 * mh / h, 4 * mw / w)
    pad = (4 * mh - max(round(h * gain), 1)) | (4 * mw - max(round(w * gain), 1))
    factor = 4 // math.gcd(4, pad | pad // 2)
    gain = min(factor * mh / h, factor * mw / w)
    return _axis(mh, h, factor, gain), _axis(mw, w, factor, gain)


def _axis(prototypes: int, image: int, factor: int, gain: float) -> _Axis:
    units = torch.eye(prototypes)[:, None]
    if factor > 1:
        units = _linear(units, factor * prototypes)
    content = max(round(image * gain), 1)
    start = round((factor * prototypes - content) / 2 - 0.1)
    matrix = _linear(units[..., start : start + content], image)[:, 0].T
    return _Axis(matrix.numpy().astype(np.float32))


def _linear(signal: torch.Tensor, size: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(signal, size=size, mode="linear", align_corners=False)
