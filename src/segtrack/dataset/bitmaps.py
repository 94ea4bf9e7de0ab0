"""Masks as pictures in text: what annotation programs put into their JSON."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtrack.base import rle

_BEYOND = 2  # px that a mask may be larger than its image


def png_alpha(text: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (h, w) in a base64 PNG, deflated or not: opaque, or not black.

    Args:
        text: the PNG, or a URL that holds it (``data:image/png;base64,``).
        size: width and height of its image, px.

    Raises:
        ValueError: it is no PNG, or one that is larger than its image.
    """
    from PIL import Image

    width, height = size
    try:
        data = base64.b64decode(text.rpartition(",")[2], validate=False)
        if not data.startswith(b"\x89PNG"):
            # Supervisely deflates the file once more: 16 bits in four channels at the most.
            data = zlib.decompressobj().decompress(data, 8 * (width + 8) * (height + 8) + 65536)
        with Image.open(io.BytesIO(data)) as image:
            if image.width > width + _BEYOND or image.height > height + _BEYOND:
                raise ValueError(f"{image.width} x {image.height} pixels on {width} x {height}")
            pixels = np.asarray(image.convert("RGBA"))
    # A PNG that is cut off or damaged ends in a SyntaxError; ultralytics, once imported, makes
    # Pillow ask for the package of another format.
    except (
        *(ValueError, OSError, SyntaxError, ImportError, zlib.error),
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(f"a mask is no PNG in base64 ({error})") from error
    alpha = pixels[..., 3]
    return np.asarray(alpha > 0 if (alpha < 255).any() else pixels[..., :3].any(axis=-1))


def mask_at(
    pixels: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]
) -> dict[str, Any]:
    """COCO RLE of a mask in its image; what reaches out of the image is cut off.

    Args:
        pixels: bool (h, w).
        corner: x, y of its upper left pixel.
        size: width and height of the image, px.
    """
    (x, y), (width, height) = corner, size
    pixels = pixels[max(0, -y) : max(0, height - y), max(0, -x) : max(0, width - x)]
    counts = rle.encode_box(pixels, height, width, (max(0, x), max(0, y)))
    return {"size": [height, width], "counts": counts.decode()}


def mask_png(pixels: NDArray[np.bool_]) -> bytes:
    """A PNG of one bit a pixel, white on black, which ``png_alpha`` and the programs read."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8) * 255).convert("1").save(out, "PNG")
    return out.getvalue()


def polygon_with_holes(
    outside: list[float], holes: list[list[float]], height: int, width: int
) -> dict[str, Any]:
    """COCO RLE, of an image of that size, of a flat polygon without the ``holes``."""
    from pycocotools import mask

    area = mask.decode(mask.frPyObjects([outside], height, width))[..., 0]
    holes = [hole for hole in holes if len(hole) >= 6]
    if holes:
        area &= 1 - mask.decode(mask.merge(mask.frPyObjects(holes, height, width)))
    encoded = mask.encode(np.asfortranarray(area))
    return {"size": [height, width], "counts": encoded["counts"].decode()}
