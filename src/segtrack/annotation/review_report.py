"""What a review leaves on disk, and its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from segtrack.annotation import review_figures as figures
from segtrack.annotation.matching import KINDS, Shape
from segtrack.annotation.sent import SentImage
from segtrack.base.bands import band_of
from segtrack.base.metrics import Report
from segtrack.dataset import signed_area
from segtrack.report import save_figure, table_csv, table_html, write_csv


def write_labels(
    path: Path,
    images: Sequence[SentImage],
    names: Sequence[str],
    labels: Callable[[SentImage], Sequence[Shape]],
) -> None:
    """COCO JSON, an image at a time; ids are those of the data set, ``sha256`` is of the file.

    Args:
        labels: called once for each image, in their order.
    """
    number = 0
    with path.open("w", encoding="utf-8") as file:
        categories = [{"id": i, "name": name} for i, name in enumerate(names)]
        file.write('{"categories": ' + json.dumps(categories) + ',\n"images": [')
        for i, image in enumerate(images):
            size = {"width": image.width, "height": image.height}
            row = {"id": image.image_id, "file_name": image.file_name, **size}
            if image.sha256:
                row["sha256"] = image.sha256
            file.write((",\n" if i else "\n") + json.dumps(row))
        file.write('],\n"annotations": [')
        for image in images:
            for label in labels(image):
                _write_label(file, number, image, names.index(label.class_name), label)
                number += 1
        file.write("]}\n")


def _write_label(file: TextIO, number: int, image: SentImage, class_id: int, label: Shape) -> None:
    low, high = label.polygon.min(0), label.polygon.max(0)
    row = {
        "id": number,
        "image_id": image.image_id,
        "category_id": class_id,
        "segmentation": [label.polygon.reshape(-1).tolist()],
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": abs(signed_area(label.polygon)),
        "iscrowd": 0,
    }
    file.write((",\n" if number else "\n") + json.dumps(row))


def write_report(
    folder: Path,
    found: figures.Outcomes,
    rows: list[dict[str, Any]],
    ranking: list[dict[str, Any]],
) -> figures.AutoAccept | None:
    """Figure and tables of a review; see ``pull``.

    Args:
        rows: ``outcome_rows`` of what was found. ranking: a row per image.
    """
    predicted = ~np.isnan(found.score)
    score = found.score[predicted]
    right = found.kind[predicted] == KINDS.index("accepted")
    best = figures.auto_accept(score, right, found.image[predicted])
    bins = figures.acceptance_rows(score, right, found.image[predicted])
    save_figure(figures.figure_acceptance(bins, best), folder / "acceptance.png", bins)
    for name, table, title in (
        (
            "outcomes",
            rows,
            f"Review by class and confidence. {figures.statement(best, len(score))}",
        ),
        ("images", ranking, "Images by disagreement of model and review"),
    ):
        (folder / f"{name}.csv").write_text(table_csv(table), encoding="utf-8")
        (folder / f"{name}.html").write_text(table_html(table, title), encoding="utf-8")
    return best


def write_objects(path: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    """CSV with a line per object: ``columns`` below but for the band, NaN for what is unknown."""
    columns = ("file_name", "class", "kind", "band", "score", "iou", "truth_before", "truth_after")
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, columns, map(_object_cells, rows))


def _object_cells(row: tuple[Any, ...]) -> tuple[Any, ...]:
    name, class_name, kind, *numbers = row
    band = "" if np.isnan(numbers[0]) else band_of(numbers[0])
    return (name, class_name, kind, band, *("" if np.isnan(v) else f"{v:.4f}" for v in numbers))


def report_numbers(
    report: Report,
    images: int,
    pending: int,
    rows: list[dict[str, Any]],
    best: figures.AutoAccept | None,
) -> None:
    """``review/...``: totals, then per class and per band; undefined values are left out."""
    for name, value in (("images", images), ("pending", pending), ("added", rows[-1]["added"])):
        report(f"review/{name}", value)
    keys = ("accepted_share", "iou_corrected", "truth_before", "truth_after", "precision", "recall")
    for row in rows:
        whole_class, whole_band = row["class"] == figures.ALL, row["band"] == figures.ALL
        if not (whole_class or whole_band):
            continue  # of both at once, the table tells
        group = "" if whole_class else f"class/{row['class']}/"
        group = group if whole_band else f"band/{row['band']}/"
        for key in ("sent", "accepted", "corrected", "deleted", *keys):
            if row[key] is not None:
                report(f"review/{group}{key}", row[key])
        if whole_band and not whole_class:
            report(f"review/{group}added", row["added"])
    if best is not None:
        report("review/auto_accept_from", best.score)
        report("review/auto_accept_share", best.share)
        report("review/auto_accept_low", best.low)
