"""Masks of many images at once, enlarged where the network computes; only run lengths' ends leave.

The same sums as ``prototypes.decode_masks`` has, for the pixels of all boxes of a batch in one row:
box after box, in a box column after column. So the number of operations does not grow with the
masks, and a card is kept busy. It runs on any device; on a CPU the other way is faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from segtrack.model.ultralytics.prototypes import Axis, Shape, counts_of, enlargement

MOST_PIXELS = 1 << 23  # of boxes, or of prototypes, at once: about 0.5 GB of the card's memory


class Masks(NamedTuple):
    """What the masks of one image are made of.

    Attributes:
        prototypes: (C, mh, mw), over the letterboxed input. coefficients: (N, C).
        boxes: float (N, 4), x1 y1 x2 y2 in px of the image, inside it.
    """

    prototypes: torch.Tensor
    coefficients: torch.Tensor
    boxes: np.ndarray


def decode_batch(images: Sequence[Masks], shape: Shape) -> list[list[bytes | None]]:
    """COCO RLE ``counts`` of all masks of images of one shape, as ``decode_masks`` has them.

    Args:
        images: with prototypes of one shape, on one device.
        shape: of the images, (H, W).
    """
    found: list[bytes | None] = []
    size = images[0].prototypes[0].numel() if images else 1
    logits = torch.cat([_logits(image) for image in images]) if images else torch.zeros(0)
    boxes = [np.ceil(image.boxes).astype(np.int64).reshape(-1, 4) for image in images]
    for part, corners in _parts(np.concatenate(boxes), max(size, 1)) if boxes else ():
        places, runs = _edges(logits[part], corners, shape)
        found += counts_of(places, runs.tolist(), shape)
    rest = iter(found)
    return [[next(rest) for _ in one] for one in boxes]


def _logits(image: Masks) -> torch.Tensor:
    count, height, width = image.prototypes.shape
    flat = image.prototypes.float().reshape(count, -1)
    return (image.coefficients.float() @ flat).reshape(-1, height, width)


def _parts(corners: np.ndarray, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Boxes that are worked on at once: of few pixels, but one at least."""
    sides = (corners[:, 2:] - corners[:, :2]).clip(0)
    ends = np.cumsum(np.maximum(sides.prod(1), size))
    start = 0
    while start < len(corners):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + MOST_PIXELS, "right")))
        yield slice(start, stop), corners[start:stop]
        start = stop


def _edges(
    logits: torch.Tensor, corners: np.ndarray, shape: Shape
) -> tuple[np.ndarray, np.ndarray]:
    """Where runs start and end, int64 (2 M,), mask after mask; and how many each has, (N,)."""
    device = logits.device
    n, mh, mw = logits.shape
    rows, columns = _bands((mh, mw), shape, device)
    x1, y1, x2, y2 = corners.T
    height, width = (y2 - y1).clip(0), (x2 - x1).clip(0)
    width[height == 0] = 0
    left = columns.axis.first[np.minimum(x1, shape[1] - 1)]
    across = np.where(width > 0, columns.axis.last[np.maximum(x2 - 1, 0)] - left, 0)
    full = height == shape[0]  # their runs go on in the next column
    table = torch.from_numpy(np.stack([x1, y1, height, left, full])).to(device)
    # First down the columns of prototypes that a box needs, then across its own columns.
    box, column, row, starts = _cells(table[2], height * across)
    at = table[1][box] + row
    place = box * (mh * mw) + table[3][box] + column
    tall = rows.sum(logits.reshape(-1), at, lambda step: place + step * mw)
    box, column, row, _ = _cells(table[2], height * width)
    base, down = starts[box] + row - table[3][box] * table[2][box], table[2][box]
    x = table[0][box] + column
    inside = columns.sum(tall, x, lambda step: base + step * down) > 0
    breaks = (row == 0) & ((table[4][box] == 0) | (column == 0))
    pixel = x * shape[0] + table[1][box] + row
    edge = torch.ones(1, dtype=torch.bool, device=device)
    begins = inside & (breaks | ~torch.cat((~edge, inside[:-1])))
    finishes = inside & (torch.cat((breaks[1:], edge)) | ~torch.cat((inside[1:], ~edge)))
    begin = begins.nonzero()[:, 0]
    pairs = torch.stack((pixel[begin], pixel[finishes] + 1, box[begin])).cpu().numpy()
    return pairs[:2].T.reshape(-1), np.bincount(pairs[2], minlength=n)


def _cells(
    height: torch.Tensor, count: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The cells of tables that lie one behind the other, each column after column.

    Args:
        height: (N,) rows of each. count: int64 (N,), cells of each.

    Returns:
        Of each cell its table, column and row; and where each table starts, (N,).
    """
    device, total = height.device, int(count.sum())
    counts = torch.from_numpy(count).to(device)
    starts = torch.from_numpy(np.cumsum(count) - count).to(device)
    number = torch.arange(len(count), device=device)
    table = number.repeat_interleave(counts, output_size=total)
    within = torch.arange(total, device=device) - starts[table]
    column = within // height[table]
    return table, column, within - column * height[table], starts


class _Band:
    """The matrix of one axis, of which each row has a few weights side by side."""

    def __init__(self, axis: Axis, device: torch.device) -> None:
        self.axis = axis
        steps = np.arange(int((axis.last - axis.first).max()))
        # Beyond its last weight a row is given the last one's place and no weight.
        places = np.minimum(axis.first[:, None] + steps, axis.last[:, None] - 1)
        weights = np.take_along_axis(axis.matrix, places, 1)
        weights[axis.first[:, None] + steps >= axis.last[:, None]] = 0
        self.places = torch.from_numpy(places.T.copy()).to(device)
        self.weights = torch.from_numpy(weights.T.copy()).to(device)

    def sum(self, values: torch.Tensor, at: torch.Tensor, place: Any) -> torch.Tensor:
        """Weighted sums for the rows ``at``; ``place`` says where a step's value lies."""
        total = torch.zeros(len(at), device=values.device)
        for places, weights in zip(self.places, self.weights, strict=True):
            total += weights[at] * values[place(places[at])]
        return total


@lru_cache(maxsize=64)
def _bands(prototypes: Shape, image: Shape, device: torch.device) -> tuple[_Band, _Band]:
    rows, columns = enlargement(prototypes, image)
    return _Band(rows, device), _Band(columns, device)
