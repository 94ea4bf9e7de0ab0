"""Which detection finds which object: COCO's rule, as pycocotools' ``evaluateImg`` has it.

A cell is a class in an image. In it each detection, best score first, takes the free object that it
overlaps most, at least by the threshold; objects that count come before those that are ignored, and
a crowd may be taken more than once. Detections that took nothing and whose area is out of range are
ignored too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pycocotools.cocoeval import Params

from segtrack.base.compiled import compiled

_DEFAULTS = Params(iouType="segm")  # those of boxes are the same
IOUS = _DEFAULTS.iouThrs
RECALLS = _DEFAULTS.recThrs
AREAS = dict(zip(_DEFAULTS.areaRngLbl, _DEFAULTS.areaRng, strict=True))
"""Name to range in px², its ends within it; ``all`` is the first."""
MOST = tuple(sorted(_DEFAULTS.maxDets))
"""Detections per class and image that a figure is about."""
NONE = -1


@dataclass(frozen=True)
class Cells:
    """C cells with their detections and objects: positions in some lists, cell by cell.

    Attributes:
        found: int64 (D,), positions of the detections, best score first.
        found_starts: int64 (C + 1,), where those of each cell begin.
        objects, objects_starts: the same of the objects.
    """

    found: np.ndarray
    found_starts: np.ndarray
    objects: np.ndarray
    objects_starts: np.ndarray


@dataclass(frozen=True)
class Assigned:
    """What took what; D detections and G objects as they are listed in ``Cells``.

    Attributes:
        right: uint16 (A, D), by area range; bit t is set where it found an object that counts, at
            the t-th IoU threshold.
        ignored: uint16 (A, D), bit t is set where it is neither right nor wrong.
        skipped: bool (A, G), the object is ignored.
        of_found: int64 (D,), which object each took, of all areas at the first threshold, as a
            position in ``Cells.objects``; or ``NONE``.
        of_object: int64 (G,), the last one that took each object, likewise.
    """

    right: np.ndarray
    ignored: np.ndarray
    skipped: np.ndarray
    of_found: np.ndarray
    of_object: np.ndarray


def assign(
    cells: Cells,
    iou: np.ndarray,
    first: np.ndarray,
    column: np.ndarray,
    area: tuple[np.ndarray, np.ndarray],
    crowd: np.ndarray,
) -> Assigned:
    """Match all cells in each area range, at each of COCO's IoU thresholds.

    Args:
        iou: float64, of the detections with the objects of their image, one row after the other.
        first: int64, of each detection in the list, where its row begins.
        column: int64, of each object in the list, its place in the rows of its image.
        area: float64, of the detections and of the objects in the lists, px².
        crowd: bool, of the objects in the list.
    """
    ranges = np.array(list(AREAS.values()), np.float64)
    values = _assign(
        cells.found_starts,
        cells.objects_starts,
        iou,
        first[cells.found],
        column[cells.objects],
        area[0][cells.found],
        area[1][cells.objects],
        crowd[cells.objects],
        ranges,
        np.minimum(IOUS, 1 - 1e-10),
    )
    return Assigned(*values)


@compiled
def _assign(
    found_starts: np.ndarray,
    objects_starts: np.ndarray,
    iou: np.ndarray,
    first: np.ndarray,
    column: np.ndarray,
    found_area: np.ndarray,
    object_area: np.ndarray,
    crowd: np.ndarray,
    ranges: np.ndarray,
    thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    right = np.zeros((len(ranges), len(first)), np.uint16)
    ignored = np.zeros((len(ranges), len(first)), np.uint16)
    skipped = np.zeros((len(ranges), len(column)), np.bool_)
    of_found = np.full(len(first), -1, np.int64)
    of_object = np.full(len(column), -1, np.int64)
    order = np.empty(len(column), np.int64)  # objects of a cell: those that count come first
    taken = np.empty(len(column), np.bool_)
    for a in range(len(ranges)):
        low, high = ranges[a]
        for c in range(len(found_starts) - 1):
            begin, end = objects_starts[c], objects_starts[c + 1]
            count = 0
            for g in range(begin, end):
                skip = crowd[g] or object_area[g] < low or object_area[g] > high
                skipped[a, g] = skip
                if not skip:
                    order[count] = g
                    count += 1
            for g in range(begin, end):
                if skipped[a, g]:
                    order[count] = g
                    count += 1
            for t in range(len(thresholds)):
                bit = np.uint16(1 << t)
                taken[begin:end] = False
                for d in range(found_starts[c], found_starts[c + 1]):
                    best, match = thresholds[t], -1
                    for i in range(count):
                        g = order[i]
                        if taken[g] and not crowd[g]:
                            continue
                        if match > -1 and not skipped[a, match] and skipped[a, g]:
                            break
                        overlap = iou[first[d] + column[g]]
                        if overlap < best:
                            continue
                        best, match = overlap, g
                    if match < 0:
                        if found_area[d] < low or found_area[d] > high:
                            ignored[a, d] |= bit
                        continue
                    taken[match] = True
                    if skipped[a, match]:
                        ignored[a, d] |= bit
                    else:
                        right[a, d] |= bit
                    if a == 0 and t == 0:
                        of_found[d], of_object[match] = match, d
    return right, ignored, skipped, of_found, of_object
