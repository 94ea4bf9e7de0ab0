"""How suspect each label and each unlabelled prediction is, by kind of error, 0..1.

A network is no judge: it misses small objects and outlines them badly, whatever the label. So a
label is compared with other labels of its class and size (``shortfall``): what counts is how much
less the network agrees with this one than it usually does with such.

    overlooked     a confident prediction that overlaps no label, nor a better prediction
    badly_located  a prediction of the class fits the label worse than it usually does
    swapped        another class is predicted there, more surely than the label's
    spurious       nothing is predicted there, though such objects usually are
    duplicate      another label covers the same pixels, and nothing is predicted for this one alone
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from segtrack.curation.facts import SAME, Facts, Labelled, Predicted

KINDS = ("overlooked", "badly_located", "swapped", "spurious", "duplicate")
NEIGHBOURS = 50  # labels of the nearest sizes that a label is compared with
PRIOR = 5.0  # labels of all classes that are added to those of its own, where these are few
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Suspicions:
    """By kind, 0..1: of predictions (M,) for ``overlooked``, else of labels (N,).

    Attributes:
        by_kind: every kind. usual_iou, usual_shown: float64 (N,), mean IoU with the matching
            prediction, and mean ``shown``, of the labels that each label was compared with.
    """

    by_kind: dict[str, Floats]
    usual_iou: Floats
    usual_shown: Floats

    def worst_kind(self) -> tuple[NDArray[np.int64], Floats]:
        """The most suspect kind of each label, as a position in ``KINDS``, and its value."""
        table = np.stack([self.by_kind[kind] for kind in KINDS[1:]])
        best = table.argmax(0)
        return best + 1, table.max(0)


def suspicions(facts: Facts) -> Suspicions:
    """Judge every label, and every prediction as one that has none."""
    labelled = facts.labelled
    gap, usual_shown = shortfall(labelled.shown, labelled.class_id, labelled.area)
    located, usual_iou = _badly_located(labelled)
    by_kind = {
        "overlooked": _overlooked(facts.predicted),
        "badly_located": located,
        "swapped": _swapped(labelled),
        "spurious": gap,
        "duplicate": _duplicate(labelled),
    }
    return Suspicions(by_kind, usual_iou, usual_shown)


def shortfall(values: Floats, class_id: NDArray[np.int64], area: Floats) -> tuple[Floats, Floats]:
    """How far each value lies below those of labels of its class and size.

    The mean of max(0, other - own) over the ``NEIGHBOURS`` labels of its class that are nearest in
    size, and, weighted as ``PRIOR`` labels, over those of all classes: a class of three labels says
    little of what is usual.

    Returns:
        That mean, and the mean of the others' values.
    """
    below, usual = _against_nearest(values, area)
    for one in np.unique(class_id):
        members = np.flatnonzero(class_id == one)
        count = min(len(members) - 1, NEIGHBOURS)
        own_below, own_usual = _against_nearest(values[members], area[members])
        weight = count / (count + PRIOR)
        below[members] = weight * own_below + (1 - weight) * below[members]
        usual[members] = weight * own_usual + (1 - weight) * usual[members]
    return below, usual


def _against_nearest(values: Floats, area: Floats) -> tuple[Floats, Floats]:
    """As ``shortfall``, with the nearest in size of all that are given; zeros for a single one."""
    count = len(values)
    below, usual = np.zeros(count), np.zeros(count)
    if count < 2:
        return below, usual
    width = min(count, NEIGHBOURS + 1)
    order = np.argsort(area, kind="stable")
    windows = sliding_window_view(values[order], width)
    at = np.clip(np.arange(count) - width // 2, 0, count - width)
    near, own = windows[at], values[order]
    below[order] = np.maximum(0.0, near - own[:, None]).sum(1) / (width - 1)
    usual[order] = (near.sum(1) - own) / (width - 1)
    return below, usual


def _overlooked(predicted: Predicted) -> Floats:
    unlabelled = 1 - np.minimum(1.0, predicted.label_iou / SAME)
    first = 1 - np.minimum(1.0, predicted.better_iou / SAME)
    result: Floats = predicted.score * unlabelled * first
    return result


def _badly_located(labelled: Labelled) -> tuple[Floats, Floats]:
    """Score of the prediction times the relative shortfall of its IoU with the label."""
    result, usual = np.zeros(len(labelled)), np.zeros(len(labelled))
    matched = np.flatnonzero(labelled.mutual)
    if len(matched):
        gap, usual[matched] = shortfall(
            labelled.match_iou[matched], labelled.class_id[matched], labelled.area[matched]
        )
        result[matched] = labelled.match_score[matched] * gap / np.maximum(usual[matched], 1e-9)
    return np.clip(result, 0, 1), usual


def _swapped(labelled: Labelled) -> Floats:
    """How much surer the other class is, less where labels of this class are often taken for it."""
    margin = np.maximum(0.0, labelled.other - labelled.own)
    classes = int(max(labelled.class_id.max(initial=0), labelled.other_class.max(initial=0))) + 1
    pair = labelled.class_id * classes + np.maximum(labelled.other_class, 0)
    taken = np.bincount(pair, margin > 0, classes * classes)
    of_class = np.bincount(labelled.class_id, minlength=classes)
    among = of_class[labelled.class_id] - 1  # the others of its class
    usual = (taken[pair] - (margin > 0)) / (among + PRIOR)
    result: Floats = margin * (1 - np.clip(usual, 0, 1))
    return result


def _duplicate(labelled: Labelled) -> Floats:
    """Of two labels on one object the one that is predicted less; of equals the later one."""
    result = np.zeros(len(labelled))
    fits = labelled.match_score * labelled.match_iou
    for i in np.flatnonzero(labelled.twin >= 0):
        j = int(labelled.twin[i])
        if (fits[i], -i) < (fits[j], -j):
            result[i] = labelled.twin_iou[i] * (1 - labelled.apart[i])
    return result
