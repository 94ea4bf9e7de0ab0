"""Things that stand still in front: cut out once, laid over what is behind them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim.camera import Array, Camera
from trafficsim.textures import Texture, as_texture

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

_NO_IDS: Image = np.zeros((0, 0), np.uint8)
_ALL: Mask = np.zeros((0, 0), np.bool_)


@dataclass(frozen=True)
class Sprite:
    """A cut-out.

    Attributes:
        box: Where it lies in the wide background: x0, y0, x1, y1, px.
        picture: uint8 (h, w, 4), how much it covers of what is behind, as the fourth number,
            and its colours, multiplied by that.
        footprint: x0, x1, z0, z1 on the ground, m.
        depth: Distance from the camera along its axis, m.
    """

    box: Box
    picture: Image
    footprint: tuple[float, float, float, float]
    depth: float

    def paste(self, image: Image) -> None:
        """Lays it over a background, uint8 (H, W, 3)."""
        lay(image, _NO_IDS, _ALL, as_texture(self.picture), self.box[0], self.box[1])

    def cover(self, image: Image, ids: Image, touched: Mask, dx: int, dy: int) -> None:
        """Lays it over what was `touched` (H, W), and hides its `ids`, moved by (dx, dy) px."""
        lay(image, ids, touched, as_texture(self.picture), self.box[0] + dx, self.box[1] + dy)


@compiled
def lay(image: Image, ids: Image, where: Mask, picture: Texture, left: int, top: int) -> None:
    """Lays a picture over an image from pixel (left, top) on, and makes ids 0 that it hides.

    Args:
        image: uint8 (H, W, 3).
        ids: uint8 (H, W), or (0, 0) if there are none.
        where: bool (H, W), which pixels may change, or (0, 0) if all may.
        picture: uint32 (h, w), colours multiplied by the cover, which is the fourth number; half
            of it hides.
        left: px, may be outside.
        top: As `left`.
    """
    height, width = image.shape[:2]
    rows, columns = picture.shape
    first, last = max(-left, 0), min(columns, width - left)
    for i in range(max(-top, 0), min(rows, height - top)):
        for j in range(first, last):
            pixel, y, x = np.int64(picture[i, j]), top + i, left + j
            cover = pixel >> 24
            if cover == 0 or (len(where) and not where[y, x]):
                continue
            rest = 255 - cover
            if rest == 0:
                for c in range(3):
                    image[y, x, c] = pixel >> 8 * c
            else:
                for c in range(3):
                    # divided by 255 and rounded
                    behind = image[y, x, c] * rest + 128
                    behind = (behind + (behind >> 8)) >> 8
                    image[y, x, c] = min((pixel >> 8 * c & 255) + behind, 255)
            if cover > 127 and len(ids):
                ids[y, x] = 0


def clipped_box(camera: Camera, pixels: Array, room: float) -> Box | None:
    """The box around `pixels` (N, 2) and `room` px, inside of the image; None if outside."""
    (x0, y0), (x1, y1) = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
    left, top = max(floor(x0 - room), 0), max(floor(y0 - room), 0)
    right, bottom = min(ceil(x1 + room), camera.size[0]), min(ceil(y1 + room), camera.size[1])
    if right - left < 2 or bottom - top < 2:
        return None
    return left, top, right, bottom
