"""From an image and boxes to masks, by Segment Anything. Importing this imports ultralytics."""

from __future__ import annotations

from typing import Any

import numpy as np

from segtrack.base.errors import DataError, of_machine
from segtrack.base.rle import encode_box
from segtrack.model.sam.weights import SamWeights
from segtrack.model.ultralytics.sam import sam_predictor

IMGSZ = 1024  # px; what all of the family were trained with
# How many masks are made at once: the network needs 30 MB for each, and each is enlarged to the
# image as float32, which is 16 of 1920x1080 px or one of 6000x4000.
BOXES, PIXELS = 16, 32 * 2**20


class Segmenter:
    """Masks of boxes, by one network of the SAM family."""

    def __init__(self, weights: SamWeights, device: Any = "auto") -> None:
        """Load the network.

        Raises:
            DataError: the file lacks some of its parameters.
        """
        try:
            self.predictor = sam_predictor(weights.network, weights.path, device, IMGSZ)
        except RuntimeError as error:
            if of_machine(error):
                raise
            raise DataError(
                f"model.sam={weights.path}: looks like {weights.network}, but its parameters "
                f"do not fit that network ({' '.join(str(error).split())[:200]}); give a whole "
                "checkpoint"
            ) from error

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> list[bytes | None]:
        """The image is encoded once, for all of its boxes.

        Args:
            image: BGR uint8 (H, W, 3).
            boxes: float (N, 4), x1 y1 x2 y2 in px of the image.

        Returns:
            N COCO RLE ``counts`` at the image's own resolution; None where the mask is empty, or
            nothing of the box lies inside of the image.
        """
        height, width = image.shape[:2]
        inside = np.clip(np.nan_to_num(boxes), 0, [width, height, width, height])
        wanted = np.flatnonzero((inside[:, 2:] > inside[:, :2]).all(1))
        found: list[bytes | None] = [None] * len(boxes)
        if not len(wanted):
            return found
        self.predictor.set_image(image)
        at_once = max(1, min(BOXES, PIXELS // (height * width)))
        for start in range(0, len(wanted), at_once):
            part = wanted[start : start + at_once]
            masks, _ = self.predictor.inference_features(
                self.predictor.features, (height, width), bboxes=inside[part]
            )
            for i, mask in zip(part.tolist(), masks.cpu().numpy(), strict=True):
                if (mask > 0).any():
                    found[i] = encode_box(mask, height, width, (0, 0))
        return found
