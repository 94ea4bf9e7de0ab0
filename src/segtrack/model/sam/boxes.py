"""Masks of boxes in image files, as a data set asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segtrack.model.images import read_image
from segtrack.model.sam.weights import SamWeights


class _Row(NamedTuple):
    image_id: int
    path: Path
    width: int
    height: int


def masks_of_boxes(
    weights: SamWeights, device: Any
) -> Callable[[Path, int, int, NDArray[np.float64]], list[bytes | None]]:
    """A function of an image file, its width and height, and boxes float (N, 4) in px, x1 y1 x2 y2.

    It gives N COCO RLE ``counts``, None where SAM finds nothing, and raises a DataError where the
    image cannot be read. The network is loaded at the first call.
    """
    loaded: list[Any] = []

    def masks(
        path: Path, width: int, height: int, boxes: NDArray[np.float64]
    ) -> list[bytes | None]:
        from segtrack.model.sam.segmenter import Segmenter

        if not loaded:
            loaded.append(Segmenter(weights, device))
        found: list[bytes | None] = loaded[0](read_image(_Row(0, path, width, height)), boxes)
        return found

    return masks
