"""COCO's average precision and recall, read from pycocotools' matching.

Definitions: https://cocodataset.org/#detection-eval. AP is the mean of 101 interpolated precisions,
over classes that have ground truth; "50_95" also over IoU .50, .55, ..., .95. AR is the highest
recall at 1, 10 or 100 detections per class and image, over the same classes and IoUs. Small,
medium and large are areas up to 32², up to 96² and beyond, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segtrack.evaluation.matching import Kind, Matches

Value = float | None
"""None: there is no ground truth that the figure could be about."""

IOU_50, IOU_75 = 0, 5  # positions among pycocotools' IoU thresholds


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
    result = matches.accumulate()
    precision, recall = result["precision"], result["recall"]  # (T, R, K, A, M), (T, K, A, M)
    everything = precision[..., 0, -1]
    areas = [(name, i) for i, name in enumerate(matches.params.areaRngLbl) if name != "all"]
    limits = list(enumerate(matches.params.maxDets))
    overall: dict[str, Value] = {
        "map50_95": _mean(everything),
        "map50": _mean(everything[IOU_50]),
        "map75": _mean(everything[IOU_75]),
        **{f"map_{name}": _mean(precision[..., i, -1]) for name, i in areas},
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


def _mean(values: np.ndarray) -> Value:
    """pycocotools' mean, which leaves out the -1 of classes without ground truth."""
    valid = values[values > -1]
    return float(np.mean(valid)) if valid.size else None
