"""From a picture of object numbers to labels: masks, outlines, boxes, visible shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segtrack.base.rle import encode_box
from trafficsim.frame import Instance

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
Ring = NDArray[np.float32]
Contour = NDArray[np.integer[Any] | np.floating[Any]]

# As in KITTI, whose "don't care" regions hold what is too small or too hidden to be judged: a model
# is neither asked to find such an object nor blamed for it.
SMALLEST_HEIGHT = 16
"""Objects whose visible part is lower than this are to be ignored, px."""

SMALLEST_AREA = 150
"""Objects with fewer visible pixels than this are to be ignored."""

SMALLEST_FRACTION = 0.25
"""Objects of which less than this share is seen are to be ignored."""

LARGE_SHARE = 0.01
"""Something that fills this share of the image is judged however little of it is seen."""

_UNSEEN_HEIGHT, _UNSEEN_AREA, _UNSEEN_FRACTION = 10, 80, 0.1
"""What remains of an object below these has no label at all: nobody would see it."""

_SMALLEST_PIECE = 12
"""Separate pieces and holes below this many pixels are left out, in small masks fewer."""


@dataclass(frozen=True)
class Silhouette:
    """The whole object as it would be seen with nothing in front and no image border.

    Attributes:
        area: Its pixels.
        box: x0, y0, x1, y1 around it, px, ends excluded.
    """

    area: int
    box: Box


def label(
    ids: Image, number: int, silhouette: Silhouette, track_id: int, class_id: int
) -> Instance | None:
    """The label of the object that is `number` in `ids` (H, W), or None if too little is seen."""
    height, width = ids.shape
    x0, y0, x1, y1 = silhouette.box
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if x1 - x0 < 2 or y1 - y0 < _UNSEEN_HEIGHT:
        return None
    found = cv2.inRange(ids[y0:y1, x0:x1], number, number)
    area = cv2.countNonZero(found)
    fraction = area / max(silhouette.area, 1.0)
    large = area >= LARGE_SHARE * width * height
    if area < _UNSEEN_AREA or (fraction < _UNSEEN_FRACTION and not large):
        return None
    x, y, w, h = cv2.boundingRect(found)
    if h < _UNSEEN_HEIGHT:
        return None
    mask, left, top = found[y : y + h, x : x + w], x0 + x, y0 + y
    twice = cv2.resize(mask, (2 * w, 2 * h), interpolation=cv2.INTER_NEAREST)
    rings = outline(np.asarray(twice, np.uint8))
    if not rings:
        return None
    counts = encode_box(mask, height, width, (left, top))
    offset = np.array([left, top], np.float32)
    return Instance(
        track_id=track_id,
        class_id=class_id,
        polygons=tuple(ring + offset for ring in rings),
        rle={"size": [height, width], "counts": counts.decode()},
        bbox_xyxy=(float(left), float(top), float(left + w), float(top + h)),
        area=float(area),
        visible_fraction=min(1.0, fraction),
        ignore=h < SMALLEST_HEIGHT
        or area < SMALLEST_AREA
        or (fraction < SMALLEST_FRACTION and not large),
    )


def outline(twice: Image) -> list[Ring]:
    """Outlines of a mask (h, w), largest first, holes joined to their outline by a slit.

    The contour is taken at twice the size, so that it lies a quarter of a pixel inside of the
    pixels' edges: both OpenCV's rasteriser (whole pixels, truncated) and COCO's then give the
    mask back.

    Args:
        twice: The mask, uint8 (2 h, 2 w).
    """
    smallest = min(4.0 * _SMALLEST_PIECE, 0.03 * cv2.countNonZero(twice))
    contours, tree = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer: dict[int, NDArray[np.int32]] = {}
    areas: dict[int, float] = {}
    parents = [] if tree is None else tree[0, :, 3].tolist()
    for i, (contour, parent) in enumerate(zip(contours, parents, strict=True)):
        if parent < 0 and len(contour) >= 3:
            area = cv2.contourArea(contour)
            if area >= smallest:
                outer[i], areas[i] = _thinned(contour), area
    for contour, parent in zip(contours, parents, strict=True):
        if parent in outer and len(contour) >= 3 and cv2.contourArea(contour) >= smallest:
            outer[parent] = _slit(outer[parent], _thinned(contour))
    order = sorted(areas, key=lambda i: -areas[i])
    rings = (np.asarray(outer[i], dtype=np.float32) for i in order if len(outer[i]) >= 3)
    return [(ring + np.float32(0.5)) / np.float32(2) for ring in rings]


def _thinned(contour: Contour) -> NDArray[np.int32]:
    return np.asarray(cv2.approxPolyDP(contour, 0.9, True)[:, 0], dtype=np.int32)


def _slit(outer: NDArray[np.int32], hole: NDArray[np.int32]) -> NDArray[np.int32]:
    """One ring that goes around `outer`, through a slit, around `hole`, and back."""
    distance = ((outer[:, None] - hole[None]) ** 2).sum(axis=2)
    i, j = np.unravel_index(int(distance.argmin()), distance.shape)
    around = np.concatenate([hole[j:], hole[: j + 1]])
    return np.concatenate([outer[: i + 1], around, outer[i:]])
