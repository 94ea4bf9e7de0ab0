"""The figures of an evaluation as text for the terminal and as a table per class."""

from __future__ import annotations

from typing import Any

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
_LONGEST = 20  # classes in the terminal's table
_NOTE = (
    "COCO's figures by pycocotools, masks at each image's own resolution. ultralytics' validator\n"
    "compares masks at a quarter of the network's input, and prints higher ones."
)


def summary_text(found: Evaluation) -> str:
    """Counts, COCO's figures, the best threshold, slices by visible fraction, classes."""
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
        parts.append(table_text(slice_rows(found, classes=False), DIGITS))
    present = [row for row in per_class_rows(found) if row["objects"]]
    present.sort(key=lambda row: -int(row["objects"]))
    columns = ("class", "images", "objects", "mask_map50_95", "mask_map50", "box_map50_95")
    shown = [{c: row[c] for c in columns} for row in present[:_LONGEST]]
    if shown:
        more = len(present) - len(shown)
        rest = f"and {more} more classes: per_class.csv\n" if more else ""
        parts.append(table_text(shown, DIGITS) + rest)
    return "\n".join([*parts, _NOTE]) + "\n"


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
    """Figures by visible fraction, of the mean over classes and, if asked, of each class."""
    return [
        {
            "visible": row.name,
            "class": "mean" if row.class_id is None else found.names[row.class_id],
            "objects": row.objects,
            "recall50": row.recall,
            "recall50_conf": row.recall_conf,
            "ap50": row.ap,
        }
        for row in found.slices
        if classes or row.class_id is None
    ]
