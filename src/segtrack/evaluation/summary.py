"""The figures of an evaluation as text for the terminal and as a table per class."""

from __future__ import annotations

from typing import Any

import numpy as np

from segtrack.evaluation.hidden import CLEAR, HIDDEN, PRECISION, HiddenRecall
from segtrack.evaluation.measurement import Evaluation
from segtrack.report import table_csv, table_text

_ROWS = (
    ("AP   IoU .50:.95", "map50_95"),
    ("AP   IoU .50", "map50"),
    ("AP   IoU .75", "map75"),
    ("AP   small", "map_small"),
    ("AP   medium", "map_medium"),
    ("AP   large", "map_large"),
    ("AR   1 detection", "ar1"),
    ("AR   10 detections", "ar10"),
    ("AR   100 detections", "ar100"),
)
DIGITS = 3
ALL = "all"
ESTIMATED = "Visible fractions are estimated from outlines that overlap (dataset.layered)."
_LONGEST = 20  # classes in the terminal's table
_NOTE = (
    "COCO's figures by pycocotools, masks at each image's own resolution. ultralytics' validator\n"
    "prints higher ones: on a coarser grid, and of a box that counts as several detections."
)


def summary_text(found: Evaluation) -> str:
    """Counts, COCO's figures, the best threshold, recall by visible fraction, classes."""
    counts = found.counts
    parts = [
        f"{found.split}: {counts['images']:,} images, {counts['objects']:,} objects, "
        f"{counts['detections']:,} detections\n"
    ]
    rows = []
    for label, name in _ROWS:
        row: dict[str, Any] = {"": label}
        for scores in found.scores:
            row[f"{scores.kind}es" if scores.kind == "box" else "masks"] = scores.overall[
                f"{scores.kind}_{name}"
            ]
        rows.append(row)
    parts.append(table_text(rows, DIGITS))
    best = found.curves.best()
    if best:
        parts.append(f"best mean F1 of masks at IoU .50: {best[0]:.3f} at score {best[1]:.3f}\n")
    if found.slices:
        parts.append(_visible_text(found))
    present = [row for row in per_class_rows(found) if row["objects"]]
    present.sort(key=lambda row: -int(row["objects"]))
    columns = ("class", "images", "objects", "mask_map50_95", "mask_map50", "box_map50_95")
    shown = [{c: row[c] for c in columns} for row in present[:_LONGEST]]
    if shown:
        more = len(present) - len(shown)
        rest = f"and {more} more classes: per_class.csv\n" if more else ""
        parts.append(table_text(shown, DIGITS) + rest)
    return "\n".join([*parts, _NOTE]) + "\n"


def _visible_text(found: Evaluation) -> str:
    """Recall by visible fraction and size, and of hidden objects at one precision."""
    known = found.units.visible
    judged = sum(row.objects for row in found.slices if row.class_id is None and row.size is None)
    unknown = found.counts["objects"] - int((~known.ignored).sum())
    lines = [
        table_text(slice_rows(found, classes=False), DIGITS)
        + "Masks found at IoU .50 at any score, and from confusion_conf on with its 95% interval.\n"
        "Sizes are of the whole object (COCO's limits). What AP ignores is judged here too."
    ]
    lines += [f"{one.visible} visible: {one.remark}." for one in found.slices if one.remark]
    if found.visible_estimated:
        lines.append(ESTIMATED)
    if unknown or judged < len(known):
        lines.append(
            f"Left out: {unknown:,} objects whose visible fraction is not known, "
            f"{len(known) - judged:,} outside of visible_bins."
        )
    for group, one in found.hidden.items():
        lines.append(_hidden_text(group, one))
    return "\n".join(lines) + "\n"


def _hidden_text(group: str, one: HiddenRecall) -> str:
    if np.isnan(one.threshold):
        return f"{group}: no score gives a precision of {PRECISION:g}, so there is no recall at it"
    of = f"{group} at precision {PRECISION:g} (score from {one.threshold:.3f})"
    if not one.objects[0]:
        return f"{of}: no hidden objects with clear ones of their class and size"
    left_out = f"; {one.left_out} hidden ones without such are left out" if one.left_out else ""
    low, high, clear = (f"{100 * share:.0f}" for share in (*HIDDEN, CLEAR))
    return (
        f"{of}: recall {one.hidden:.{DIGITS}f} of {one.objects[0]:,} objects {low} to {high}% "
        f"visible; {one.clear:.{DIGITS}f} of {one.objects[1]:,} at least {clear}% visible, "
        f"weighted to the same classes and sizes{left_out}"
    )


def per_class_rows(found: Evaluation) -> list[dict[str, Any]]:
    """One row per class: images and objects that it has, and its figures."""
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(found.names):
        images, objects = found.class_counts[k]
        row: dict[str, Any] = {"class": name, "images": images, "objects": objects}
        for scores in found.scores:
            row |= scores.per_class[k]
        rows.append(row)
    return rows


def per_class_csv(found: Evaluation) -> str:
    """``per_class_rows`` as CSV; empty where a class has no ground truth."""
    return table_csv(per_class_rows(found))


def slice_rows(found: Evaluation, classes: bool = True) -> list[dict[str, Any]]:
    """Recall by visible fraction and size, of all classes and, if asked, of each."""
    rows: list[dict[str, Any]] = []
    for one in found.slices:
        if not classes and one.class_id is not None:
            continue
        row: dict[str, Any] = {"visible": one.visible, "size": one.size or ALL}
        if classes:
            row["class"] = ALL if one.class_id is None else found.names[one.class_id]
        rows.append(
            row
            | {
                "objects": one.objects,
                "ignored by AP": one.ignored,
                "recall50": one.recall,
                "recall50_conf": one.recall_conf,
                "low": one.low,
                "high": one.high,
            }
            | ({"remark": one.remark} if classes else {})
        )
    return rows
