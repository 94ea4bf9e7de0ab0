"""From a predicted mask to the one ring that people correct.

Platforms take an object of several rings for several objects, so pieces and holes are joined to the
largest outline by slits of no width: the ring covers what the mask covers, and comes back as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtrack.annotation.matching import Shape
from segtrack.base.polygons import Polygon
from segtrack.dataset import joined
from segtrack.model import FrameDetections

SIMPLIFY_PX = 0.5  # masks keep an IoU of 0.98 and more above 32 x 32 px
_SMALLEST_PIECE = 12  # px: pieces and holes below are left out, in small masks fewer
_SMALLEST_SHARE = 0.03


def polygon_of(rle: Mapping[str, Any], simplify_px: float = SIMPLIFY_PX) -> Polygon | None:
    """The outline of a mask, float64 (n, 2), px; None where the mask is empty.

    Outlines are simplified by Douglas and Peucker (OpenCV's ``approxPolyDP``).

    Args:
        rle: COCO RLE, ``size`` and compressed ``counts``.
        simplify_px: farthest that the outline may move, px; 0 keeps every corner of a pixel.
    """
    import cv2
    from pycocotools import mask as coco_mask

    whole = dict(rle)
    x, y, w, h = (int(v) for v in coco_mask.toBbox(whole))
    if not w or not h:
        return None
    pixels = np.ascontiguousarray(coco_mask.decode(whole)[y : y + h, x : x + w])
    # A contour runs through pixel centres; at twice the size it lies a quarter of a pixel inside of
    # the pixels' edges, where every rasteriser gives the mask back.
    twice = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(contour) for contour in contours]
    smallest = 4 * min(_SMALLEST_PIECE, _SMALLEST_SHARE * cv2.countNonZero(pixels))
    kept = [c for c, area in zip(contours, areas, strict=True) if area >= smallest]
    kept = kept or [contours[int(np.argmax(areas))]]
    rings = [_simplified(contour[:, 0].astype(np.int32), simplify_px) for contour in kept]
    ring = joined([r for r in rings if len(r) >= 3]) if any(len(r) >= 3 for r in rings) else None
    return None if ring is None else ring + np.array([x, y], np.float64)


def shapes_of(
    frame: FrameDetections,
    size: tuple[int, int],
    names: Sequence[str],
    conf: float,
    simplify_px: float,
) -> Iterator[tuple[Shape, Mapping[str, Any]]]:
    """The detections of an image from ``conf`` on as polygons, each with its mask as COCO RLE.

    Boxes without a mask, and masks without an outline, are left out.

    Args:
        size: width and height of the image in px.
        names: class names by class id.
    """
    width, height = size
    for i in np.flatnonzero(frame.score >= conf):
        mask = {"size": [height, width], "counts": frame.rle[i]}
        polygon = polygon_of(mask, simplify_px) if frame.rle[i] is not None else None
        if polygon is not None:
            name = names[frame.class_id[i]]
            yield Shape(name, polygon, float(frame.score[i])), mask


def _simplified(contour: NDArray[np.int32], simplify_px: float) -> Polygon:
    """A contour at twice the size, simplified, in px of the image."""
    import cv2

    points = cv2.approxPolyDP(contour, 2 * simplify_px, True)[:, 0]
    if len(points) < 3:  # a thin thing folds up
        points = cv2.approxPolyDP(contour, 0, True)[:, 0]
    shares: Polygon = (points + 0.5) / 2
    return shares
