"""Which objects were found, by how much of each is visible and by its size.

An object that is mostly hidden is smaller on average, and often of another class, than one in the
open: recall by visible fraction alone compares sizes and classes as much as it compares occlusion.
So each size is judged on its own, and a slice says where its objects are not like the others.

The size is that of the whole object, its visible area divided by its visible fraction, by COCO's
limits of 32 and 96 px squared: what an occluder takes away is then part of what occlusion does, not
a move to another size. A part outside of the image counts as hidden where the source does so.

Every object is judged whose visible fraction is known, also those that AP ignores as too small or
too hidden (``ignored``): to leave them out would leave the easy ones of each slice. AP knows
nothing of this. Detections that AP's matching left over, the best first, each find the ignored
object that they overlap most, at IoU .5 or more.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.base.shares import share_interval
from segtrack.base.sizes import COMMON, SIZE_EDGES, SIZES
from segtrack.evaluation.assignment import NONE, Assigned, Cells
from segtrack.evaluation.lists import BatchLists

IOU = 0.5
NOT_FOUND = -1.0
_FAR = 0.2  # total variation from which a mix of sizes or classes counts as another one
_ROW = np.dtype(
    [
        *(("image", np.int32), ("class_id", np.int16), ("visible", np.float64)),
        *(("area", np.float64), ("ignored", bool), ("score", np.float32)),
    ]
)


@dataclass(frozen=True)
class VisibleObjects:
    """N objects of one split whose visible fraction is known.

    Attributes:
        image: int32 (N,), position of the image.
        class_id: int16 (N,).
        visible: float64 (N,), visible fraction 0..1.
        area: float64 (N,), px² that are visible.
        ignored: bool (N,), AP ignores it.
        score: float32 (N,), of the detection that found its mask at IoU .5 under COCO's matching;
            ``NOT_FOUND`` where none did. From a threshold on, those that reach it are found.
    """

    image: np.ndarray
    class_id: np.ndarray
    visible: np.ndarray
    area: np.ndarray
    ignored: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    @staticmethod
    def of(rows: Sequence[Sequence[Any]]) -> VisibleObjects:
        """Of the attributes' values, a row for each object."""
        table = np.array([tuple(row) for row in rows], dtype=_ROW)
        return VisibleObjects(*(table[name] for name in _ROW.names or ()))

    @staticmethod
    def joined(parts: Sequence[VisibleObjects]) -> VisibleObjects:
        """All of some batches."""
        every = (VisibleObjects.of([]), *parts)
        return VisibleObjects(
            *(np.concatenate([getattr(part, name) for part in every]) for name in _ROW.names or ())
        )

    def size(self) -> np.ndarray:
        """Position in ``SIZES`` by the area of the whole object, int (N,)."""
        whole = self.area / np.maximum(self.visible, 1e-9)
        return np.asarray(np.searchsorted(SIZE_EDGES, whole, side="right"))


@dataclass(frozen=True)
class Stratum:
    """Recall of the masks of some objects at IoU .5: a slice by visible fraction, or a part of it.

    Attributes:
        visible: edges of the slice, ``0.25-0.50``.
        size: of ``SIZES``; None for all together.
        class_id: None for all together.
        objects: judged, and how many of these AP ignores.
        recall: share of the objects that were found, at any score; None without objects.
        recall_conf: the same among detections from ``confusion_conf`` on.
        low, high: its 95% interval, by the units that images belong to (``share_interval``).
        remark: of a whole slice, how its objects differ from all that are judged; else empty.
    """

    visible: str
    size: str | None
    class_id: int | None
    objects: int
    ignored: int
    recall: float | None
    recall_conf: float | None
    low: float | None = None
    high: float | None = None
    remark: str = ""


def slice_names(edges: Sequence[float]) -> list[str]:
    """Names of the slices between edges: ``0.25-0.50``. The last one holds its upper edge."""
    return [f"{a:.2f}-{b:.2f}" for a, b in itertools.pairwise(edges)]


def found_objects(
    lists: BatchLists, cells: Cells, assigned: Assigned, first: int
) -> VisibleObjects:
    """The objects of one batch with a known visible fraction.

    Args:
        cells, assigned: of masks.
        first: position of the batch's first image among all.
    """
    truth = [lists.truth[i] for i in cells.objects]
    visible = np.array([one.get("visible_fraction") for one in truth], np.float64)
    known = ~np.isnan(visible)
    if not known.any():
        return VisibleObjects.of([])
    score = np.full(len(truth), NOT_FOUND, np.float32)
    taken = assigned.of_object != NONE
    score[taken] = lists.score[cells.found[assigned.of_object[taken]]]
    ignored = assigned.skipped[0]
    again = np.flatnonzero(known & ignored)
    for cell in np.unique(np.searchsorted(cells.objects_starts, again, side="right") - 1):
        objects = slice(*cells.objects_starts[cell : cell + 2])
        found = slice(*cells.found_starts[cell : cell + 2])
        wanted = again[(again >= objects.start) & (again < objects.stop)]
        left = found.start + np.flatnonzero((assigned.right[0, found] & 1) == 0)
        score[wanted] = _look_again(lists, cells.found[left], [truth[i] for i in wanted])
    cell_of = np.repeat(np.arange(len(cells.objects_starts) - 1), np.diff(cells.objects_starts))
    order = np.lexsort((ignored, cell_of))
    order = order[known[order]]
    where = cells.objects[order]
    return VisibleObjects(
        (lists.truth_image[where] + first).astype(np.int32),
        np.array([truth[i]["category_id"] for i in order], np.int16),
        np.minimum(visible[order], 1.0),
        lists.area[where],
        ignored[order],
        score[order],
    )


def _look_again(lists: BatchLists, left: np.ndarray, objects: list[dict[str, Any]]) -> list[float]:
    """Score of the detection that finds each of the ignored objects of a cell.

    Args:
        left: the cell's detections that AP's matching left over, best score first.
    """
    scores = [NOT_FOUND] * len(objects)
    if not len(left):
        return scores
    rles = lists.batch.rles
    shapes = [rles[lists.found_image[d]][lists.place[d]] for d in left]
    masks = [one["segmentation"] for one in objects]
    iou = np.asarray(coco_mask.iou(shapes, masks, [0] * len(objects)))
    for row, d in enumerate(left):
        best = int(iou[row].argmax())
        if iou[row, best] >= IOU:
            scores[best] = float(lists.score[d])
            iou[:, best] = 0
    return scores


def strata(
    objects: VisibleObjects,
    unit: np.ndarray,
    edges: Sequence[float],
    names: Sequence[str],
    conf: float,
) -> list[Stratum]:
    """Every slice that lies between edges, its sizes, and its classes with their sizes.

    Of the parts of a slice those are left out that hold no object.

    Args:
        unit: (N,), what each object's image belongs to.
        edges: of the slices, rising.
        names: classes by id.
        conf: score from which a detection counts for ``recall_conf``.
    """
    found = objects.score >= conf
    unit = np.unique(unit, return_inverse=True)[1]  # numbers: they are sorted for each part
    inside = (objects.visible >= edges[0]) & (objects.visible <= edges[-1])
    of_slice = np.searchsorted(edges[1:-1], objects.visible, side="right")
    size = objects.size()
    rows = []
    for number, name in enumerate(slice_names(edges)):
        here = inside & (of_slice == number)
        for class_id in (None, *range(len(names))):
            chosen = here if class_id is None else here & (objects.class_id == class_id)
            parts = [(None, chosen), *((s, chosen & (size == i)) for i, s in enumerate(SIZES))]
            for part, members in parts:
                whole = class_id is None and part is None
                if whole or members.any():
                    remark = "; ".join(_differences(objects, inside, here, names)) if whole else ""
                    place = name, part, class_id
                    rows.append(_stratum(place, objects, found, unit, members, remark))
    return rows


def _stratum(
    place: tuple[str, str | None, int | None],
    objects: VisibleObjects,
    found: np.ndarray,
    unit: np.ndarray,
    members: np.ndarray,
    remark: str,
) -> Stratum:
    count, ignored = int(members.sum()), int(objects.ignored[members].sum())
    if not count:
        return Stratum(*place, 0, 0, None, None, remark=remark)
    any_score = float(np.mean(objects.score[members] >= 0))
    ends = share_interval(found[members], unit[members])
    return Stratum(
        *place, count, ignored, any_score, float(found[members].mean()), *ends, remark=remark
    )


def _differences(
    objects: VisibleObjects, every: np.ndarray, here: np.ndarray, names: Sequence[str]
) -> Iterator[str]:
    """How the objects of a slice differ from all: classes that are missing, other mixes."""
    if not here.any():
        return
    of_class = _mix(objects.class_id, every, here, len(names))
    gone = (of_class[0] >= COMMON) & (of_class[1] == 0)
    missing = [name for name, away in zip(names, gone, strict=True) if away]
    if missing:
        yield f"no {', '.join(missing)}"
    elif _distance(of_class) > _FAR:
        yield "other classes than all objects"
    of_size = _mix(objects.size(), every, here, len(SIZES))
    if _distance(of_size) > _FAR:
        shares = [" / ".join(f"{100 * share:.0f}" for share in mix) for mix in of_size]
        yield f"{shares[1]}% small / medium / large, of all {shares[0]}%"


def _mix(kind: np.ndarray, every: np.ndarray, here: np.ndarray, count: int) -> np.ndarray:
    """Shares of the kinds among all and among those here, float (2, count)."""
    both = every, here
    return np.stack([np.bincount(kind[some], minlength=count) / some.sum() for some in both])


def _distance(mixes: np.ndarray) -> float:
    return float(np.abs(mixes[0] - mixes[1]).sum() / 2)
