"""Pooled features of whole images. Importing this imports rfdetr."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from segtrack.model.memory import Batches
from segtrack.model.port import Network, Request
from segtrack.model.rfdetr import library
from segtrack.model.rfdetr.detector import Prepared, RfdetrDetector


class RfdetrFeatures:
    """Means over the image of what the decoder is given: the backbone's projected layers."""

    def __init__(self, network: Network) -> None:
        self.detector = RfdetrDetector(network, Request(network.weights.names))
        self.batches: Batches = self.detector.batches

    @property
    def batch(self) -> int:
        """Images that it likes to have at once; fewer once memory ran out."""
        return self.batches.size

    def prepare(self, image: np.ndarray) -> Prepared:
        """As the detector does."""
        return self.detector.prepare(image)

    def features(self, images: Sequence[Prepared]) -> NDArray[np.float32]:
        """Of prepared images, float32 (B, D)."""
        return np.stack(self.batches(self._compute, images))

    def _compute(self, images: list[Prepared]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack([image.pixels for image in images]))
            layers = library.backbone_layers(self.detector.model, pixels.to(self.detector.device))
            pooled = torch.cat([layer.float().mean((2, 3)) for layer in layers], 1)
            return list(pooled.cpu().numpy())
