"""Proposals for annotators: a model's own masks as polygons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from segtrack.dataset.canonical import ImageRow
from segtrack.labellerr.coco import AnnotatedImage, Annotation
from segtrack.labellerr.polygons import polygon_of
from segtrack.model.predictions import Predictions


def proposals(
    images: Iterable[tuple[ImageRow, str]],
    predictions: Predictions,
    conf: float,
    simplify_px: float,
) -> Iterator[AnnotatedImage]:
    """The images that have predictions, with one polygon for each, as a stream.

    Args:
        images: with the platform's name of each, by ascending ids, which are the predictions'
            frames.
        conf: lowest score. simplify_px: px by which a polygon may leave its mask's outline.
    """
    frames = predictions.frames()
    frame = next(frames, None)
    for row, name in images:
        while frame is not None and frame.frame < row.image_id:
            frame = next(frames, None)
        if frame is None:
            return
        if frame.frame != row.image_id:
            continue
        found = []
        for i in np.flatnonzero(frame.score >= conf):
            counts = frame.rle[i]
            if counts is None:
                continue  # a box: the platform would take nothing of it
            mask = {"size": [row.height, row.width], "counts": counts}
            polygon = polygon_of(mask, simplify_px)
            if polygon is not None:
                class_name = predictions.info.names[frame.class_id[i]]
                found.append(Annotation(class_name, (polygon,), float(frame.score[i])))
        yield AnnotatedImage(name, row.width, row.height, tuple(found))
