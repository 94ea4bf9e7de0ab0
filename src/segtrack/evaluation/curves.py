"""Precision, recall and F1 over the confidence threshold, at IoU .5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segtrack.evaluation.matching import Matches

CONFIDENCE = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Curves:
    """What a threshold on the score would give, for masks at IoU .5.

    Attributes:
        confidence: float (P,), thresholds from 0 to 1; detections with that score or more count.
        precision: float (K, P); NaN where no detection is left, and for classes without truth.
        recall: float (K, P); NaN for classes without truth.
        f1: float (K, P), 2 TP / (2 TP + FP + FN); NaN for classes without truth.
    """

    confidence: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    def best(self) -> tuple[float, float] | None:
        """Highest mean F1 over the classes and its threshold; None without ground truth."""
        f1 = class_mean(self.f1)
        if np.isnan(f1).all():
            return None
        best = int(np.nanargmax(f1))
        return float(f1[best]), float(self.confidence[best])


def confidence_curves(matches: Matches, confidence: np.ndarray = CONFIDENCE) -> Curves:
    """Curves of every class.

    Args:
        matches: of masks, whose first IoU threshold is .5 and first area range is everything.
        confidence: thresholds, float (P,).
    """
    counts = [_counts(matches, k, confidence) for k in range(len(matches))]
    tp, fp, objects = (np.array([c[i] for c in counts], float) for i in range(3))
    shape = len(counts), len(confidence)
    tp, fp, objects = tp.reshape(shape), fp.reshape(shape), objects.reshape(-1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(objects > 0, tp / (tp + fp), np.nan)
        recall = tp / np.where(objects > 0, objects, np.nan)
        f1 = np.where(objects > 0, 2 * tp / (tp + fp + objects), np.nan)
    return Curves(confidence, precision, recall, f1)


def class_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the classes, (K, P) to (P,), of those that are defined; NaN where none is."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(0), known.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _counts(
    matches: Matches, class_index: int, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """True and false positives at each threshold, (P,) each, and the number of objects."""
    found = matches.of(class_index)
    right, ignored = ((bits[0] & 1) == 1 for bits in (found.right, found.ignored))
    scores = found.score.astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    left = np.searchsorted(-scores[order], -confidence, side="right")  # detections that remain
    tp = np.concatenate([[0], np.cumsum(right[order])])
    fp = np.concatenate([[0], np.cumsum(~(right | ignored)[order])])
    return tp[left], fp[left], int(found.objects[0])
