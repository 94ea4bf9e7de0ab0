"""The figures of an evaluation, each a PNG with the numbers behind it as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.sizes import SIZES
from segtrack.evaluation.curves import class_mean
from segtrack.evaluation.measurement import Evaluation
from segtrack.evaluation.summary import slice_rows
from segtrack.report import bar_chart, line_chart, matrix_chart, save_figure
from segtrack.settings import EvaluationSettings

BACKGROUND = "background"
TRUE = "true \\ predicted"
MEAN = "mean of classes"
_MATRIX_CLASSES = 80  # a matrix of more classes shows those that occur most; its CSV holds all


def draw(found: Evaluation, settings: EvaluationSettings, folder: Path) -> None:
    """Draw every figure into ``folder``."""
    _precision_recall(found, folder)
    _confidence(found, folder)
    _confusion(found, settings, folder)
    if found.slices:
        _visible(found, settings, folder)


def _precision_recall(found: Evaluation, folder: Path) -> None:
    masks = found.scores[0]
    recall = np.linspace(0, 1, len(masks.precision))
    ap = [row["mask_map50"] for row in masks.per_class]
    lines = {
        f"{name} {value:.3f}": masks.precision[:, k]
        for k, name in _by_objects(found)
        if (value := ap[k]) is not None
    }
    mean = class_mean(masks.precision.T)
    overall = masks.overall["mask_map50"]
    label = MEAN if overall is None else f"{MEAN} {overall:.3f}"
    title = f"Masks of {found.split}: precision over recall at IoU .50"
    figure = line_chart(title, "recall", "precision", recall, lines, (label, mean))
    rows = _rows("recall", recall, found.names, masks.precision.T, mean)
    save_figure(figure, folder / "mask_precision_recall.png", rows)


def _confidence(found: Evaluation, folder: Path) -> None:
    curves = found.curves
    best = curves.best()
    for name, values in (
        ("F1", curves.f1),
        ("precision", curves.precision),
        ("recall", curves.recall),
    ):
        mean = class_mean(values)
        label = MEAN
        if name == "F1" and best:
            label = f"{MEAN}, best {best[0]:.3f}\nat score {best[1]:.3f}"
        lines = {class_name: values[k] for k, class_name in _by_objects(found)}
        figure = line_chart(
            f"Masks of {found.split}: {name} over score threshold at IoU .50",
            "score threshold",
            name,
            curves.confidence,
            lines,
            (label, mean),
        )
        rows = _rows("score", curves.confidence, found.names, values, mean)
        save_figure(figure, folder / f"mask_{name.lower()}_confidence.png", rows)


def _confusion(found: Evaluation, settings: EvaluationSettings, folder: Path) -> None:
    counts = found.confusion
    names = [*found.names, BACKGROUND]
    used = np.flatnonzero(counts.sum(0) + counts.sum(1))
    chosen = used[used < len(found.names)]
    weight = (counts.sum(0) + counts.sum(1))[chosen]
    chosen = np.sort(chosen[np.argsort(-weight, kind="stable")][:_MATRIX_CLASSES])
    chosen = np.append(chosen, len(found.names))
    shown = counts[np.ix_(chosen, chosen)]
    total = counts[chosen].sum(1, keepdims=True)
    share = np.where(total > 0, shown / np.maximum(total, 1), np.nan)
    # Background cannot be right, so its row is a share of the predictions instead.
    alarms = counts[:, chosen].sum(0)
    share[-1] = np.where(alarms > 0, shown[-1] / np.maximum(alarms, 1), np.nan)
    figure = matrix_chart(
        f"Masks of {found.split}: confusion\n"
        f"score from {settings.confusion_conf:g}, IoU from {settings.confusion_iou:g}",
        "predicted (background: missed)",
        "true (background: false alarm)",
        ([names[i] for i in chosen], [names[i] for i in chosen]),
        shown,
        share,
        "share of the row\n(background row: of the column)",
    )
    columns = [*_columns(found.names, TRUE, BACKGROUND), BACKGROUND]
    rows = [
        {TRUE: name, **{c: int(v) for c, v in zip(columns, row, strict=True)}}
        for name, row in zip(columns, counts, strict=True)
    ]
    save_figure(figure, folder / "confusion_matrix.png", rows)


def _visible(found: Evaluation, settings: EvaluationSettings, folder: Path) -> None:
    of_all = [row for row in found.slices if row.class_id is None]
    whole = [row for row in of_all if row.size is None]
    bars = {
        size or "all sizes": [
            next((row for row in of_all if (row.visible, row.size) == (one.visible, size)), None)
            for one in whole
        ]
        for size in (*SIZES, None)
    }
    values, ends = (
        {
            name: [[_number(getattr(row, key, None)) for key in keys] for row in rows]
            for name, rows in bars.items()
        }
        for keys in (("recall_conf",), ("low", "high"))
    )
    figure = bar_chart(
        f"Masks of {found.split} by visible fraction and size of the whole object:\n"
        f"recall at IoU .50, score from {settings.confusion_conf:g}, 95% by image",
        f"{'estimated ' * found.visible_estimated}visible fraction of the object "
        "(number of objects)",
        "share of the objects that were found",
        [f"{row.visible.replace('-', ' – ')}\n({row.objects:,})" for row in whole],
        {name: [value for (value,) in rows] for name, rows in values.items()},
        {name: [(low, high) for low, high in rows] for name, rows in ends.items()},
    )
    save_figure(figure, folder / "visible_fraction.png", slice_rows(found))


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _by_objects(found: Evaluation) -> list[tuple[int, str]]:
    """Class ids and names of the classes that occur, those with the most objects first."""
    present = [k for k, (_, objects) in enumerate(found.class_counts) if objects]
    return [(k, found.names[k]) for k in sorted(present, key=lambda k: -found.class_counts[k][1])]


def _rows(
    axis: str, x: np.ndarray, names: tuple[str, ...], values: np.ndarray, mean: np.ndarray
) -> list[dict[str, Any]]:
    """Rows of a CSV: the x axis, the mean, then each class, (K, P)."""
    return [
        {
            axis: round(float(x[i]), 6),
            MEAN: float(mean[i]),
            **{name: float(values[k, i]) for k, name in enumerate(_columns(names, axis, MEAN))},
        }
        for i in range(len(x))
    ]


def _columns(names: Sequence[str], *taken: str) -> list[str]:
    """Of classes in a table that has columns of its own: a class may be called "background"."""
    return [f"class {name}" if name in taken else name for name in names]
