"""Masks by Segment Anything for boxes that a detector found, into a predictions folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.metrics import Report
from segtrack.base.progress import progress
from segtrack.model.devices import device_class
from segtrack.model.images import read_image
from segtrack.model.predictions import (
    FrameDetections,
    ImageToPredict,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)
from segtrack.model.sam.weights import SamWeights


@dataclass(frozen=True)
class Proposing:
    """How masks are proposed.

    Attributes:
        weights: of SAM. conf: lowest score of a detection to make a mask for.
        device: auto, cpu, mps, or a GPU's index.
    """

    weights: SamWeights
    conf: float
    device: Any = "auto"

    @property
    def libraries(self) -> tuple[str, ...]:
        """Installed distributions whose version shapes the masks."""
        return ("ultralytics", "torch")

    def compute(self) -> dict[str, str]:
        """What the masks are computed with: ``device`` (cpu, cuda, mps) and ``precision``."""
        return {"device": device_class(self.device), "precision": "float32"}


def propose_masks(
    images: Iterable[ImageToPredict],
    predictions: Predictions,
    proposing: Proposing,
    folder: Path,
    report: Report,
) -> None:
    """The predictions from ``proposing.conf`` on with SAM's masks instead of their own.

    One image is in memory at a time. Boxes, classes and scores stay as they are. What SAM finds
    nothing of is left out.

    Args:
        images: in ascending order of ``image_id``, which are the predictions' frames.

    Raises:
        DataError: an image cannot be read or has another size than the data set says; the file
            lacks parameters of its network.
    """
    from segtrack.model.sam.segmenter import IMGSZ, Segmenter

    weights, conf = proposing.weights, proposing.conf
    segment = Segmenter(weights, proposing.device)
    spent, count = 0.0, 0
    with PredictionsWriter(folder) as writer:
        for row, frame in predictions.by_image(progress(images, "propose masks", None, "images")):
            sure = None if frame is None else frame.take(frame.score >= conf)
            if sure is None or not len(sure):
                continue
            image = read_image(row)
            begin = time.perf_counter()
            rle = segment(image, sure.bbox_xyxy)
            spent += time.perf_counter() - begin
            count += 1
            found = FrameDetections(sure.frame, sure.class_id, sure.score, sure.bbox_xyxy, rle)
            writer.add(found.take(np.array([counts is not None for counts in rle], bool)))
        info = PredictionsInfo(
            names=predictions.info.names,
            frame_count=predictions.info.frame_count,
            model_name=weights.network,
            weights_sha256=weights.sha256,
            imgsz=IMGSZ,
            conf_floor=conf,
        )
        writer.finish(info)
    report("speed/images_propose_ms", 1000 * spent / max(count, 1))
    report("propose/images_masks", writer.rows_written)
