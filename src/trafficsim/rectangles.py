"""Pictures of upright rectangles, as machine code: fronts of houses are made of them."""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim.colours import Colour
from trafficsim.textures import Texture

Wear = NDArray[np.float32]

PER_METRE = 16
"""Resolution, px per m."""


class Rectangles:
    """A picture that is drawn in metres, from the lower left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._rectangles: list[tuple[float, ...]] = []

    def rectangle(
        self, x0: float, x1: float, y0: float, y1: float, colour: Colour, own: bool = False
    ) -> None:
        """Fills a rectangle; `own` light does not depend on the light around."""
        self._rectangles.append((x0, x1, y0, y1, *colour, 255.0 if own else 0.0))

    def courses(self, apart: int, colour: Colour) -> None:
        """Lines of a pixel's height from the ground up, `apart` px from each other."""
        for row in range(0, int(self.height * PER_METRE), apart):
            y0, y1 = row / PER_METRE, (row + 1) / PER_METRE
            self.rectangle(0.0, self.width, y0, y1, colour)

    def painted(self, wear: Wear) -> Texture:
        """All that was filled, times `wear` where it has no light of its own."""
        # in half the time of `np.array`
        numbers = np.fromiter(chain.from_iterable(self._rectangles), np.float64)
        all_of = numbers.reshape(-1, 8)
        texture = np.zeros(wear.shape, np.uint32)
        edges = all_of[:, :4] * PER_METRE
        edges[:, 2:] = len(texture) - edges[:, [3, 2]]
        boxes = np.rint(edges).astype(np.int64)
        boxes[:, 1::2] -= 1
        paints = np.rint(all_of[:, 4:]).clip(0, 255).astype(np.uint8).view(np.uint32)[:, 0]
        fill_rectangles(texture, boxes, paints, wear)
        return texture


@compiled
def fill_rectangles(
    texture: Texture, boxes: NDArray[np.int64], paints: Texture, wear: Wear
) -> None:
    """Fills rectangles one after the other, and then wears off what has no light of its own.

    Args:
        texture: uint32 (h, w).
        boxes: int64 (N, 4), the columns and the rows in which they begin and end.
        paints: uint32 (N,), the fourth number above 0 for light of their own.
        wear: float32 (h, w), a factor.
    """
    height, width = texture.shape
    for k in range(len(boxes)):
        # as OpenCV's, what ends before it begins is drawn from its end
        left, right = min(boxes[k, 0], boxes[k, 1]), max(boxes[k, 0], boxes[k, 1])
        top, bottom = min(boxes[k, 2], boxes[k, 3]), max(boxes[k, 2], boxes[k, 3])
        for y in range(max(top, 0), min(bottom, height - 1) + 1):
            for x in range(max(left, 0), min(right, width - 1) + 1):
                texture[y, x] = paints[k]
    for y in range(height):
        _weather(texture[y], wear[y])


@compiled
def _weather(row: Texture, wear: Wear) -> None:
    one, most, half = np.float32(1.0), np.float32(255.0), np.float32(0.5)
    for x in range(len(row)):
        pixel = np.int32(row[x])
        factor = one if pixel >> 24 else wear[x]
        blue = min(np.float32(np.int32(pixel & 255)) * factor, most) + half
        green = min(np.float32(np.int32(pixel >> 8 & 255)) * factor, most) + half
        red = min(np.float32(np.int32(pixel >> 16 & 255)) * factor, most) + half
        own = pixel & -16777216
        row[x] = np.int32(blue) | np.int32(green) << 8 | np.int32(red) << 16 | own
