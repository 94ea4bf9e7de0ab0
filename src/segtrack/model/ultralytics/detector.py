"""From images to boxes, scores, classes and mask coefficients: the network and what surrounds it.

Equal to ultralytics' own prediction with ``retina_masks``, without the result objects that it makes
for each image, and without its import or torch's, which a network in a file does not need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from segtrack.model import port
from segtrack.model.memory import Batches
from segtrack.model.port import Network, Request
from segtrack.model.predictions import FrameDetections
from segtrack.model.ultralytics.backends import load_runtime
from segtrack.model.ultralytics.home import cores
from segtrack.model.ultralytics.letterbox import boxes_in_image, letterbox
from segtrack.model.ultralytics.nms import batched_nms
from segtrack.model.ultralytics.prototypes import decode_masks
from segtrack.model.ultralytics.runtime import Outputs, Runtime
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
        coefficients: float32 (N, C). prototypes: float32 (C, mh, mw). shape: of the image, (H, W).
        left_out: see ``FrameDetections``.
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    coefficients: np.ndarray
    prototypes: np.ndarray
    shape: tuple[int, int]
    left_out: Mapping[str, int]

    def decode(self, frame: int) -> FrameDetections:
        """With masks; a detection whose mask is empty is none (as in ultralytics)."""
        rle = decode_masks(self.prototypes, self.coefficients, self.boxes, self.shape)
        columns = (self.class_ids, self.scores, self.boxes, rle, self.left_out)
        found = FrameDetections(frame, *columns)
        return found.take(np.array([counts is not None for counts in rle], bool))


@dataclass(frozen=True)
class Coming:
    """The detections of one image that the network may still be at; its batch's ``index``-th."""

    detector: YoloDetector
    outputs: Future[Outputs]
    index: int
    image: Prepared

    def raw(self) -> RawDetections:
        """Wait for the network, and suppress."""
        candidates, prototypes = self.outputs.result()
        at = self.index
        return self.detector.detections(candidates[at], prototypes[at], self.image)

    def decode(self, frame: int) -> FrameDetections:
        """As ``RawDetections.decode``; any thread may call it."""
        return self.raw().decode(frame)


class YoloDetector:
    """Predicts batches of images with one network."""

    def __init__(self, network: Network, request: Request, runtime: Runtime | None = None) -> None:
        """Load the network, into ``runtime`` where the settings are not to choose it.

        Raises:
            DataError: none of its classes is wanted.
        """
        weights, settings = network.weights, network.settings
        assert isinstance(settings, YoloSegSettings)
        self.class_ids = wanted_classes(weights, request)
        self.names = weights.names
        self.runtime = runtime or load_runtime(network)
        self.batches, self.stride = Batches(self.runtime.batch), self.runtime.stride
        self._liked, self._whole = network.batch_size, self.runtime.batch
        if self._whole == 1 and not settings.batch:  # one image a request, up to one for each core
            self._liked = max(self._liked, cores())
        self.imgsz = -(-(settings.imgsz or weights.imgsz) // self.stride) * self.stride
        self.iou = None if settings.end2end else settings.nms_iou
        agnostic = settings.agnostic_nms
        self.agnostic = request.one_class if agnostic is None else agnostic
        self.conf_floor, self.max_det = request.conf_floor, request.max_det

    def prepare(self, image: np.ndarray) -> Prepared:
        """Letterbox a BGR uint8 image (H, W, 3) to the input's size."""
        height, width = image.shape[:2]
        only = self.runtime.size
        pixels = letterbox(image, only or self.imgsz, None if only else self.stride)
        return Prepared(pixels, (height, width))

    @property
    def batch(self) -> int:
        """Images that it likes to have at once; fewer once memory ran out."""
        return self._liked if self.batches.size >= self._whole else self.batches.size

    def predict(self, images: Sequence[Prepared]) -> list[port.RawDetections]:
        """Begin with the images, those of the same input shape in one batch."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            by_shape.setdefault(image.pixels.shape, []).append(i)
        found: dict[int, port.RawDetections] = {}
        for members in by_shape.values():
            begun = self.batches(self.begin, [images[i] for i in members])
            found.update(zip(members, begun, strict=True))
        return [found[i] for i in range(len(images))]

    def begin(self, images: list[Prepared]) -> Sequence[port.RawDetections]:
        """Begin with images of one input shape."""
        outputs = self.runtime.start(np.stack([image.pixels for image in images]))
        return [Coming(self, outputs, i, image) for i, image in enumerate(images)]

    def detections(
        self, candidates: np.ndarray, prototypes: np.ndarray, image: Prepared
    ) -> RawDetections:
        """Of one image, from its candidates (4 + classes + C, A) and prototypes (C, mh, mw)."""
        count = len(self.class_ids)
        above = candidates[4 : 4 + count].max(0) > self.conf_floor
        rows = candidates[:, above].T
        boxes, scores, classes, chosen, left_out = self._suppress(rows)
        return RawDetections(
            boxes_in_image(boxes, image.pixels.shape[:2], image.shape),
            scores,
            classes.astype(np.int16),
            rows[chosen, 4 + count :],
            prototypes,
            image.shape,
            left_out,
        )

    def _suppress(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Counter[str]]:
        """Of candidates (n, 4 xywh + classes + coefficients) the boxes (xyxy), scores, classes and
        positions of those that are detections, and how many of which class were left out.

        The best class of all decides what a candidate is, before unwanted classes are dropped: a
        boat does not become a car because only cars are wanted. Suppression is within the output
        classes, so that a truck and a car merged into ``vehicle`` do not stay on one another; with
        ``agnostic_nms`` it is among all of them. What is not wanted never suppresses.
        """
        found = rows[:, 4 : 4 + len(self.class_ids)]
        best = found.argmax(1)
        scores = found[np.arange(len(found)), best]
        classes = self.class_ids[best]
        half = rows[:, 2:4] / 2
        boxes = np.concatenate((rows[:, :2] - half, rows[:, :2] + half), 1)
        unwanted = self._apart(boxes, scores, best, classes < 0)
        left_out = Counter(self.names[i] for i in best[unwanted].tolist())
        groups = np.zeros_like(classes) if self.agnostic else classes
        kept = self._apart(boxes, scores, groups, classes >= 0)
        return boxes[kept], scores[kept], classes[kept], kept, left_out

    def _apart(
        self, boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray:
        """Of the chosen candidates, those that no better one of their group covers (of the
        end-to-end head all), best first."""
        among = np.flatnonzero(chosen)
        among = among[np.argsort(-scores[among], kind="stable")[:MAX_CANDIDATES]]
        if self.iou is not None:
            among = among[batched_nms(boxes[among], scores[among], groups[among], self.iou)]
        return among[: self.max_det]
