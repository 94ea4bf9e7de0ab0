"""Images of a data set as the networks take them."""

from __future__ import annotations

import numpy as np

from segtrack.base.errors import DataError
from segtrack.dataset import decode_pixels, read_pixels
from segtrack.model.predictions import ImageToPredict


def read_image(row: ImageToPredict) -> np.ndarray:
    """The image as BGR uint8 (H, W, 3), turned as its EXIF data say.

    Raises:
        DataError: it cannot be read, or has another size than the data set says.
    """
    image = read_pixels(row.path)
    if image is None:
        raise DataError(f"{row.path}: not readable as an image; mend or remove it")
    height, width = image.shape[:2]
    if (width, height) != (row.width, row.height):
        raise DataError(
            f"{row.path}: decodes to {width}x{height} px, but the data set says "
            f"{row.width}x{row.height}; prepare the data set again"
        )
    return image


def decode_image(content: bytes, name: str) -> np.ndarray:
    """The image of a file's content, as ``read_image``; ``name`` is for the message.

    Raises:
        DataError: it cannot be read.
    """
    image = decode_pixels(content)
    if image is None:
        raise DataError(f"{name}: not readable as an image")
    return image
