"""COCO annotations of one image, as they stand in the JSON, to ``Labels``.

What can be read is read as the exporter meant it (``coco_shapes``); where it is not as COCO has
it, a warning of its kind says how. Without a usable segmentation the mask is the
rectangle of the ``bbox``, the kind ``box_only``. What cannot be read at all is left out with a
warning.

Single annotations do not stop a data set. Where more than one, and more than one in ``DOUBTFUL`` of
a file, or all of them cannot be read, the rest is doubtful: ``check_doubtful`` makes that an error.
Empty segmentations and those without area count as not drawn, not as unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from segtrack.base import rle
from segtrack.dataset import coco_values as values
from segtrack.dataset.checks import Checks
from segtrack.dataset.cleaning import Placed, Remark, clean_polygon, without_copies
from segtrack.dataset.coco_shapes import CLOSE, Shape, Unreadable, read_box, read_shape
from segtrack.dataset.coco_values import Key
from segtrack.dataset.geometry import outlines, turned
from segtrack.dataset.labels import Annotation, Labels, Polygon, labels_of

DOUBTFUL = 20
UNREADABLE_ERROR = "unreadable_annotations"
UNREADABLE = (
    *("not_coco", "class_id", "no_such_image", "rle", "bad_shape"),
    *("not_a_number", "not_finite", "odd_coordinates"),
)
SHARES = 0.9  # of a file's objects inside of the first pixel are no coincidence
_SHAPE = "segmentation is a list of polygons [[x1, y1, x2, y2, ...], ...] or an RLE"
_NEAR = 0.5  # IoU of boxes of one object, however roughly they are drawn
_THIN = 0.1  # of a mask's area: less is not its area


@dataclass(frozen=True)
class RawAnnotation:
    """An element of ``annotations`` and the line it begins in."""

    line: int
    value: dict[str, Any]


class Tally(NamedTuple):
    """Annotations of one or several images: all, unreadable ones, those within the first pixel."""

    total: int = 0
    unreadable: int = 0
    tiny: int = 0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(a + b for a, b in zip(self, other, strict=True)))


class ReadAnnotations(NamedTuple):
    """Usable annotations of an image in px, remarks with line numbers, and counts."""

    labels: Labels
    remarks: list[Remark]
    tally: Tally


def read_annotations(
    raws: list[RawAnnotation], class_ids: dict[Key, int], width: int, height: int
) -> ReadAnnotations:
    """Annotations of one image.

    Args:
        raws: as in the JSON.
        class_ids: category id, as ``id_key`` gives it, to class id.
        width, height: px of the image file as displayed.
    """
    remarks: list[Remark] = []
    placed, rectangles, unreadable, tiny = [], {}, 0, 0
    for raw in raws:
        one = _One(raw, (width, height), remarks)
        try:
            annotation = _guarded(one, class_ids)
        except Unreadable as problem:
            one.say(problem.code, f"{problem}; it is left out", _hint(problem))
            one.unreadable = True
        else:
            if annotation:
                placed.append(Placed(annotation, raw.line, one.name))
                rectangles[id(annotation)] = one.box_only
        unreadable += one.unreadable
        tiny += one.tiny
    kept, repeats = without_copies(placed)
    remarks += repeats
    remarks += [remark for a in kept if (remark := rectangles[id(a)])]
    return ReadAnnotations(labels_of(kept), remarks, Tally(len(raws), unreadable, tiny))


def _guarded(one: _One, class_ids: dict[Key, int]) -> Annotation | None:
    try:
        return one.read(class_ids)
    except RecursionError as error:  # of text that holds lists in lists
        raise Unreadable("not_coco", "its segmentation is nested too deeply") from error


def check_doubtful(checks: Checks, where: str, tally: Tally, one_file: bool = True) -> None:
    """Say what all annotations show together: that they are doubtful, or shares.

    Args:
        where: the file that has them all, or the folder of the data set.
        tally: of all these annotations.
        one_file: they stand in one file; else findings of all files are theirs.
    """
    share = max(1, tally.total / DOUBTFUL)
    if tally.unreadable > share or (tally.unreadable and tally.unreadable == tally.total):
        query = (
            "SELECT code, COUNT(*), MIN(rowid), line, message FROM findings "
            "WHERE ? IN (file, '') AND severity = 'warning' "
            f"AND code IN ({','.join('?' * len(UNREADABLE))}) "
            "GROUP BY code ORDER BY 3"
        )
        kinds = checks.db.execute(query, (where if one_file else "", *UNREADABLE)).fetchall()
        counts = ", ".join(f"{code} {count}" for code, count, *_ in kinds)
        line, first = kinds[0][3:]
        message = (
            f"{tally.unreadable} of {tally.total} annotations cannot be read ({counts}); the first"
            f"{f' is in line {line}' if line else ''}: {first}"
        )
        hint = f"mend them; only up to one in {DOUBTFUL} is left out with a warning"
        checks.error(UNREADABLE_ERROR, where, message, hint)
    if tally.tiny and tally.tiny >= SHARES * tally.total:
        message = f"{tally.tiny} of {tally.total} objects are under 1 px: coordinates are 0 to 1"
        hint = "they should be pixels; are these shares? Multiply them by width and height"
        checks.warn("shares", where, message, hint)


@dataclass
class _One:
    """One annotation while it is read."""

    raw: RawAnnotation
    size: tuple[int, int]
    remarks: list[Remark]
    unreadable: bool = False
    tiny: bool = False
    box_only: Remark | None = None
    extent: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)  # x, y, width, height of what was read
    oddities: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"annotation {self.raw.value.get('id', '?')}"

    def say(self, code: str, message: str, hint: str) -> None:
        """A warning."""
        self.remarks.append(Remark("warning", code, self.raw.line, f"{self.name}: {message}", hint))

    def read(self, class_ids: dict[Key, int]) -> Annotation | None:
        """The annotation, or None where it has no area.

        Raises:
            Unreadable: it says nothing clear.
        """
        value = self.raw.value
        if "segments_info" in value:
            message = "it is of a panoptic file, whose masks are PNG files: make instances of it"
            raise Unreadable("not_coco", message)
        category = values.id_key(value.get("category_id"))
        if category is None or category not in class_ids:
            given = value.get("category_id")
            kind = values.kind_of(given)
            message = f"category_id {given!r:.40} ({kind}) is not in categories"
            raise Unreadable("class_id", message)
        crowd = values.flag(value.get("iscrowd"))
        if crowd is None:
            hint = "iscrowd is 1 for a region of many objects, else 0"
            self.say("odd_crowd", f"iscrowd is {value['iscrowd']!r:.40}; taken as 0", hint)
        if crowd and values.of_cvat(value):
            crowd = False
            hint = "nothing, if that is right: of CVAT's COCO nothing tells regions of many objects"
            message = "iscrowd is 1, as CVAT writes for every mask; it is taken as one object"
            self.say("mask_of_cvat", message, hint)
        annotation = self._shaped(read_shape(value, self.size), class_ids[category], bool(crowd))
        for code, text in self.oddities.items():
            self.say(code, f"{text}; it is read so", _SHAPE)
        return annotation

    def _shaped(self, shape: Shape, class_id: int, crowd: bool) -> Annotation | None:
        self.oddities.update(shape.oddities)
        self.unreadable = bool(shape.problems)
        self._look_small(shape.polygons)
        before = len(self.remarks)
        annotation = (
            self._from_masks(shape, class_id, crowd)
            if shape.masks
            else self._from_polygons(shape.polygons, class_id, crowd)
        )
        if annotation is not None:
            for problem in shape.problems:
                self.say(problem.code, f"{problem}; this part is left out", _hint(problem))
            self._look_at_box()
            return annotation
        if any(remark.code == "outside" for remark in self.remarks[before:]):
            return None  # so would be its box
        return self._from_box(shape, class_id, crowd)

    def _from_box(self, shape: Shape, class_id: int, crowd: bool) -> Annotation | None:
        first = next(iter(shape.problems), None)
        if first is not None and not first.box_counts:
            raise first
        try:
            corners = read_box(self.raw.value, self.oddities)
        except Unreadable as error:
            if first is not None:
                raise first from error
            if shape.polygons:  # what is wrong with them was said
                return None
            raise
        if first is not None:
            self.say(first.code, f"{first}; its bbox is taken", _hint(first))
        self._look_small([corners])
        if degrees := values.degrees_of(self.raw.value):
            corners = turned(corners, corners.mean(axis=0), degrees)
        else:
            self._look_at_corners(corners)
        annotation = self._from_polygons([corners], class_id, crowd)
        if annotation is not None and not degrees:
            what = "no usable segmentation but a bbox" if shape.polygons else "a box only"
            message = f"{self.name} has {what}; the mask is its rectangle"
            hint = "label with polygons, or leave it so if rough masks will do"
            self.box_only = Remark("warning", "box_only", self.raw.line, message, hint)
        return annotation

    def _from_polygons(
        self, polygons: list[Polygon], class_id: int, crowd: bool
    ) -> Annotation | None:
        size = (float(self.size[0]), float(self.size[1]))
        kept, area = [], 0.0
        for polygon in polygons:
            cleaned = clean_polygon(polygon, size, self.raw.line, f"polygon of {self.name}")
            self.remarks.extend(cleaned.remarks)
            if cleaned.polygon is not None:
                kept.append(cleaned.polygon)
                area += cleaned.area
        if not kept:
            return None
        points = kept[0] if len(kept) == 1 else np.concatenate(kept)
        (x, y), (u, v) = points.min(0).tolist(), points.max(0).tolist()
        w, h = u - x, v - y
        self.extent = (x, y, w, h)
        area = self._area(area, w, h)
        return Annotation(class_id, kept, area, crowd=crowd)

    def _from_masks(self, shape: Shape, class_id: int, crowd: bool) -> Annotation:
        """Of an RLE; several of them, or with polygons beside, are one object together."""
        from pycocotools import mask

        width, height = self.size
        parts: list[Any] = [{"size": [height, width], "counts": m} for m in shape.masks]
        drawn = [p for p in shape.polygons if len(p) > 2]
        if drawn:
            parts += mask.frPyObjects([p.reshape(-1).tolist() for p in drawn], height, width)
        counts = shape.masks[0] if len(parts) == 1 else bytes(mask.merge(parts)["counts"])
        whole = {"size": [height, width], "counts": counts}
        x, y, w, h = self.extent = tuple(float(v) for v in mask.toBbox(whole))
        area = self._area(float(rle.pixels(counts)), w, h)
        return Annotation(class_id, outlines(whole), area, (x, y, w, h), crowd, rle=counts)

    def _area(self, computed: float, width: float, height: float) -> float:
        """COCO's own ``area`` where it can be one, since its size classes go by it."""
        value = self.raw.value.get("area")
        given = values.number(value)
        if given is None or given <= 0:
            return computed
        if _THIN * computed <= given <= (width + 1) * (height + 1):
            return given
        message = f"area is {value!r:.40}, the mask has {computed:.6g} px in a box of "
        message += f"{width:.6g} x {height:.6g}"
        hint = "the mask's is taken; COCO's small, medium and large go by it"
        self.say("area_differs", message, hint)
        return computed

    def _look_at_box(self) -> None:
        """Whether the bbox that stands beside a segmentation is about something else."""
        given = self.raw.value.get("bbox")
        if type(given) is list and len(given) == 4 and set(map(type, given)) <= {int, float}:
            x, y, w, h = given
            if self._is_near(x, y, x + w, y + h):
                return  # as nearly always: the rest takes longer
        try:
            corners = read_box(self.raw.value, {})
        except Unreadable:
            return
        if not self._is_near(*corners[0].tolist(), *corners[2].tolist()):
            x, y, w, h = self.extent
            message = f"its bbox is {given!r:.60}, its segmentation lies in "
            message += f"{x:.6g}, {y:.6g}, {w:.6g}, {h:.6g}"
            hint = "the segmentation is taken; are its x and y swapped, or its rows and columns?"
            self.say("box_differs", message, hint)

    def _is_near(self, x1: float, y1: float, x2: float, y2: float) -> bool:
        """Whether a box, as far as it is inside of the image, has much in common with the object's
        own, ``extent``, or differs from it by so little as that changes where objects are thin."""
        (x, y, w, h), (width, height) = self.extent, self.size
        x1, x2 = min(max(x1, 0), width), min(max(x2, 0), width)
        y1, y2 = min(max(y1, 0), height), min(max(y2, 0), height)
        if max(abs(x1 - x), abs(y1 - y), abs(x2 - x - w), abs(y2 - y - h)) <= CLOSE:
            return True
        shared = max(0, min(x2, x + w) - max(x1, x)) * max(0, min(y2, y + h) - max(y1, y))
        return shared >= _NEAR * ((x2 - x1) * (y2 - y1) + w * h - shared)

    def _look_at_corners(self, corners: Polygon) -> None:
        """Whether a box would fit into the image if it were x1, y1, x2, y2."""
        (x, y), size = corners[0], np.array(self.size)
        w, h = corners[2] - corners[0]
        if (corners[2] > size + 1).any() and x < w <= size[0] + 1 and y < h <= size[1] + 1:
            message = f"as x, y, width, height its bbox {self.raw.value['bbox']} leaves the image"
            hint = "it is taken so; COCO's bbox is x, y, width, height. Are these corners?"
            self.say("corners", message, hint)

    def _look_small(self, polygons: list[Polygon]) -> None:
        """Whether all coordinates are 0 to 1 in an image that is larger."""
        if polygons and min(self.size) > 1:
            self.tiny = all(len(p) and p.max() <= 1 and p.min() >= 0 for p in polygons)


def _hint(problem: Unreadable) -> str:
    if problem.code == "class_id":
        return "add it to categories, or mend the annotation"
    if problem.code == "rle":
        return "an RLE has size [height, width] of its image and counts that sum to all pixels"
    return _SHAPE
