"""Masks by Segment Anything for boxes that a detector found, into a predictions folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.metrics import Report
from segtrack.base.progress import progress
from segtrack.model.predict import read_image
from segtrack.model.predictions import (
    FrameDetections,
    ImageRow,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)
from segtrack.model.sam.weights import SamWeights


def propose_masks(
    images: Iterable[ImageRow],
    predictions: Predictions,
    weights: SamWeights,
    conf: float,
    device: Any,
    folder: Path,
    report: Report,
) -> None:
    """The predictions from ``conf`` on with SAM's masks instead of their own, one image in memory.

    Boxes, classes and scores stay as they are. What SAM finds nothing of is left out.

    Args:
        images: in ascending order of ``image_id``, which are the predictions' frames.

    Raises:
        DataError: an image cannot be read or has another size than the data set says; the file
            lacks parameters of its network.
    """
    from segtrack.model.sam.segmenter import IMGSZ, Segmenter

    segment = Segmenter(weights, device)
    spent, count = 0.0, 0
    with PredictionsWriter(folder) as writer:
        for row, frame in predictions.by_image(progress(images, "propose masks")):
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
