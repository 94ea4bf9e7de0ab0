"""Recall of objects that hide each other, at one precision, beside that of objects in the open.

The endpoint of a study of occlusion. For a group of classes, people or vehicles:

- The score threshold is the lowest one from which on ``PRECISION`` or more of the group's
  detections are right: COCO's matching of masks at IoU .5, class by class, over the whole split.
  What lies on ignored objects is neither right nor wrong. So the same detections are judged in
  every stratum, and models that give other scores are compared at the same rate of false alarms.
- Hidden are objects of which 10% or more and less than 50% are visible, clear those of which 90%
  or more are, also the ones that AP ignores (see ``visible``).
- Strata are classes by size. Recall of the clear ones is weighted to the hidden ones' strata
  (direct standardisation): how often clear objects of the same classes and sizes are found. Strata
  without a clear object count in neither; how many hidden objects that leaves out is said.
- An image that is left out is left out of everything: threshold, weights and both recalls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segtrack.base.sizes import SIZES
from segtrack.evaluation.units import ImageUnits

GROUPS: Mapping[str, tuple[str, ...]] = {
    "people": ("person", "pedestrian", "rider", "cyclist"),
    "vehicles": ("car", "truck", "bus", "van", "motorcycle", "motorbike"),
}
"""Classes of each group by name; a data set may have some of them."""
PRECISION = 0.8
HIDDEN = (0.1, 0.5)
CLEAR = 0.9


@dataclass(frozen=True)
class HiddenRecall:
    """Recall of the hidden and of the clear objects of one group at ``PRECISION``.

    Attributes:
        threshold: score from which detections count; NaN where none gives the precision.
        hidden: share of the hidden objects that were found; NaN without any, or a threshold.
        clear: the same of the clear ones, weighted to the hidden ones' classes and sizes.
        objects: hidden and clear ones that are judged.
        left_out: hidden ones in strata without a clear one.
    """

    threshold: float
    hidden: float
    clear: float
    objects: tuple[int, int]
    left_out: int


@dataclass(frozen=True)
class _Members:
    """A group's detections and its hidden and clear objects.

    Attributes:
        score, right, of: of the detections, best first, float32, bool and int (D,): the last is
            the position of the image.
        found: float32 (N,), score of what found an object.
        stratum, image: int (N,).
        hidden: bool (N,); the others are clear.
    """

    score: np.ndarray
    right: np.ndarray
    of: np.ndarray
    found: np.ndarray
    stratum: np.ndarray
    image: np.ndarray
    hidden: np.ndarray


def groups_of(units: ImageUnits) -> list[str]:
    """The groups that classes of this evaluation belong to."""
    return [group for group, names in GROUPS.items() if set(names) & set(units.names)]


def hidden_recall(units: ImageUnits, group: str) -> HiddenRecall:
    """The recalls of one group of ``GROUPS``."""
    members = _members(units, group)
    return _recall(members, np.ones(len(units.group), bool))


def hidden_without(units: ImageUnits, group: str, unit: np.ndarray) -> np.ndarray:
    """Both recalls with one unit left out, float (2, U): of the hidden and of the clear objects.

    Each unit that holds detections or objects of the group costs a pass over all of them, as the
    threshold moves: meant for hundreds of units, not for many thousands.

    Args:
        unit: int (N,), which of U units each image belongs to, by position.
    """
    members = _members(units, group)
    whole = _recall(members, np.ones(len(unit), bool))
    ends = np.repeat([[whole.hidden], [whole.clear]], int(unit.max(initial=-1)) + 1, axis=1)
    for one in np.unique(unit[np.concatenate([members.of, members.image])]):
        left = _recall(members, unit != one)
        ends[:, one] = left.hidden, left.clear
    return ends


def _members(units: ImageUnits, group: str) -> _Members:
    classes = [k for k, name in enumerate(units.names) if name in GROUPS[group]]
    masks = units.detections["mask"]
    class_id, of = (np.repeat(v, masks.count) for v in (units.class_id, units.image))
    counts = np.isin(class_id, classes) & (masks.ignored & 1 == 0)
    order = np.flatnonzero(counts)[np.argsort(-masks.score[counts], kind="stable")]
    objects = units.visible
    hidden = (objects.visible >= HIDDEN[0]) & (objects.visible < HIDDEN[1])
    chosen = np.isin(objects.class_id, classes) & (hidden | (objects.visible >= CLEAR))
    stratum = objects.class_id * len(SIZES) + objects.size()
    return _Members(
        masks.score[order],
        masks.right[order] & 1 == 1,
        of[order],
        objects.score[chosen],
        stratum[chosen],
        objects.image[chosen],
        hidden[chosen],
    )


def _recall(members: _Members, kept: np.ndarray) -> HiddenRecall:
    """Of the images that are kept, bool (N,)."""
    detections, objects = kept[members.of], kept[members.image]
    threshold = _threshold(members.score[detections], members.right[detections])
    stratum, hidden = members.stratum[objects], members.hidden[objects]
    found = members.found[objects] >= threshold
    strata = int(stratum.max(initial=-1)) + 1
    of_hidden = np.bincount(stratum[hidden], minlength=strata)
    of_clear = np.bincount(stratum[~hidden], minlength=strata)
    shared = (of_hidden > 0) & (of_clear > 0)
    judged = int(of_hidden[shared].sum()), int(of_clear[shared].sum())
    left_out = int(of_hidden.sum()) - judged[0]
    if np.isnan(threshold) or not judged[0]:
        return HiddenRecall(threshold, np.nan, np.nan, judged, left_out)

    def recall(some: np.ndarray, of: np.ndarray) -> float:
        number = np.bincount(stratum[some & found], minlength=strata)
        return float(of_hidden[shared] / judged[0] @ (number[shared] / of[shared]))

    return HiddenRecall(
        threshold, recall(hidden, of_hidden), recall(~hidden, of_clear), judged, left_out
    )


def _threshold(score: np.ndarray, right: np.ndarray) -> float:
    """The lowest score, of falling ones, from which on ``PRECISION`` of them are right; or NaN."""
    last = np.append(score[1:] != score[:-1], True)[: len(score)]  # of each score's detections
    enough = np.cumsum(right) / np.arange(1, len(right) + 1) >= PRECISION
    reached = np.flatnonzero(last & enough)
    return float(score[reached[-1]]) if len(reached) else float("nan")
