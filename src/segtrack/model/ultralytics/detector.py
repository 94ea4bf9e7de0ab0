"""From images to boxes, scores, classes and mask coefficients: the network and what surrounds it.

Equal to ultralytics' own prediction with ``retina_masks``, without the result objects that it makes
for each image. Importing this module imports ultralytics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchvision.ops import batched_nms

from segtrack.model.devices import first_device
from segtrack.model.port import Network, Request
from segtrack.model.predictions import FrameDetections
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.prototypes import decode_masks
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.model.weights import wanted_classes

MAX_CANDIDATES = 30_000  # boxes that enter suppression, the best of an image; ultralytics' number


@dataclass(frozen=True)
class Prepared:
    """An image as the network takes it: uint8 BGR, letterboxed; and the image's own (H, W)."""

    pixels: np.ndarray
    shape: tuple[int, int]


@dataclass(frozen=True)
class RawDetections:
    """The detections of one image, their masks not decoded yet; best score first.

    Attributes:
        boxes: float32 (N, 4), x1 y1 x2 y2 in px of the image, clipped to it.
        scores: float32 (N,). class_ids: int16 (N,), of the output classes.
        coefficients: float (N, C). prototypes: float (C, mh, mw). shape: of the image, (H, W).
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    coefficients: torch.Tensor
    prototypes: torch.Tensor
    shape: tuple[int, int]

    def decode(self, frame: int) -> FrameDetections:
        """With masks; a detection whose mask is empty is none (as in ultralytics)."""
        rle = decode_masks(self.prototypes, self.coefficients, self.boxes, self.shape)
        found = FrameDetections(frame, self.class_ids, self.scores, self.boxes, rle)
        return found.take(np.array([counts is not None for counts in rle], bool))


class YoloDetector:
    """Predicts batches of images with one network."""

    def __init__(self, network: Network, request: Request) -> None:
        """Load the network.

        Raises:
            DataError: none of its classes is wanted.
        """
        weights, settings = network.weights, network.settings
        assert isinstance(settings, YoloSegSettings)
        self.class_ids = torch.from_numpy(wanted_classes(weights, request))
        self.names, self.left_out = weights.names, Counter[str]()
        self.device = torch.device(first_device(network.device))
        with library.trusting(settings.trust):
            model, _ = library.load_checkpoint(weights.path, device=self.device)
        if hasattr(model, "end2end"):
            model.end2end = False  # YOLO26: all candidates, as ultralytics' default has it
        self.model = model.fuse(verbose=False).eval()
        if self.device.type == "cpu":  # 10 to 25 % faster there, at equal results
            self.model = self.model.to(memory_format=torch.channels_last)
        library.set_threads()
        stride = max(int(self.model.stride.max()), 32)
        self.imgsz = -(-(settings.imgsz or weights.imgsz) // stride) * stride
        self.letterbox = library.LetterBox((self.imgsz, self.imgsz), auto=True, stride=stride)
        self.batch = settings.batch
        self.iou = settings.nms_iou
        agnostic = settings.agnostic_nms
        self.agnostic = request.one_class if agnostic is None else agnostic
        self.conf_floor, self.max_det = request.conf_floor, request.max_det

    def prepare(self, image: np.ndarray) -> Prepared:
        """Letterbox a BGR uint8 image (H, W, 3) to the input's size."""
        height, width = image.shape[:2]
        return Prepared(self.letterbox(image=image), (height, width))

    def predict(self, images: Sequence[Prepared]) -> list[RawDetections]:
        """Detect; images of the same input shape go in one batch."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            by_shape.setdefault(image.pixels.shape, []).append(i)
        found: dict[int, RawDetections] = {}
        with torch.inference_mode():
            for members in by_shape.values():
                for start in range(0, len(members), self.batch):
                    batch = members[start : start + self.batch]
                    results = self._predict([images[i] for i in batch])
                    found.update(zip(batch, results, strict=True))
        return [found[i] for i in range(len(images))]

    def _predict(self, images: list[Prepared]) -> list[RawDetections]:
        tensor = torch.from_numpy(np.stack([image.pixels for image in images])).to(self.device)
        tensor = tensor.permute(0, 3, 1, 2).flip(1).contiguous().float().div_(255)
        outputs, prototypes = _outputs(self.model(tensor))
        kept = [self._suppress(rows) for rows in outputs.transpose(1, 2)]
        return [
            _raw(rows, tensor.shape[2:], image.shape, protos)
            for rows, image, protos in zip(kept, images, prototypes.float().cpu(), strict=True)
        ]

    def _suppress(self, rows: torch.Tensor) -> torch.Tensor:
        """Candidates (n, 4 xywh + classes + coefficients) to detections (N, 6 + coefficients).

        The best class of all decides what a candidate is, before unwanted classes are dropped: a
        boat does not become a car because only cars are wanted. Suppression is within the output
        classes, so that a truck and a car merged into ``vehicle`` do not stay on one another; with
        ``agnostic_nms`` it is among all of them. What is not wanted never suppresses.
        """
        count = len(self.class_ids)
        scores, best = rows[:, 4 : 4 + count].max(1)
        classes = self.class_ids.to(rows.device)[best]
        seen = scores > self.conf_floor
        unwanted, _ = self._apart(rows, scores, best, seen & (classes < 0))
        self.left_out.update(self.names[i] for i in best[unwanted].tolist())
        groups = torch.zeros_like(classes) if self.agnostic else classes
        kept, boxes = self._apart(rows, scores, groups, seen & (classes >= 0))
        parts = (scores[kept, None], classes[kept, None].to(boxes), rows[kept, 4 + count :])
        return torch.cat((boxes, *parts), 1)

    def _apart(
        self,
        rows: torch.Tensor,
        scores: torch.Tensor,
        groups: torch.Tensor,
        chosen: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the chosen candidates, those that no better one of their group covers, and their
        boxes (xyxy)."""
        among = chosen.nonzero()[:, 0]
        if len(among) > MAX_CANDIDATES:
            among = among[scores[among].argsort(descending=True)[:MAX_CANDIDATES]]
        half = rows[among, 2:4] / 2
        boxes = torch.cat((rows[among, :2] - half, rows[among, :2] + half), 1)
        kept = batched_nms(boxes, scores[among], groups[among], self.iou)[: self.max_det]
        return among[kept], boxes[kept]


def _outputs(result: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates and prototypes from what the network returns."""
    if isinstance(result[0], tuple):
        candidates, prototypes = result[0]
    else:
        candidates, prototypes = result[:2]
    return candidates, prototypes


def _raw(
    rows: torch.Tensor, input_shape: Any, shape: tuple[int, int], prototypes: torch.Tensor
) -> RawDetections:
    rows = rows.float().cpu()
    boxes = library.scale_boxes(input_shape, rows[:, :4], shape)
    return RawDetections(
        boxes.numpy(),
        rows[:, 4].numpy(),
        rows[:, 5].numpy().astype(np.int16),
        rows[:, 6:],
        prototypes,
        shape,
    )
