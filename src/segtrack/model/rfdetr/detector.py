"""From images to boxes, scores, classes and mask logits: the network and what surrounds it.

Equal to rfdetr's own ``predict``. Importing this module imports rfdetr.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from segtrack.base.errors import DataError
from segtrack.model.devices import first_device
from segtrack.model.memory import Batches
from segtrack.model.port import Network, Request
from segtrack.model.predictions import FrameDetections
from segtrack.model.rfdetr import library
from segtrack.model.rfdetr.masks import encode_masks
from segtrack.model.rfdetr.selection import Selection
from segtrack.model.rfdetr.weights import read_content

# Of ImageNet, which the backbone was trained on; channels red, green, blue.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
SPREAD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Prepared:
    """An image as the network takes it: float32 (3, size, size), normalised; its own (H, W)."""

    pixels: np.ndarray
    shape: tuple[int, int]


@dataclass(frozen=True)
class RawDetections:
    """The detections of one image, their masks not enlarged yet; best score first.

    Attributes:
        boxes: float32 (N, 4), x1 y1 x2 y2 in px of the image, clipped to it.
        scores: float32 (N,). class_ids: int16 (N,), of the output classes.
        masks: float32 (N, h, w), logits over the whole image. shape: of the image, (H, W).
        left_out: see ``FrameDetections``.
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    masks: np.ndarray
    shape: tuple[int, int]
    left_out: Mapping[str, int]

    def decode(self, frame: int) -> FrameDetections:
        """With masks; a detection whose mask is empty is none."""
        rle = encode_masks(self.masks, self.shape)
        columns = (self.class_ids, self.scores, self.boxes, rle, self.left_out)
        found = FrameDetections(frame, *columns)
        return found.take(np.array([counts is not None for counts in rle], bool))


class RfdetrDetector:
    """Predicts batches of images with one network."""

    def __init__(self, network: Network, request: Request) -> None:
        """Load the network.

        Raises:
            DataError: none of its classes is wanted, or the weights are of another network.
        """
        weights, settings = network.weights, network.settings
        self.imgsz = settings.imgsz or weights.imgsz
        self.batches = Batches(network.batch_size)
        facts, state = read_content(weights.path, settings.trust)
        classes = len(state["class_embed.bias"]) - 1
        config = library.config_of(settings.name, classes, self.imgsz)
        self.selection = Selection(weights, request, config.num_select)
        self.outputs = list(facts.outputs)
        model = library.build(config)
        try:
            library.fill(model, config, state)
        except ValueError as error:
            raise DataError(
                f"model.weights={weights.path}: not of {settings.name} ({error})"
            ) from error
        self.device = torch.device(first_device(network.device))
        self.model = model.eval().to(self.device)

    @property
    def batch(self) -> int:
        """Images that it likes to have at once; fewer once memory ran out."""
        return self.batches.size

    def prepare(self, image: np.ndarray) -> Prepared:
        """Stretch a BGR uint8 image (H, W, 3) to the input's square, as it was in training."""
        height, width = image.shape[:2]
        size = (self.imgsz, self.imgsz)
        square = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        square = (square[..., ::-1] / 255 - MEAN) / SPREAD
        return Prepared(np.ascontiguousarray(square.transpose(2, 0, 1)), (height, width))

    def predict(self, images: Sequence[Prepared]) -> list[RawDetections]:
        """Detect, in batches."""
        with torch.inference_mode():
            return self.batches(self._predict, images)

    def _predict(self, images: list[Prepared]) -> list[RawDetections]:
        pixels = torch.from_numpy(np.stack([image.pixels for image in images]))
        outputs = self.model(pixels.to(self.device))
        scores = outputs["pred_logits"].float().sigmoid()[..., self.outputs].cpu()
        boxes, masks = outputs["pred_boxes"].float().cpu(), outputs["pred_masks"]
        found = []
        for i, image in enumerate(images):
            query, class_id, score, left_out = self.selection.pairs(scores[i])
            centre, half = boxes[i, query, :2], boxes[i, query, 2:] / 2
            height, width = image.shape
            limits = boxes.new_tensor([width, height, width, height])
            corners = torch.cat((centre - half, centre + half), 1) * limits
            found.append(
                RawDetections(
                    corners.clamp_min(0).minimum(limits).numpy(),
                    score.numpy(),
                    class_id.numpy().astype(np.int16),
                    masks[i, query.to(self.device)].float().cpu().numpy(),
                    image.shape,
                    left_out,
                )
            )
        return found
