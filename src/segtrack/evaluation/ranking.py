"""AP of a data set, of it without one unit, and of one unit alone: what pycocotools would give.

One class at a time is in memory beside the units. Its detections are sorted once. Without a unit
its own ones are passed over, which leaves the precision at every other right detection to be
counted anew: that of the detections before it less the unit's. So leaving out each of 5,000 images
takes seconds and not 5,000 evaluations.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.evaluation.matching import Kind
from segtrack.evaluation.units import ImageUnits

IOU_COUNT = 10  # .50, .55, ..., .95
RECALLS = np.linspace(0, 1, 101)
_EPSILON = np.spacing(1)  # pycocotools adds it to the denominator of precision


@dataclass(frozen=True)
class Precisions:
    """AP of one kind by IoU threshold. A cell is a class in a unit where it occurs or was found.

    Attributes:
        whole: float (K, T), by class; NaN for those without ground truth.
        class_id, unit, objects: int (C,), of each cell; objects without crowds.
        without: float (C, T), of the cell's class without the cell's unit; NaN where nothing of the
            class is left. All other units leave the class as it is.
        alone: float (C, T), of the cell's class in the cell's unit; NaN where it has no objects.
    """

    whole: np.ndarray
    class_id: np.ndarray
    unit: np.ndarray
    objects: np.ndarray
    without: np.ndarray
    alone: np.ndarray


def precisions(units: ImageUnits, kind: Kind, unit: np.ndarray) -> Precisions:
    """AP of all images, and with and of each unit.

    Args:
        unit: int (N,), of each image, from 0.
    """
    found, parts = units.detections[kind], []
    ends = np.append(0, np.cumsum(found.count, dtype=np.int64))
    bounds = np.searchsorted(units.class_id, np.arange(len(units.names) + 1))
    for first, last in pairwise(bounds.tolist()):
        here, own = slice(first, last), slice(*ends[[first, last]])
        parts.append(
            _of_class(
                unit[units.image[here]],
                units.objects[here],
                found.count[here],
                (found.score[own], found.right[own], found.ignored[own]),
            )
        )
    whole, of_unit, objects, without, alone = zip(*parts, strict=True)
    return Precisions(
        np.concatenate(whole),
        np.repeat(np.arange(len(parts)), [len(one) for one in of_unit]),
        np.concatenate(of_unit),
        np.concatenate(objects),
        np.concatenate(without),
        np.concatenate(alone),
    )


def _of_class(
    unit: np.ndarray,
    objects: np.ndarray,
    count: np.ndarray,
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One class: of all (1, T), its units with their objects (C,), and without and alone (C, T).

    Args:
        unit, objects, count: of the cells: their unit, objects and detections.
        found: score, right and ignored of the detections.
    """
    of_unit, cell_of = np.unique(unit, return_inverse=True)
    of_objects = np.bincount(cell_of, objects, len(of_unit)).astype(np.int64)
    total = of_objects.sum(keepdims=True)
    cell = np.repeat(cell_of, count)
    together = np.zeros(len(of_unit), np.int64)  # the one list that all are in
    nothing = np.empty(0, np.int64)
    whole = _Sorted.of(np.zeros(len(cell), np.int64), 1, *found)
    moved = cell[whole.order]
    own = np.argsort(moved, kind="stable")  # ascends within a cell
    own_starts = np.searchsorted(moved[own], np.arange(len(of_unit) + 1))
    of_all = whole.average_precision(np.zeros(1, np.int64), total, nothing, 0)
    without = whole.average_precision(together, total - of_objects, own, own_starts)
    del whole, moved, own
    each = _Sorted.of(cell, len(of_unit), *found)
    alone = each.average_precision(np.arange(len(of_unit)), of_objects, nothing, 0)
    return of_all, of_unit, of_objects, without, alone


@dataclass(frozen=True)
class _Sorted:
    """Detections list by list, best score first.

    Attributes:
        order: int (D,), where each detection stood.
        right, ignored: uint16 (D,), as in ``MatchedDetections``.
        listed: int (D,), the list of each. begin: int (L + 1,), where the lists begin.
    """

    order: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    listed: np.ndarray
    begin: np.ndarray

    @staticmethod
    def of(
        listed: np.ndarray, lists: int, score: np.ndarray, right: np.ndarray, ignored: np.ndarray
    ) -> _Sorted:
        """Sort by list and score; equal ones stay in the order of their images."""
        order = np.lexsort((-score, listed))
        listed = listed[order]
        begin = np.searchsorted(listed, np.arange(lists + 1))
        return _Sorted(order, right[order], ignored[order], listed, begin)

    def average_precision(
        self, lists: np.ndarray, objects: np.ndarray, own: np.ndarray, own_starts: np.ndarray | int
    ) -> np.ndarray:
        """AP by IoU threshold, float (C, T), of C cases; NaN of those without objects.

        Args:
            lists: int (C,), the list of each case.
            objects: int64 (C,), of the ground truth in each.
            own: int64, positions of the detections that a case does without, ascending; those of
                the c-th are ``own[own_starts[c]:own_starts[c + 1]]``.
        """
        own_starts = np.broadcast_to(own_starts, len(lists) + 1)
        result = np.empty((len(lists), IOU_COUNT))
        for t in range(IOU_COUNT):  # the ranks of one threshold at a time are in memory
            right, ignored = (self.right >> t) & 1 == 1, (self.ignored >> t) & 1 == 1
            hits = np.flatnonzero(right)
            total = np.append(0, np.cumsum(~ignored))
            counted = total[hits + 1] - total[self.begin[self.listed[hits]]]
            starts = np.searchsorted(hits, self.begin)
            given = lists, objects, own, own_starts, right, ignored, hits, counted, starts
            result[:, t] = _average_precision(*given)
        return result


@compiled
def _average_precision(
    lists: np.ndarray,
    objects: np.ndarray,
    own: np.ndarray,
    own_starts: np.ndarray,
    right: np.ndarray,
    ignored: np.ndarray,
    hits: np.ndarray,
    counted: np.ndarray,
    starts: np.ndarray,
) -> np.ndarray:
    """pycocotools' ``accumulate``; see ``_Sorted.average_precision``.

    The precision at a recall is the highest one from there on. So it is summed from the last right
    detection to the first: the highest so far is that of all recalls which the one at hand reaches.
    """
    result = np.full(len(lists), np.nan)
    needed = np.empty(len(RECALLS), np.int64)  # right detections that reach a recall
    for c in range(len(lists)):
        if objects[c] == 0:
            continue
        for i in range(len(RECALLS)):
            needed[i] = max(int(np.ceil(RECALLS[i] * objects[c])), 1)
            while needed[i] > 1 and (needed[i] - 1) / objects[c] >= RECALLS[i]:
                needed[i] -= 1  # as floats compare
            while needed[i] / objects[c] < RECALLS[i]:
                needed[i] += 1
        begin, end = starts[lists[c]], starts[lists[c] + 1]
        left, passed = end - begin, 0  # right detections; own ones that would count
        first, o = own_starts[c], own_starts[c + 1] - 1
        for d in own[first : o + 1]:
            left -= right[d]
            passed += not ignored[d]
        r = len(RECALLS) - 1  # the highest recall that is still open
        while r >= 0 and needed[r] > left:
            r -= 1
        best = total = 0.0
        for h in range(end - 1, begin - 1, -1):
            while o >= first and own[o] > hits[h]:
                passed -= not ignored[own[o]]
                o -= 1
            if o >= first and own[o] == hits[h]:
                continue
            best = max(best, left / (counted[h] - passed + _EPSILON))
            left -= 1
            while r >= 0 and needed[r] > left:
                total += best
                r -= 1
        result[c] = total / len(RECALLS)
    return result
