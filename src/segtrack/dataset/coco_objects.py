"""A COCO annotation as one object, for tracks: its outline or mask and its box together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from segtrack.base import rle
from segtrack.dataset.coco_shapes import FARTHEST, Shape, Unreadable, read_box, read_shape
from segtrack.dataset.coco_values import degrees_of, is_missing
from segtrack.dataset.geometry import turned
from segtrack.dataset.labels import Polygon


class Whole(NamedTuple):
    """An annotation as one object: its polygons, or its compressed RLE, or only its box in px."""

    bbox_xyxy: tuple[float, float, float, float]
    polygons: Sequence[Polygon] = ()
    rle: bytes = b""


def read_object(annotation: dict[str, Any], size: tuple[int, int]) -> Whole:
    """Read segmentation and box together; where there is no box, it is that of the shape.

    Args:
        annotation: as in the JSON.
        size: width and height of the image, px; 0 where they are not known, and an RLE says them.

    Raises:
        ValueError: a part of it cannot be read.
    """
    given = annotation.get("segmentation")
    if not all(size) and isinstance(given, dict):
        height, width = given["size"]
        size = int(width), int(height)
    try:
        shape = read_shape(annotation, size)
        for problem in shape.problems:
            raise problem
        for part in shape.polygons:
            if len(part) < 3:
                raise ValueError("a polygon has less than 3 points")
            _around(part)
        box = None if is_missing(annotation.get("bbox")) else read_box(annotation, {})
        if shape.masks:
            counts = _merged(shape, size)
            x, y, u, v = rle.mask_box(rle.run_lengths(counts), size[1])
            return Whole(_around(np.array([[x, y], [u, v]]) if box is None else box), (), counts)
        if shape.polygons:
            around = np.concatenate(shape.polygons) if box is None else box
            return Whole(_around(around), shape.polygons)
        box = read_box(annotation, {})
    except Unreadable as problem:
        raise ValueError(str(problem)) from problem
    if degrees := degrees_of(annotation):
        box = turned(box, box.mean(axis=0), degrees)
        return Whole(_around(box), (box,))
    return Whole(_around(box))


def _around(points: Polygon) -> tuple[float, float, float, float]:
    (x, y), (u, v) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if not (np.abs(points) < FARTHEST).all():
        raise ValueError(f"it reaches from {x:g}, {y:g} to {u:g}, {v:g}")
    return float(x), float(y), float(u), float(v)


def _merged(shape: Shape, size: tuple[int, int]) -> bytes:
    """The RLE that masks and polygons of one object are together."""
    from pycocotools import mask

    if len(shape.masks) == 1 and not shape.polygons:
        return shape.masks[0]
    width, height = size
    parts: list[Any] = [{"size": [height, width], "counts": one} for one in shape.masks]
    flat = [polygon.reshape(-1).tolist() for polygon in shape.polygons]
    parts += mask.frPyObjects(flat, height, width) if flat else []
    return bytes(mask.merge(parts)["counts"])
