"""One polygon as it was written in, a polygon that can be trained on out, with what was odd; and
annotations that are there twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

import numpy as np

from segtrack.dataset import geometry
from segtrack.dataset.labels import Annotation, Polygon

SMALLEST = 1e-9  # share of the image under which an area is nothing but rounding
# Masks are drawn at a cost of the outline's length; none that somebody drew comes near.
MOST_CROSSINGS = 1000
MOST_TESTED = 10_000  # points
FARTHEST = 1e6  # image sizes; beyond it nobody drew, and what is cut off has no digits left
_FEW = 4000  # polygons that a process is done with before a compiler would have loaded


class Remark(NamedTuple):
    """Something to say about one line of a file; becomes a ``Finding`` with the file's name."""

    severity: str
    code: str
    line: int
    message: str
    hint: str


class Cleaned(NamedTuple):
    """A polygon inside of the image, its area in the square of its unit, and remarks."""

    polygon: Polygon | None
    area: float
    remarks: list[Remark]


def clean_polygon(points: Polygon, size: tuple[float, float], line: int, what: str) -> Cleaned:
    """Make one polygon usable, or say why it is left out.

    Args:
        points: finite float64 (n, 2).
        size: width and height of the image in the unit of ``points``.
        line, what: where it stands, for the remarks ("polygon", "polygon of annotation 17").
    """
    if next(_seen) > _FEW and len(points) <= MOST_TESTED and _plain(points, size):
        area = abs(geometry.signed_area(points))
        if area > SMALLEST * size[0] * size[1]:
            return Cleaned(points, area, [])
    written = points
    points = geometry.without_repeats(points)
    if len(points) < 3:
        different = len(np.unique(written, axis=0))
        message = f"{what} has {different} different points, needs 3; it is left out"
        return _dropped("few_points", line, message, "draw it again or remove the row")
    remarks: list[Remark] = []
    limit = np.asarray(size)
    slack = limit * geometry.EDGE_TOLERANCE
    low, high = written.min(0), written.max(0)
    if (low < -slack).any() or (high > limit + slack).any():
        where = f"x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g}"
        if (low < -FARTHEST * limit).any() or (high > FARTHEST * limit).any():
            message = f"{what} reaches {FARTHEST:,.0f} image sizes away ({where}); it is left out"
            return _dropped("outside", line, message, _outside_hint(size))
        points = geometry.clip(points, size)
        if len(points) < 3:
            message = f"{what} lies outside of the image ({where}); it is left out"
            return _dropped("outside", line, message, _outside_hint(size))
        message = f"{what} reaches out of the image ({where}); it is clipped"
        remarks.append(Remark("warning", "clipped", line, message, _outside_hint(size)))
    elif (low < 0).any() or (high > limit).any():
        points = geometry.without_repeats(np.clip(points, 0.0, limit))
    lengths = np.abs(np.diff(points, axis=0)).sum(0) / limit
    if lengths.sum() > MOST_CROSSINGS:
        message = f"{what} runs more than {MOST_CROSSINGS} times across the image; it is left out"
        return _dropped("endless", line, message, "draw it again or remove the row")
    # All pairs of edges: of so many that would take minutes.
    tested = len(points) <= MOST_TESTED
    crossing = not tested or geometry.self_intersects(points)
    area = abs(geometry.signed_area(points))
    if crossing:
        area = _crossing_area(points, size, area)
    if area <= SMALLEST * size[0] * size[1]:
        message = f"{what} has no area; it is left out"
        return _dropped("zero_area", line, message, "draw it again or remove the row")
    if crossing and tested:
        message = f"{what} with {len(points)} points intersects itself"
        hint = "it is used as it is; draw it again where the mask matters"
        remarks.append(Remark("warning", "self_intersecting", line, message, hint))
    return Cleaned(points, area, remarks)


class Placed(NamedTuple):
    """An annotation with its line and what it is called in remarks ("row 3", "annotation 17")."""

    annotation: Annotation
    line: int
    what: str


def without_copies(placed: Iterable[Placed]) -> tuple[list[Annotation], list[Remark]]:
    """Leave out exact repeats: the same class and shape in the same image.

    They come from exports that were merged or written twice. An object that is there twice can be
    found once only: as ground truth one of the two would always count as missed.

    Args:
        placed: the annotations of one image, cleaned.

    Returns:
        The first of each, in their order, and a remark for each that is left out.
    """
    first: dict[tuple[object, ...], str] = {}
    kept, remarks = [], []
    for annotation, line, what in placed:
        # Two boxes may be equal where masks are not; -0.0 and 0.0 are the same place.
        shape = tuple((polygon + 0.0).tobytes() for polygon in annotation.polygons)
        key = (annotation.class_id, annotation.crowd, annotation.rle, shape)
        if key in first:
            message = f"{what} has the class and shape of {first[key]}; it is left out"
            hint = "remove all but one"
            remarks.append(Remark("warning", "repeated_label", line, message, hint))
        else:
            first[key] = what
            kept.append(annotation)
    return kept, remarks


_seen = count()


def _plain(points: Polygon, size: tuple[float, float]) -> bool:
    """Whether nothing would be said or changed; half the length leaves room for rounding."""
    from segtrack.dataset.polygon_kernels import plain

    width, height = size
    return plain(np.ascontiguousarray(points), float(width), float(height), MOST_CROSSINGS / 2)


def _crossing_area(points: Polygon, size: tuple[float, float], area: float) -> float:
    width, height = np.ptp(points, axis=0)
    if width * height <= SMALLEST * size[0] * size[1] or _on_one_line(points):
        return area
    return geometry.filled_area(points, size) or area


def _on_one_line(points: Polygon) -> bool:
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return bool(spread[1] <= 1e-9 * max(spread[0], 1e-300))


def _dropped(code: str, line: int, message: str, hint: str) -> Cleaned:
    return Cleaned(None, 0.0, [Remark("warning", code, line, message, hint)])


def _outside_hint(size: tuple[float, float]) -> str:
    if size == (1.0, 1.0):
        return "coordinates are shares of the image, 0 to 1; are these pixels?"
    return f"the image is {size[0]:g} x {size[1]:g} pixels; is it the image that was annotated?"
