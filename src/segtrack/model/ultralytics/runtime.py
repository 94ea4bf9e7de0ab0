"""What computes a network: from letterboxed images to candidates and prototypes.

``YoloDetector`` does the rest and knows no library; a further way to compute is a further
``Runtime``.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np

Outputs = tuple[Any, Any]  # arrays, float32; those of a card lie there as its tensors


class Runtime(Protocol):
    """One network on one device.

    Attributes:
        stride: px that the sides of its input are multiples of.
        batch: images that it likes to have at once.
        size: (H, W) in px of the only input that it takes; None: any.
    """

    stride: int
    batch: int
    size: tuple[int, int] | None

    def start(self, pixels: np.ndarray) -> Future[Outputs]:
        """Begin with images, uint8 BGR (B, H, W, 3), and wait only where too much is under way.

        Returns:
            What gives, on the runtime's device, candidates (B, 4 + classes + C, A), whose first
            rows are x, y, w, h in px of the input and the score of each class, and prototypes
            (B, C, mh, mw). The order of starting is that of the results.
        """
        ...
