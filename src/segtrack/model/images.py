"""Images of a data set as the networks take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError
from segtrack.model.predictions import ImageToPredict


def read_image(row: ImageToPredict) -> np.ndarray:
    """The image as BGR uint8 (H, W, 3), turned as its EXIF data say.

    Raises:
        DataError: it cannot be read, or has another size than the data set says.
    """
    image = decode_image(row.path)
    if image is None:
        raise DataError(f"{row.path}: not readable as an image; mend or remove it")
    height, width = image.shape[:2]
    if (width, height) != (row.width, row.height):
        raise DataError(
            f"{row.path}: decodes to {width}x{height} px, but the data set says "
            f"{row.width}x{row.height}; prepare the data set again"
        )
    return image


def decode_image(path: Path) -> np.ndarray | None:
    """BGR uint8 (H, W, 3), or None. What ultralytics reads too, of TIFFs with more than 8 bits or
    with alpha as well, so that training and prediction see the same pixels."""
    import cv2

    try:
        data = np.fromfile(path, np.uint8)  # a path of any characters, on any system
        if not data.size:
            return None
        if path.suffix.lower() in (".tif", ".tiff"):
            read, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED)
            if read and pages[0].ndim == 3:
                image: np.ndarray = pages[0][..., :3]
                return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
        return cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
