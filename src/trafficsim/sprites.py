"""Things that stand still in front: cut out once, pasted over what is behind them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import Array, Camera

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Sprite:
    """A cut-out.

    Attributes:
        box: Where it lies in the wide background: x0, y0, x1, y1, px.
        colour: uint8 (h, w, 3), already multiplied by its cover.
        rest: uint8 (h, w, 3), 255 minus the cover.
        solid: bool (h, w), where it hides what is behind.
        footprint: x0, x1, z0, z1 on the ground, m.
        depth: Distance from the camera along its axis, m.
    """

    box: Box
    colour: Image
    rest: Image
    solid: Mask
    footprint: tuple[float, float, float, float]
    depth: float

    def paste(self, image: Image, ids: Image | None, dx: int, dy: int) -> None:
        """Lays it over `image` and hides the objects in `ids`, moved by (dx, dy) px."""
        height, width = image.shape[:2]
        x0, y0 = self.box[0] + dx, self.box[1] + dy
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(self.box[2] + dx, width), min(self.box[3] + dy, height)
        if left >= right or top >= bottom:
            return
        inside = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
        view = image[top:bottom, left:right]
        cv2.multiply(view, self.rest[inside], view, 1.0 / 255.0)
        cv2.add(view, self.colour[inside], view)
        if ids is not None:
            np.copyto(ids[top:bottom, left:right], 0, where=self.solid[inside])


def clipped_box(camera: Camera, pixels: Array, room: float) -> Box | None:
    """The box around `pixels` (N, 2) and `room` px, inside of the image; None if outside."""
    (x0, y0), (x1, y1) = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
    left, top = max(floor(x0 - room), 0), max(floor(y0 - room), 0)
    right, bottom = min(ceil(x1 + room), camera.size[0]), min(ceil(y1 + room), camera.size[1])
    if right - left < 2 or bottom - top < 2:
        return None
    return left, top, right, bottom
