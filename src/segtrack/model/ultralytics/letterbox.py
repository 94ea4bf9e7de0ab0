"""Images into the input of a network and boxes back, as ultralytics does it, without its import.

An image is scaled to fit, and set in the middle of grey sides (``LetterBox``, ``scale_boxes``).
"""

from __future__ import annotations

import cv2
import numpy as np

Shape = tuple[int, int]  # height, width in px
GREY = 114


def letterbox(image: np.ndarray, size: int | Shape, stride: int | None) -> np.ndarray:
    """A BGR uint8 image (H, W, 3) that just fits into ``size`` px, of a square or (H, W).

    Args:
        stride: px, of which the shorter side becomes a multiple; None fills ``size``.
    """
    height, width = image.shape[:2]
    tall, wide = (size, size) if isinstance(size, int) else size
    gain = min(tall / height, wide / width)
    inner = (max(round(width * gain), 1), max(round(height * gain), 1))
    if inner != (width, height):
        image = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    across, down = wide - inner[0], tall - inner[1]
    if stride is not None:
        across, down = across % stride, down % stride
    left, right = round(across / 2 - 0.1), round(across / 2 + 0.1)
    top, bottom = round(down / 2 - 0.1), round(down / 2 + 0.1)
    grey = (GREY, GREY, GREY)
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=grey)


def boxes_in_image(boxes: np.ndarray, letterboxed: Shape, image: Shape) -> np.ndarray:
    """float32 (N, 4), xyxy in px of the letterboxed image, in px of the image and clipped to it."""
    (inner_height, inner_width), (height, width) = letterboxed, image
    gain = min(inner_height / height, inner_width / width)
    tall, wide = max(round(height * gain), 1), max(round(width * gain), 1)
    left, top = round((inner_width - wide) / 2 - 0.1), round((inner_height - tall) / 2 - 0.1)
    moved = boxes - np.array([left, top, left, top], np.float32)
    gains = np.array([wide / width, tall / height] * 2, np.float32)
    return np.clip(moved / gains, 0, np.array([width, height] * 2, np.float32))
