"""What became of predictions under review, from the polygons before and after alone.

No id of a prediction survives the platform. Within a class, labels whose points are those of a
prediction come first; the rest are paired one to one by mask IoU, the highest first (greedy, as in
COCO's and the annotator's own matching). A change of class counts as deleted and added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segtrack.base.polygons import Polygon, mask_iou

ROUNDING_PX = 0.51  # exports have whole pixels; what was sent has two decimals
Kind = Literal["accepted", "corrected", "deleted", "added"]
KINDS: tuple[Kind, ...] = ("accepted", "corrected", "deleted", "added")


@dataclass(frozen=True)
class Shape:
    """A polygon float64 (n, 2) in px with its class; ``score`` 0..1 where it was predicted."""

    class_name: str
    polygon: Polygon
    score: float | None = None


@dataclass(frozen=True)
class Agreement:
    """When prediction and label are one object, and when they are the same.

    Attributes:
        match_iou: least IoU of a prediction and the label that it became.
        same_iou: least IoU of a label that counts as accepted, though its points differ.
    """

    match_iou: float = 0.3
    same_iou: float = 0.98


@dataclass(frozen=True)
class Outcome:
    """What became of one object.

    Attributes:
        score: of the prediction; None for what was added.
        iou: mask IoU of prediction and label; NaN where there is only one of them. The label is
            the truth of a review, so that the IoU after a correction is 1.
        sent, label: positions of the prediction and of the label; -1 where there is none.
    """

    kind: Kind
    class_name: str
    score: float | None
    iou: float
    sent: int = -1
    label: int = -1


def compare(
    sent: Sequence[Shape],
    labels: Sequence[Shape],
    size: tuple[int, int],
    agreement: Agreement | None = None,
) -> list[Outcome]:
    """The outcome of every prediction of one image, in their order, then what was added.

    Args:
        size: width and height of the image in px.
    """
    agreement = agreement or Agreement()
    pairs = {i: (j, 1.0, True) for i, j in _same_points(sent, labels).items()}
    free = [i for i in range(len(sent)) if i not in pairs]
    taken = {j for j, _, _ in pairs.values()}
    rest = [j for j in range(len(labels)) if j not in taken]
    iou = mask_iou([sent[i].polygon for i in free], [labels[j].polygon for j in rest], size)
    for a, i in enumerate(free):
        for b, j in enumerate(rest):
            iou[a, b] *= sent[i].class_name == labels[j].class_name
    order = np.argsort(-iou, axis=None, kind="stable")
    for a, b in zip(*np.unravel_index(order, iou.shape), strict=True):
        i, j, value = free[a], rest[b], float(iou[a, b])
        if value < agreement.match_iou:
            break
        if i not in pairs and j not in taken:
            pairs[i] = (j, value, value >= agreement.same_iou)
            taken.add(j)
    done = []
    for i, one in enumerate(sent):
        j, value, same = pairs.get(i, (-1, float("nan"), False))
        kind: Kind = "deleted" if i not in pairs else "accepted" if same else "corrected"
        done.append(Outcome(kind, one.class_name, one.score, value, i, j))
    for j, label in enumerate(labels):
        if j not in taken:
            done.append(Outcome("added", label.class_name, None, float("nan"), -1, j))
    return done


def disagreement(outcomes: Sequence[Outcome]) -> float:
    """How far model and review are apart in one image: 1 for each object that was deleted or added,
    1 - IoU for each that was corrected."""
    return sum(
        1.0 - one.iou if one.kind == "corrected" else float(one.kind != "accepted")
        for one in outcomes
    )


def _same_points(sent: Sequence[Shape], labels: Sequence[Shape]) -> dict[int, int]:
    """Label of each prediction whose points came back as they were, but for rounding."""
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for i, one in enumerate(sent):
        for j, label in enumerate(labels):
            if j in taken or label.class_name != one.class_name:
                continue
            if label.polygon.shape != one.polygon.shape:
                continue
            if np.abs(label.polygon - one.polygon).max() <= ROUNDING_PX:
                pairs[i] = j
                taken.add(j)
                break
    return pairs
