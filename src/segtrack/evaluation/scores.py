"""COCO's average precision and recall: pycocotools' figures, from what was kept of the matching.

Definitions: https://cocodataset.org/#detection-eval. AP is the mean of 101 interpolated precisions,
over classes that have ground truth; "50_95" also over IoU .50, .55, ..., .95. AR is the highest
recall at 1, 10 or 100 detections per class and image, over the same classes and IoUs. Small,
medium and large are areas up to 32², up to 96² and beyond, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.evaluation.assignment import AREAS, IOUS, MOST, RECALLS
from segtrack.evaluation.matching import Kind, Matches

Value = float | None
"""None: there is no ground truth that the figure could be about."""

IOU_50, IOU_75 = 0, 5  # positions among pycocotools' IoU thresholds
_EPSILON = np.spacing(1)  # pycocotools adds it to the denominator of precision


@dataclass(frozen=True)
class Scores:
    """The figures of one kind (masks or boxes).

    Attributes:
        kind: mask or box; the names of the figures begin with it.
        overall: name to value, for example ``mask_map50_95``.
        per_class: one such mapping per class.
        precision: float (101, K), interpolated precision at IoU .5 over recall 0, .01, ..., 1;
            NaN for a class without ground truth.
    """

    kind: Kind
    overall: dict[str, Value]
    per_class: list[dict[str, Value]]
    precision: np.ndarray


def coco_scores(matches: Matches, kind: Kind) -> Scores:
    """All figures of COCO's summary, and four of them per class."""
    precision, recall = accumulate(matches)
    everything = precision[..., 0]
    areas = [(name, i) for i, name in enumerate(AREAS) if i]
    limits = list(enumerate(MOST))
    overall: dict[str, Value] = {
        "map50_95": _mean(everything),
        "map50": _mean(everything[IOU_50]),
        "map75": _mean(everything[IOU_75]),
        **{f"map_{name}": _mean(precision[..., i]) for name, i in areas},
        **{f"ar{limit}": _mean(recall[..., 0, i]) for i, limit in limits},
        **{f"ar_{name}": _mean(recall[..., i, -1]) for name, i in areas},
    }
    per_class = [
        {
            f"{kind}_map50_95": _mean(everything[:, :, k]),
            f"{kind}_map50": _mean(everything[IOU_50, :, k]),
            f"{kind}_map75": _mean(everything[IOU_75, :, k]),
            f"{kind}_ar100": _mean(recall[:, k, 0, -1]),
        }
        for k in range(precision.shape[2])
    ]
    curve = everything[IOU_50]
    return Scores(
        kind,
        {f"{kind}_{name}": value for name, value in overall.items()},
        per_class,
        np.where(curve < 0, np.nan, curve),
    )


def accumulate(matches: Matches) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall, as pycocotools' ``accumulate`` has them to the last bit.

    One class at a time, so that memory holds the ranks of one class beside what was kept.

    Returns:
        float64 (T, R, K, A), precision at the recalls R, of the most detections; and (T, K, A, M),
        the highest recall. Both are -1 where nothing is to be found.
    """
    shape = len(IOUS), len(matches), len(AREAS)
    precision = np.full((shape[0], len(RECALLS), *shape[1:]), -1.0)
    recall = np.full((*shape, len(MOST)), -1.0)
    for k in range(len(matches)):
        found = matches.of(k)
        order = np.argsort(-found.score, kind="stable")
        for a, objects in enumerate(found.objects.tolist()):
            if not objects:
                continue
            right, ignored = found.right[a][order], found.ignored[a][order]
            for t in range(len(IOUS)):
                precision[t, :, k, a] = _interpolated(right, ignored, t, objects, RECALLS)
                of_place = np.bincount(found.place, (found.right[a] >> t) & 1, MOST[-1])
                for m, most in enumerate(MOST):
                    recall[t, k, a, m] = of_place[:most].sum() / objects
    return precision, recall


@compiled
def _interpolated(
    right: np.ndarray, ignored: np.ndarray, t: int, objects: int, recalls: np.ndarray
) -> np.ndarray:
    """Precision at each recall, (R,): the highest one from there on; from the last to the first."""
    tp = fp = 0
    for d in range(len(right)):
        hit = (right[d] >> t) & 1
        tp += hit
        fp += (1 - hit) * (1 - ((ignored[d] >> t) & 1))
    result = np.zeros(len(recalls))
    r = len(recalls) - 1
    while r >= 0 and tp / objects < recalls[r]:
        r -= 1  # is never reached
    best = 0.0
    for d in range(len(right) - 1, -1, -1):
        best = max(best, tp / (fp + tp + _EPSILON))
        hit = (right[d] >> t) & 1
        fp -= (1 - hit) * (1 - ((ignored[d] >> t) & 1))
        tp -= hit
        while r >= 0 and (d == 0 or tp / objects < recalls[r]):
            result[r] = best
            r -= 1
    return result


def _mean(values: np.ndarray) -> Value:
    """pycocotools' mean, which leaves out the -1 of classes without ground truth."""
    valid = values[values > -1]
    return float(np.mean(valid)) if valid.size else None
