"""Pooled features of whole images, by PyTorch. Importing this imports ultralytics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from segtrack.model.devices import first_device
from segtrack.model.memory import Batches
from segtrack.model.port import Network
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.letterbox import letterbox
from segtrack.model.ultralytics.runtimes import load_network, stride_of


class YoloFeatures:
    """Means over the image of what the head is given: the neck's layers at all its strides.

    The library's own ``embed`` pools them and ends the pass before the head.
    """

    def __init__(self, network: Network) -> None:
        self.device = torch.device(first_device(network.device))
        self.model = load_network(network, self.device)
        library.set_threads()
        stride = stride_of(self.model)
        size = network.settings.imgsz or network.weights.imgsz
        self.imgsz, self.stride = -(-size // stride) * stride, stride
        self.layers = list(self.model.model[-1].f)
        self.batches = Batches(network.batch_size)

    @property
    def batch(self) -> int:
        """Images that it likes to have at once; fewer once memory ran out."""
        return self.batches.size

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Letterbox a BGR uint8 image (H, W, 3) to the input's size."""
        return letterbox(image, self.imgsz, self.stride)

    def features(self, images: Sequence[np.ndarray]) -> NDArray[np.float32]:
        """Of prepared images, float32 (B, D)."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(i)
        found: dict[int, NDArray[np.float32]] = {}
        for members in by_shape.values():
            rows = self.batches(self._compute, [images[i] for i in members])
            found.update(zip(members, rows, strict=True))
        return np.stack([found[i] for i in range(len(images))])

    def _compute(self, images: list[np.ndarray]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(images)).to(self.device)
            pixels = pixels.permute(0, 3, 1, 2).flip(1).contiguous().float().div_(255)
            return [one.float().cpu().numpy() for one in self.model(pixels, embed=self.layers)]
