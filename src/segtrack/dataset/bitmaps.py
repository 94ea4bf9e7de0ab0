"""Masks as pictures in text: what annotation programs put into their JSON."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def png_alpha(text: str) -> NDArray[np.bool_]:
    """The mask (h, w) in a base64 PNG, deflated or not: opaque, or not black.

    Raises:
        ValueError: it is no PNG.
    """
    from PIL import Image

    try:
        data = base64.b64decode(text, validate=False)
        if not data.startswith(b"\x89PNG"):
            data = zlib.decompress(data)  # Supervisely deflates the file once more
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except (ValueError, OSError, zlib.error) as error:
        raise ValueError(f"a mask is no PNG in base64 ({error})") from error
    alpha = pixels[..., 3]
    return np.asarray(alpha > 0 if (alpha < 255).any() else pixels[..., :3].any(axis=-1))


def polygon_with_holes(
    outside: list[float], holes: list[list[float]], height: int, width: int
) -> dict[str, Any]:
    """COCO RLE, of an image of that size, of a flat polygon without the ``holes``."""
    from pycocotools import mask

    area = mask.decode(mask.frPyObjects([outside], height, width))[..., 0]
    for hole in holes:
        if len(hole) >= 6:
            area &= 1 - mask.decode(mask.frPyObjects([hole], height, width))[..., 0]
    encoded = mask.encode(np.asfortranarray(area))
    return {"size": [height, width], "counts": encoded["counts"].decode()}
