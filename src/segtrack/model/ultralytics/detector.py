"""From images to boxes, scores, classes and mask coefficients: the network and what surrounds it.

Equal to ultralytics' own prediction with ``retina_masks``, without the result objects that it makes
for each image. Importing this module imports ultralytics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchvision.ops import batched_nms

from segtrack.base.errors import DataError
from segtrack.model.masks import decode_masks
from segtrack.model.predictions import FrameDetections
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.weights import Weights
from segtrack.settings import ModelSettings

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


class Detector:
    """Predicts batches of images with one network."""

    def __init__(
        self,
        weights: Weights,
        settings: ModelSettings,
        names: tuple[str, ...],
        class_map: Mapping[str, str],
        device: Any = "auto",
        conf_floor: float | None = None,
        max_det: int | None = None,
    ) -> None:
        """Load the network.

        Args:
            names: classes to predict, by output class id.
            class_map: class of the weights -> class in ``names``; those not in it keep their name.
            conf_floor, max_det: instead of those in ``settings``.

        Raises:
            DataError: there is nothing to predict with, or none of its classes is wanted.
        """
        if not weights.trained:
            raise DataError(
                f"model.weights=scratch: {weights.path.stem} has not been trained, so it predicts "
                "nothing; add the stage train, or give trained weights"
            )
        self.class_ids = torch.from_numpy(_map_classes(weights, names, class_map))
        place = library.device_argument(device).split(",")[0]
        self.device = torch.device(f"cuda:{place}" if place.isdigit() else place)
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
        self.conf_floor = settings.conf_floor if conf_floor is None else conf_floor
        self.max_det = settings.max_det if max_det is None else max_det

    def prepare(self, image: np.ndarray) -> Prepared:
        """Letterbox a BGR uint8 image (H, W, 3) to the input's size."""
        height, width = image.shape[:2]
        return Prepared(self.letterbox(image=image), (height, width))

    def __call__(self, images: Sequence[Prepared]) -> list[RawDetections]:
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
        classes, so that a truck and a car merged into ``vehicle`` do not stay on one another.
        """
        count = len(self.class_ids)
        scores, best = rows[:, 4 : 4 + count].max(1)
        classes = self.class_ids.to(rows.device)[best]
        wanted = ((scores > self.conf_floor) & (classes >= 0)).nonzero()[:, 0]
        if len(wanted) > MAX_CANDIDATES:
            wanted = wanted[scores[wanted].argsort(descending=True)[:MAX_CANDIDATES]]
        rows, scores, classes = rows[wanted], scores[wanted], classes[wanted]
        half = rows[:, 2:4] / 2
        boxes = torch.cat((rows[:, :2] - half, rows[:, :2] + half), 1)
        kept = batched_nms(boxes, scores, classes, self.iou)[: self.max_det]
        parts = (boxes, scores[:, None], classes[:, None].to(boxes), rows[:, 4 + count :])
        return torch.cat([part[kept] for part in parts], 1)


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


def _map_classes(
    weights: Weights, names: tuple[str, ...], class_map: Mapping[str, str]
) -> np.ndarray:
    """Output class id by class id of the weights; -1 for those that are not wanted."""
    wanted = {name: i for i, name in enumerate(names)}
    ids = np.array([wanted.get(class_map.get(name, name), -1) for name in weights.names], np.int64)
    if not (ids >= 0).any():
        known = ", ".join(weights.names[:10]) + (", ..." if len(weights.names) > 10 else "")
        raise DataError(
            f"model.weights={weights.path}: none of its {len(weights.names)} classes ({known}) is "
            f"among the wanted classes ({', '.join(names)}); name them in dataset.classes, such as "
            "{vehicle: [car, truck]}, or give other weights"
        )
    return ids
