"""What a score is made of: sums that can be added over videos, and taken away again.

HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking" (IJCV 2020).
CLEAR: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance" (2008).
Identity: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera
Tracking" (2016). Combined as TrackEval 1.3.0 combines sequences and classes.
"""

from __future__ import annotations

import numpy as np

from segtrack.scoring.occlusion import OCCLUSION_FIELDS

ALPHAS = np.arange(0.05, 0.99, 0.05)  # localisation thresholds of HOTA, IoU
HOTA_PARTS = ("TP", "FN", "FP", "AssA", "AssRe", "AssPr", "LocA")  # the last four weighted by TP
PLAIN_FIELDS = (
    *("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "MT", "PT", "ML", "Frag", "MOTP_sum"),
    *("GT_IDs", "Frames", "IDTP", "IDFN", "IDFP"),
    *OCCLUSION_FIELDS,
)
FIELDS: tuple[str, ...] = (
    *(f"HOTA_{part}_{round(100 * alpha):02d}" for part in HOTA_PARTS for alpha in ALPHAS),
    *PLAIN_FIELDS,
)
COUNTED = frozenset({"IDSW", "FP", "FN", "Frag", "MT", "PT", "ML"})
"""Names in ``summary`` that are counts; the others are fractions."""
UNBOUNDED = frozenset({"MOTA", "MODA", "sMOTA"})
"""Fractions that false positives take below 0 as far as they like; the others are in 0..1."""

_HOTA_SIZE = len(HOTA_PARTS) * len(ALPHAS)
_INDEX = {name: _HOTA_SIZE + i for i, name in enumerate(PLAIN_FIELDS)}
_FEW = 1e-10  # TrackEval's: LocA is 1 where nothing matched


def counts_of(hota: np.ndarray, plain: dict[str, float]) -> np.ndarray:
    """Counts of one sequence, class and kind.

    Args:
        hota: (7, 19), a row for each of ``HOTA_PARTS``.
        plain: a value for each of ``PLAIN_FIELDS``.

    Returns:
        float64 (D,), in the order of ``FIELDS``.
    """
    return np.concatenate([hota.ravel(), [plain[name] for name in PLAIN_FIELDS]])


def field(counts: np.ndarray, name: str) -> np.ndarray:
    """One of ``PLAIN_FIELDS`` out of counts (..., D)."""
    value: np.ndarray = counts[..., _INDEX[name]]
    return value


def has_objects(counts: np.ndarray) -> bool:
    """Whether counts (D,) are of any ground truth; where not, scores say nothing."""
    return bool(field(counts, "CLR_TP") + field(counts, "CLR_FN") > 0)


def objects(counts: np.ndarray) -> int:
    """How many objects of the ground truth counts (D,) are of, frame by frame."""
    return int(field(counts, "CLR_TP") + field(counts, "CLR_FN"))


def per_alpha(counts: np.ndarray) -> dict[str, np.ndarray]:
    """The HOTA family at each localisation threshold.

    Args:
        counts: (..., D).

    Returns:
        HOTA, DetA, AssA, DetRe, DetPr, AssRe, AssPr, LocA, OWTA: (..., 19) each, in 0..1.
    """
    shape = (*counts.shape[:-1], len(HOTA_PARTS), len(ALPHAS))
    parts = np.moveaxis(counts[..., :_HOTA_SIZE].reshape(shape), -2, 0)
    tp, fn, fp, ass_a, ass_re, ass_pr, loc_a = parts
    some = np.maximum(1, tp)
    curves = {
        "DetA": tp / np.maximum(1, tp + fn + fp),
        "AssA": ass_a / some,
        "DetRe": tp / np.maximum(1, tp + fn),
        "DetPr": tp / np.maximum(1, tp + fp),
        "AssRe": ass_re / some,
        "AssPr": ass_pr / some,
        "LocA": np.maximum(_FEW, loc_a) / np.maximum(_FEW, tp),
    }
    hota = np.sqrt(curves["DetA"] * curves["AssA"])
    return {"HOTA": hota, **curves, "OWTA": np.sqrt(curves["DetRe"] * curves["AssA"])}


def summary(counts: np.ndarray, alone: bool = False) -> dict[str, np.ndarray]:
    """The scores that sums of counts stand for.

    Args:
        counts: (..., D).
        alone: these are single sequences, as TrackEval's ``eval_sequence`` reports them: MOTA, MODA
            and sMOTA of one without ground truth are 0. In a combination they are what the formula
            says, minus the number of false positives, as in ``combine_sequences``.

    Returns:
        By name (...): the HOTA family (means over the thresholds), MOTA, MOTP, MODA, sMOTA, Recall,
        Precision, IDF1, IDP, IDR in 0..1 (the MOT* may be negative), and the counts ``COUNTED``. Of
        mask counts MOTA is what the MOTS benchmark calls MOTSA, and sMOTA is its sMOTSA.
    """
    scores = {name: curve.mean(axis=-1) for name, curve in per_alpha(counts).items()}
    value = {name: field(counts, name) for name in PLAIN_FIELDS if name not in OCCLUSION_FIELDS}
    tp, fn, fp, idsw = (value[name] for name in ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW"))
    gt = np.maximum(1, tp + fn)
    judged = tp + fn > 0 if alone else True
    idtp, idfn, idfp = (value[name] for name in ("IDTP", "IDFN", "IDFP"))
    scores |= {
        "MOTA": np.where(judged, (tp - fp - idsw) / gt, 0.0),
        "MOTP": value["MOTP_sum"] / np.maximum(1, tp),
        "MODA": np.where(judged, (tp - fp) / gt, 0.0),
        "sMOTA": np.where(judged, (value["MOTP_sum"] - fp - idsw) / gt, 0.0),
        "Recall": tp / gt,
        "Precision": tp / np.maximum(1, tp + fp),
        "IDF1": idtp / np.maximum(1, idtp + 0.5 * idfp + 0.5 * idfn),
        "IDP": idtp / np.maximum(1, idtp + idfp),
        "IDR": idtp / np.maximum(1, idtp + idfn),
        "IDSW": idsw,
        "FP": fp,
        "FN": fn,
    }
    return scores | {name: value[name] for name in ("Frag", "MT", "PT", "ML")}


def class_averaged(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Means of the classes' scores, sums of their counts; TrackEval's class-averaged combination.

    Args:
        counts: (classes, ..., D), one class at least.
    """
    return {
        name: value.sum(axis=0) if name in COUNTED else value.mean(axis=0)
        for name, value in summary(counts).items()
    }
