"""COCO annotations of one image, as they stand in the JSON, to ``Labels``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.dataset.cleaning import Remark, clean_polygon
from segtrack.dataset.geometry import outlines
from segtrack.dataset.labels import Annotation, Labels, Polygon, labels_of

_SHAPE = "segmentation is a list of polygons [[x1, y1, x2, y2, ...], ...] or an RLE"


@dataclass(frozen=True)
class RawAnnotation:
    """An element of ``annotations`` and the line it begins in."""

    line: int
    value: dict[str, Any]


def read_annotations(
    raws: list[RawAnnotation], class_ids: dict[int, int], width: int, height: int
) -> tuple[Labels, list[Remark]]:
    """Annotations of one image.

    Args:
        raws: as in the JSON.
        class_ids: category id to class id.
        width, height: px of the image file as displayed.

    Returns:
        The usable ones in px, and remarks with line numbers.
    """
    remarks: list[Remark] = []
    annotations = []
    for raw in raws:
        try:
            annotation = _annotation(raw, class_ids, (width, height), remarks)
        except _Unusable as error:
            what = f"annotation {raw.value.get('id', '?')}: {error}"
            remarks.append(Remark("error", error.code, raw.line, what, error.hint))
        else:
            if annotation:
                annotations.append(annotation)
    return labels_of(annotations), remarks


class _Unusable(Exception):
    def __init__(self, code: str, message: str, hint: str = _SHAPE) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def _annotation(
    raw: RawAnnotation, class_ids: dict[int, int], size: tuple[int, int], remarks: list[Remark]
) -> Annotation | None:
    value = raw.value
    category = value.get("category_id")
    if not isinstance(category, int) or category not in class_ids:
        hint = "add it to categories, or mend the annotation"
        raise _Unusable("class_id", f"category_id {category!r} is not in categories", hint)
    class_id = class_ids[category]
    crowd = value.get("iscrowd") in (1, True)
    segmentation = value.get("segmentation")
    if isinstance(segmentation, dict):
        return _from_rle(segmentation, value, class_id, crowd, size)
    if segmentation is not None and not isinstance(segmentation, list):
        raise _Unusable("not_coco", f"segmentation is {segmentation!r:.40}")
    what = f"polygon of annotation {value.get('id', '?')}"
    points = [_points(part) for part in segmentation or []]
    if not points:
        points = [_box_points(value.get("bbox"))]
        message = f"annotation {value.get('id', '?')} has a box only; the mask is its rectangle"
        hint = "label with polygons, or leave it so if rough masks will do"
        remarks.append(Remark("warning", "box_only", raw.line, message, hint))
    polygons, area = [], 0.0
    for part in points:
        cleaned = clean_polygon(part, (float(size[0]), float(size[1])), raw.line, what)
        remarks.extend(cleaned.remarks)
        if cleaned.polygon is not None:
            polygons.append(cleaned.polygon)
            area += cleaned.area
    if not polygons:
        return None
    return Annotation(class_id, polygons, _area(value, area), crowd=crowd)


def _from_rle(
    segmentation: dict[str, Any],
    value: dict[str, Any],
    class_id: int,
    crowd: bool,
    size: tuple[int, int],
) -> Annotation | None:
    from pycocotools import mask

    try:
        counts = rle.compressed(segmentation, *size)
    except ValueError as error:
        hint = "an RLE has size [height, width] of its image and counts that sum to all pixels"
        raise _Unusable("rle", str(error), hint) from error
    whole = {"size": [size[1], size[0]], "counts": counts}
    x, y, w, h = (float(v) for v in mask.toBbox(whole))
    if not w or not h:
        raise _Unusable("rle", "its RLE is empty", "remove the annotation")
    area = _area(value, float(mask.area(whole)))
    return Annotation(class_id, outlines(whole), area, (x, y, w, h), crowd, rle=counts)


def _points(part: Any) -> Polygon:
    if not isinstance(part, list):
        raise _Unusable("not_coco", f"{part!r:.40} stands where a polygon belongs")
    wrong = [v for v in part if isinstance(v, bool) or not isinstance(v, int | float)]
    if wrong:
        raise _Unusable("not_a_number", f"{wrong[0]!r:.40} is not a number")
    if not all(map(math.isfinite, part)):
        bad = next(v for v in part if not math.isfinite(v))
        raise _Unusable("not_finite", f"{bad!r} is not a finite number")
    if len(part) % 2:
        raise _Unusable("odd_coordinates", f"a polygon of {len(part)} coordinates, an odd number")
    return np.array(part, np.float64).reshape(-1, 2)


def _box_points(box: Any) -> Polygon:
    if not isinstance(box, list) or len(box) != 4:
        raise _Unusable("not_coco", "it has neither a segmentation nor a bbox")
    x, y, w, h = _points(box).reshape(-1)
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])


def _area(value: dict[str, Any], computed: float) -> float:
    """COCO's own ``area`` where it makes sense, since its size classes go by it."""
    given = value.get("area")
    usable = isinstance(given, int | float) and math.isfinite(given) and given > 0
    return float(given) if usable and given is not None else computed
