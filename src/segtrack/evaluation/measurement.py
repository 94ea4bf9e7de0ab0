"""All figures of one split, from predictions and ground truth; nothing is written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from segtrack.base.names import level
from segtrack.base.progress import progress
from segtrack.dataset import Dataset
from segtrack.evaluation.batches import BATCH
from segtrack.evaluation.confusion import ImageErrors
from segtrack.evaluation.curves import Curves, confidence_curves
from segtrack.evaluation.hidden import HiddenRecall, groups_of, hidden_recall
from segtrack.evaluation.judging import Judged, Judging
from segtrack.evaluation.matching import KINDS
from segtrack.evaluation.rows import RowsWriter
from segtrack.evaluation.scores import Scores, Value, coco_scores
from segtrack.evaluation.units import TEXT, ImageUnits, image_units
from segtrack.evaluation.visible import Stratum, strata
from segtrack.model import Predictions
from segtrack.settings import EvaluationSettings


@dataclass(frozen=True)
class Evaluation:
    """All that was found out about one split.

    Attributes:
        split: its name.
        names: classes by id.
        counts: ``images``, ``objects`` (crowds left out), ``detections`` (those that were kept).
        class_counts: (images, objects) of each class.
        scores: of masks and of boxes.
        curves: of masks at IoU .5.
        confusion: counts, int (K + 1, K + 1), rows true and columns predicted.
        slices: by visible fraction and size; empty where it is not known of any object.
        hidden: recall of hidden objects by group of classes; empty likewise.
        visible_estimated: whether visible fractions are estimates, no measurements.
        worst: the images that are most wrong, ``settings.gallery`` of them.
        units: what a comparison with another run draws from.
    """

    split: str
    names: tuple[str, ...]
    counts: dict[str, int]
    class_counts: list[tuple[int, int]]
    scores: list[Scores]
    curves: Curves
    confusion: np.ndarray
    slices: list[Stratum]
    hidden: dict[str, HiddenRecall]
    visible_estimated: bool
    worst: list[ImageErrors]
    units: ImageUnits

    def metrics(self) -> dict[str, Value]:
        """Metric name (with the split before it) to value; None where there is no ground truth."""
        best = self.curves.best() or (None, None)
        found: dict[str, Value] = {}
        for scores in self.scores:
            found |= scores.overall
        found |= {"mask_f1": best[0], "mask_f1_conf": best[1]}
        for row in self.slices:
            if row.class_id is None and row.size is None:
                found[f"visible/{row.visible}/mask_recall50"] = row.recall
                found[f"visible/{row.visible}/mask_recall50_conf"] = row.recall_conf
        for group, one in self.hidden.items():
            for name, recall in (("hidden", one.hidden), ("clear", one.clear)):
                found[f"{name}/{group}/mask_recall_p80"] = None if math.isnan(recall) else recall
        for scores in self.scores:
            for name, values in zip(self.names, scores.per_class, strict=True):
                found |= {f"class/{level(name)}/{key}": value for key, value in values.items()}
        return {f"{self.split}/{name}": value for name, value in found.items()}


def measure(
    dataset: Dataset,
    split: str,
    predictions: Predictions,
    settings: EvaluationSettings,
    group_by: str | None = None,
    rows: RowsWriter | None = None,
) -> Evaluation:
    """All figures of one split.

    Args:
        group_by: what makes the source group of an image.
        rows: get every detection and object behind the figures.
    """
    whole = Judged.nothing(dataset.names)
    judging = Judging(dataset, split, predictions, settings, group_by, rows is not None)
    steps = math.ceil(dataset.counts[split] / BATCH)
    for some in progress(judging.judged(), "compare masks", steps, "batches"):
        whole.join(some, settings.gallery)
        if rows is not None:
            rows.write(some.rows)
    matcher = whole.matcher
    cells = [matcher.cells(k).objects for k in range(len(dataset.names))]
    class_counts = [(int(np.count_nonzero(objects)), int(objects.sum())) for objects in cells]
    fingerprint = dataset.split_fingerprint(split)
    groups = np.concatenate([np.empty(0, TEXT), *whole.groups])
    units = image_units(split, fingerprint, dataset.names, groups, matcher)
    known = units.visible
    conf = settings.confusion_conf
    group_of = np.unique(units.group, return_inverse=True)[1] if len(known) else units.group
    return Evaluation(
        split,
        dataset.names,
        {
            "images": len(groups),
            "objects": sum(objects for _, objects in class_counts),
            "detections": whole.detections,
        },
        class_counts,
        [coco_scores(matcher.matches(kind), kind) for kind in KINDS],
        confidence_curves(matcher.matches("mask")),
        whole.confusion,
        strata(known, group_of[known.image], settings.visible_bins, dataset.names, conf)
        if len(known)
        else [],
        {group: hidden_recall(units, group) for group in groups_of(units)} if len(known) else {},
        dataset.visible_estimated,
        whole.worst,
        units,
    )
