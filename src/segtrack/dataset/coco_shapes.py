"""The shape of a COCO annotation, as the exporter meant it.

COCO's ``segmentation`` is a list of polygons ``[[x1, y1, x2, y2, ...], ...]`` or an RLE
``{"size": [height, width], "counts": ...}``, its ``bbox`` is ``[x, y, width, height]``. Read too,
and named in ``oddities``: one flat polygon, points as pairs or ``{"x", "y"}``, further nesting,
numbers in text, the whole in text, an RLE in a list, several of them, RLE with floats or swapped
size, boxes as objects, text or corners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.dataset.coco_values import is_missing, number, whole, written_out
from segtrack.dataset.labels import Polygon

_DEEPEST = 8  # nestings
FARTHEST = 1e9  # px: beyond all images
_BOX_KEYS = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
)
_CORNER_KEYS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
CLOSE = 1.5  # px by which a mask's box may differ from the box beside it


class Unreadable(Exception):
    """A shape that says nothing clear.

    Attributes:
        code: of the finding.
        box_counts: whether the box of the same annotation may be taken instead.
    """

    def __init__(self, code: str, message: str, box_counts: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.box_counts = box_counts


@dataclass
class Shape:
    """What a segmentation holds.

    Attributes:
        polygons: float64 (n, 2) each, in px; as written, not cleaned.
        masks: compressed RLE of the image's size.
        oddities: what is not as COCO has it: codes of findings, and words.
        problems: parts that could not be read.
    """

    polygons: list[Polygon] = field(default_factory=list)
    masks: list[bytes] = field(default_factory=list)
    oddities: dict[str, str] = field(default_factory=dict)
    problems: list[Unreadable] = field(default_factory=list)


def read_shape(annotation: dict[str, Any], size: tuple[int, int]) -> Shape:
    """Read the ``segmentation``; an empty one gives an empty shape.

    Args:
        annotation: as in the JSON; its box decides between readings of a doubtful RLE.
        size: width and height of the image, px.
    """
    shape, segmentation = Shape(), annotation.get("segmentation")
    if isinstance(segmentation, str) and not is_missing(segmentation):
        segmentation = written_out(segmentation)
    if segmentation is not annotation.get("segmentation") and not isinstance(segmentation, str):
        shape.oddities["text_shape"] = "its segmentation is text"
    if is_missing(segmentation):
        return shape
    if isinstance(segmentation, dict):
        _read_parts([segmentation], annotation, size, shape)
    elif not isinstance(segmentation, list):
        shape.problems.append(Unreadable("not_coco", f"segmentation is {segmentation!r:.40}"))
    elif not _as_coco_has_it(segmentation) and _is_polygon(segmentation):
        shape.oddities["flat_polygon"] = "a polygon stands where a list of polygons belongs"
        _read_parts([segmentation], annotation, size, shape)
    else:
        if any(isinstance(part, dict) and "counts" in part for part in segmentation):
            shape.oddities["rle_in_list"] = "an RLE stands in a list"
        _read_parts(segmentation, annotation, size, shape)
    return shape


def read_box(annotation: dict[str, Any], oddities: dict[str, str]) -> Polygon:
    """The four corners of the ``bbox``, float64 (4, 2), in px.

    Args:
        annotation: as in the JSON; its ``area`` or Detectron2's ``bbox_mode`` 0 tell corners x1,
            y1, x2, y2 from x, y, width, height.
        oddities: gets what is not as COCO has it.

    Raises:
        Unreadable: it is no box.
    """
    box, area = annotation.get("bbox"), annotation.get("area")
    if is_missing(box):
        raise Unreadable("not_coco", "it has neither a segmentation nor a bbox")
    given, corners = _box_values(box)
    if len(given) != 4:
        raise Unreadable("not_coco", f"bbox is {box!r:.60}, not [x, y, width, height]")
    values = [number(v) for v in given]
    if given is not box or any(isinstance(v, str) for v in given):
        oddities["odd_box"] = "its bbox is not a list of four numbers"
    x, y, w, h = _all_numbers(values, given, "bbox")
    said = annotation.get("bbox_mode") == 0 or _is_area(area, (w - x) * (h - y), w * h)
    if not corners and w > x and h > y and said:
        oddities["box_corners"] = "its bbox is x1, y1, x2, y2, as its area or bbox_mode says"
        corners = True
    if corners:
        w, h = w - x, h - y
    elif w < 0 or h < 0:
        oddities["negative_box"] = "its bbox has a negative width or height"
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])


def _box_values(box: Any) -> tuple[list[Any], bool]:
    """The values of a box in whatever form, and whether they are corners; empty for no box."""
    given: Any = written_out(box) if isinstance(box, str) else box
    if isinstance(given, dict):
        for keys in (*_BOX_KEYS, *_CORNER_KEYS):
            if all(key in given for key in keys):
                return [given[key] for key in keys], keys in _CORNER_KEYS
    while isinstance(given, list) and len(given) == 1:
        given = given[0]
    return given if isinstance(given, list) else [], False


def _read_parts(
    parts: list[Any], annotation: dict[str, Any], size: tuple[int, int], shape: Shape
) -> None:
    for part in parts if _as_coco_has_it(parts) else _unwrapped(parts, shape):
        if is_missing(part):
            continue
        try:
            if isinstance(part, dict) and "counts" in part:
                mask = _read_rle(part, annotation, size, shape)
                if rle.pixels(mask):
                    shape.masks.append(mask)
            else:
                shape.polygons.append(_read_polygon(part, shape))
        except Unreadable as problem:
            shape.problems.append(problem)


def _as_coco_has_it(parts: list[Any]) -> bool:
    """Whether these are flat polygons, as nearly always."""
    return all(isinstance(p, list) and len(p) > 2 and isinstance(p[0], int | float) for p in parts)


def _unwrapped(parts: list[Any], shape: Shape, depth: int = 0) -> Iterator[Any]:
    """The polygons and RLE in a list, out of further lists."""
    for part in parts:
        inner = part
        if isinstance(part, str):
            inner = written_out(part)
            shape.oddities["text_shape"] = "a part is text"
        nested = isinstance(inner, list) and inner and not _is_polygon(inner)
        if nested and any(isinstance(v, list | dict) for v in inner) and depth < _DEEPEST:
            shape.oddities["nested_polygons"] = "polygons are nested in further lists"
            yield from _unwrapped(inner, shape, depth + 1)
        else:
            yield inner


def _is_polygon(value: list[Any]) -> bool:
    """Whether a list is one polygon: of numbers, or of points."""
    first = value[0]
    if isinstance(first, list):
        return all(isinstance(v, list) and len(v) == 2 and _are_plain(v) for v in value)
    if isinstance(first, dict):
        return all(isinstance(v, dict) and "x" in v and "y" in v for v in value)
    if isinstance(first, str) and number(first) is None:
        pairs = [written_out(v) if isinstance(v, str) else v for v in value]
        return all(isinstance(pair, list) and len(pair) == 2 and _are_plain(pair) for pair in pairs)
    return _are_plain(value)


def _are_plain(values: list[Any]) -> bool:
    return not any(isinstance(v, list | dict) for v in values)


def _read_polygon(part: Any, shape: Shape) -> Polygon:
    if not isinstance(part, list):
        raise Unreadable("not_coco", f"{part!r:.40} stands where a polygon belongs")
    if isinstance(part[0], list | dict) or (isinstance(part[0], str) and number(part[0]) is None):
        pairs = [written_out(v) if isinstance(v, str) else v for v in part]
        pairs = [[v.get("x"), v.get("y")] if isinstance(v, dict) else v for v in pairs]
        if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            shape.oddities["point_pairs"] = "its points are pairs"
            part = [v for pair in pairs for v in pair]
    if not set(map(type, part)) <= {int, float}:
        if any(isinstance(v, str) for v in part):
            shape.oddities["text_numbers"] = "its numbers are text"
        part = _all_numbers([number(v) for v in part], part, "a coordinate")
    if len(part) % 2:
        message = f"a polygon of {len(part)} coordinates, an odd number"
        raise Unreadable("odd_coordinates", message)
    try:
        points = np.array(part, np.float64).reshape(-1, 2)
    except OverflowError as error:
        raise Unreadable("not_finite", "a coordinate is beyond all numbers") from error
    finite = np.isfinite(points)
    if not finite.all():
        raise Unreadable("not_finite", f"{points[~finite][0]} is not a finite number")
    return points


def _all_numbers(values: list[float | None], given: list[Any], what: str) -> list[float]:
    found = [v for v in values if v is not None]
    if len(found) < len(values):
        wrong = next(g for g, v in zip(given, values, strict=True) if v is None)
        if isinstance(wrong, float):
            raise Unreadable("not_finite", f"{what}: {wrong!r} is not a finite number")
        raise Unreadable("not_a_number", f"{what}: {wrong!r:.40} is not a number")
    return found


def _read_rle(
    part: dict[str, Any], annotation: dict[str, Any], size: tuple[int, int], shape: Shape
) -> bytes:
    """Compressed ``counts`` for an image of ``size``."""
    width, height = size
    counts, given = part["counts"], part.get("size")
    if isinstance(counts, str) and (plain := written_out(counts)) != counts.strip():
        counts = plain
        shape.oddities["rle_text"] = "its RLE counts are text of a list or of bytes"
    if isinstance(counts, list) and not set(map(type, counts)) <= {int}:
        whole_counts = [whole(v) for v in counts]
        if None not in whole_counts:
            shape.oddities["rle_numbers"] = "its RLE counts are floats or text"
            counts = whole_counts
    if counts in ("", []):
        return rle.compressed({"size": [height, width], "counts": [height * width]}, width, height)
    if isinstance(given, str):
        given = written_out(given)
    if isinstance(given, list):
        given = [v if (v := whole(one)) is not None else one for one in given]
    elif given is None:
        given = [height, width]
        shape.oddities["rle_no_size"] = "its RLE has no size; the image's is taken"
    try:
        if given == [width, height] and width != height:
            return _swapped(counts, annotation, size, shape)
        mask = rle.compressed({"size": given, "counts": counts}, width, height)
        return _down_or_along(mask, annotation, size, shape)
    except ValueError as error:
        # A box of the same wrong size would be as wrong.
        raise Unreadable("rle", str(error), box_counts=given == [height, width]) from error


def _swapped(counts: Any, annotation: dict[str, Any], size: tuple[int, int], shape: Shape) -> bytes:
    """An RLE that says [width, height]: down the columns or along the rows, as its box says."""
    width, height = size
    wrong = f"its RLE has size {[width, height]}, the image has {[height, width]}"
    down = rle.compressed({"size": [height, width], "counts": counts}, width, height)
    try:
        corners = read_box(annotation, {})
    except Unreadable:
        raise Unreadable("rle", f"{wrong}, and no bbox tells which way it runs") from None
    for mask in (down, _along(down, size)):
        if _fills(mask, corners, size):
            shape.oddities["rle_swapped"] = "its RLE has width and height swapped, as its bbox says"
            return mask
    raise Unreadable("rle", f"{wrong}, and its bbox fits neither way")


def _down_or_along(
    down: bytes, annotation: dict[str, Any], size: tuple[int, int], shape: Shape
) -> bytes:
    """A mask whose runs go down the columns, as COCO has it; or along the rows, where its box fits
    these alone, as of programs that flatten a picture as it lies."""
    try:
        corners = read_box(annotation, {})
    except Unreadable:
        return down
    if not _fills(down, corners, size) and _fills(along := _along(down, size), corners, size):
        shape.oddities["rle_along"] = "its RLE runs along the rows, as its bbox says"
        return along
    return down


def _along(down: bytes, size: tuple[int, int]) -> bytes:
    """The mask of an RLE whose runs go along the rows instead."""
    from pycocotools import mask as coco

    turned = {"size": list(size), "counts": down}
    return bytes(coco.encode(np.asfortranarray(coco.decode(turned).T))["counts"])


def _fills(mask: bytes, corners: Polygon, size: tuple[int, int]) -> bool:
    """Whether the box of a mask is the one that stands beside it."""
    from pycocotools import mask as coco

    x, y, w, h = coco.toBbox({"size": [size[1], size[0]], "counts": mask})
    return bool(np.abs(np.array([[x, y], [x + w, y + h]]) - corners[[0, 2]]).max() <= CLOSE)


def _is_area(area: Any, this: float, other: float) -> bool:
    """Whether ``area`` is the one of two that differ."""
    given = number(area)
    return given is not None and abs(given - this) < 1e-3 * this < abs(this - other)
