"""The stage: labels and predictions of networks that did not learn them in, a ranked list out.

suspects.parquet, .csv   an object a row, the most suspect first, with its reason
images.parquet, .csv     an image a row, likewise
summary.txt              the counts and the worst, as a terminal shows them
figures/, gallery/       how suspicion is distributed; the worst objects, label beside prediction
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.base.metrics import Report
from segtrack.base.names import shown
from segtrack.base.progress import progress
from segtrack.curation import gallery
from segtrack.curation.facts import Facts, facts_of
from segtrack.curation.pooling import pooled
from segtrack.curation.reasons import reason
from segtrack.curation.suspicion import KINDS, Suspicions, suspicions
from segtrack.dataset import Dataset, Folds, annotations_of, images_of
from segtrack.evaluation import image_batches
from segtrack.model import FrameDetections, Predictions
from segtrack.report import line_chart, save_figure, table_text, write_csv
from segtrack.settings import SuspectSettings

OBJECTS, IMAGES, SUMMARY = "suspects.parquet", "images.parquet", "summary.txt"
LISTED = 0.05  # a prediction is listed as overlooked from this suspicion on
WEAK = 0.5  # share of the labels that predictions should show, below which a ranking says little
_SHOWN, _TOP = 0.25, 10
_EVERY = 10_000  # predictions of an image; how many are made the model's settings say
_OBJECT = pa.schema(
    [
        ("rank", pa.int64()),
        ("suspicion", pa.float64()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("file_name", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int16()),
        ("image_id", pa.int64()),
        ("annotation_id", pa.int64()),  # null: nothing is labelled
        ("class", pa.string()),  # of the label, or of the prediction that has none
        ("predicted_class", pa.string()),
        ("predicted_score", pa.float64()),
        ("iou", pa.float64()),  # of both masks; of a duplicate: of both labels
        ("x1", pa.float64()),
        ("y1", pa.float64()),
        ("x2", pa.float64()),
        ("y2", pa.float64()),
        *((kind, pa.float64()) for kind in KINDS),
        ("rle", pa.binary()),  # the mask of a prediction that has no label
    ]
)


@dataclass(frozen=True)
class Found:
    """All that the stage found, ``rows`` as in ``suspects.parquet`` and ``images``."""

    facts: Facts
    suspicions: Suspicions
    rows: list[dict[str, Any]]
    images: list[dict[str, Any]]


def find_suspects(
    dataset: Dataset,
    folds: Folds,
    predictions: Sequence[Predictions],
    settings: SuspectSettings,
    folder: Path,
    report: Report,
) -> None:
    """Rank labels by how probably they are wrong, and what was probably overlooked.

    Args:
        predictions: one for each part of ``folds``, of a network that did not learn from it.
        report: gets ``suspect/...`` numbers.

    Raises:
        DataError: the predictions are of other images.
    """
    found = _found(dataset, folds, predictions, settings)
    _write(found, folder)
    numbers = _numbers(found, settings)
    for name, value in numbers.items():
        report(f"suspect/{name}", value)
    (folder / SUMMARY).write_text(_summary(found, numbers, settings), encoding="utf-8")
    for name in ("figures", "gallery"):
        shutil.rmtree(folder / name, ignore_errors=True)  # remains of an attempt that was killed
        (folder / name).mkdir()
    _draw(found, folder / "figures")
    frames = _frames(predictions)
    shown = _in_turn(found.rows, settings.gallery)
    gallery.draw(dataset, shown, frames, settings, folder / "gallery")


def read_suspects(folder: Path) -> list[dict[str, Any]]:
    """The rows of ``suspects.parquet`` in a result's folder, the most suspect first."""
    rows: list[dict[str, Any]] = pq.read_table(folder / OBJECTS).to_pylist()
    return rows


def read_worst(folder: Path) -> list[dict[str, Any]]:
    """The rows of ``images.parquet``, the most suspect first."""
    rows: list[dict[str, Any]] = pq.read_table(folder / IMAGES).to_pylist()
    return rows


def _in_turn(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The worst of each kind in turn, so that one kind does not fill the gallery; by their rank."""
    turns: list[tuple[int, dict[str, Any]]] = []
    seen = dict.fromkeys(KINDS, 0)
    for row in rows:
        turns.append((seen[row["kind"]], row))
        seen[row["kind"]] += 1
    turns.sort(key=lambda one: (one[0], one[1]["rank"]))
    return sorted((row for _, row in turns[:count]), key=lambda row: int(row["rank"]))


def _found(
    dataset: Dataset,
    folds: Folds,
    predictions: Sequence[Predictions],
    settings: SuspectSettings,
) -> Found:
    rows = list(images_of(dataset, settings.splits))
    split_of = {row.image_id: s for s in settings.splits for row in dataset.iter_images(s)}
    batches = image_batches(
        (
            {"id": r.image_id, "file_name": r.file_name, "width": r.width, "height": r.height}
            for r in rows
        ),
        annotations_of(dataset, settings.splits),
        _frames(predictions),
        settings.conf_floor,
        _EVERY,
    )
    facts = facts_of(progress(batches, "compare masks", None, "batches"))
    judged = suspicions(facts)
    names = [row.file_name for row in rows]
    place = {row.image_id: i for i, row in enumerate(rows)}
    fold = dict(zip(folds.image_id.tolist(), folds.fold.tolist(), strict=True))
    objects = []
    for row in _objects(facts, judged, dataset.names):
        image_id = row["image_id"]
        objects.append(
            {
                **row,
                "file_name": names[place[image_id]],
                "split": split_of[image_id],
                "fold": fold[image_id],
            }
        )
    objects.sort(key=lambda row: (-row["suspicion"], row["image_id"], row["annotation_id"] or -1))
    for rank, row in enumerate(objects, start=1):
        row["rank"] = rank
    return Found(facts, judged, objects, _images(rows, objects, split_of, fold, settings.least))


def _frames(predictions: Sequence[Predictions]) -> Iterator[FrameDetections]:
    """Of all parts, in the order of the images."""
    return heapq.merge(*(one.frames() for one in predictions), key=lambda frame: frame.frame)


def _objects(facts: Facts, judged: Suspicions, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row for every label, and for every prediction that may have been overlooked."""
    labelled, predicted = facts.labelled, facts.predicted
    kinds, worst = judged.worst_kind()
    for i in range(len(labelled)):
        kind = KINDS[kinds[i]]
        other, of_own = int(labelled.other_class[i]), kind in ("badly_located", "spurious")
        if kind == "duplicate":
            at, score, iou = int(labelled.class_id[labelled.twin[i]]), None, labelled.twin_iou[i]
        elif kind == "swapped":
            at, score, iou = other, labelled.other[i], None
        else:
            seen = labelled.match_score[i] > 0 and of_own
            at = int(labelled.class_id[i]) if seen else -1
            score, iou = (labelled.match_score[i], labelled.match_iou[i]) if seen else (None, None)
        row: dict[str, Any] = {
            "suspicion": float(worst[i]),
            "kind": kind,
            "image_id": int(labelled.image_id[i]),
            "annotation_id": int(labelled.annotation_id[i]),
            "class": names[labelled.class_id[i]],
            "predicted_class": names[at] if at >= 0 else None,
            "predicted_score": None if score is None else float(score),
            "iou": None if iou is None else float(iou),
            **dict(zip(("x1", "y1", "x2", "y2"), labelled.bbox_xyxy[i].tolist(), strict=True)),
            **{one: float(judged.by_kind[one][i]) for one in KINDS[1:]},
            "overlooked": None,
            "rle": None,
        }
        row["reason"] = reason(row, float(judged.usual_iou[i]), float(judged.usual_shown[i]))
        yield row
    overlooked = judged.by_kind["overlooked"]
    for i in np.flatnonzero(overlooked >= LISTED).tolist():
        name = names[predicted.class_id[i]]
        row = {
            **dict.fromkeys(KINDS),
            "suspicion": float(overlooked[i]),
            "kind": "overlooked",
            "overlooked": float(overlooked[i]),
            "image_id": int(predicted.image_id[i]),
            "annotation_id": None,
            "class": name,
            "predicted_class": name,
            "predicted_score": float(predicted.score[i]),
            "iou": None,
            **dict(zip(("x1", "y1", "x2", "y2"), predicted.bbox_xyxy[i].tolist(), strict=True)),
            "rle": predicted.rle[i],
        }
        row["reason"] = reason(row)
        yield row


def _images(
    rows: Sequence[Any],
    objects: Sequence[dict[str, Any]],
    split_of: dict[int, str],
    fold: dict[int, int],
    least: float,
) -> list[dict[str, Any]]:
    """A row for every image, the most suspect first."""
    place = {row.image_id: i for i, row in enumerate(rows)}
    owner = np.array([place[one["image_id"]] for one in objects], np.int64)
    value = np.array([one["suspicion"] for one in objects], np.float64)
    score = pooled(value, owner, len(rows))
    first: dict[int, dict[str, Any]] = {}
    counts = np.bincount(owner[value >= least], minlength=len(rows))
    labels = np.bincount(
        owner[[one["annotation_id"] is not None for one in objects]], minlength=len(rows)
    )
    for one in objects:
        first.setdefault(place[one["image_id"]], one)
    found = [
        {
            "suspicion": float(score[i]),
            "file_name": row.file_name,
            "split": split_of[row.image_id],
            "fold": fold[row.image_id],
            "image_id": row.image_id,
            "labels": int(labels[i]),
            "suspects": int(counts[i]),
            "kind": first[i]["kind"] if i in first else None,
            "reason": first[i]["reason"] if i in first else None,
        }
        for i, row in enumerate(rows)
    ]
    found.sort(key=lambda row: (-row["suspicion"], row["image_id"]))
    return [{"rank": rank, **row} for rank, row in enumerate(found, start=1)]


def _write(found: Found, folder: Path) -> None:
    table = pa.Table.from_pylist(found.rows, _OBJECT)
    pq.write_table(table, folder / OBJECTS, compression="zstd")
    pq.write_table(pa.Table.from_pylist(found.images), folder / IMAGES, compression="zstd")
    columns = [name for name in _OBJECT.names if name != "rle"]
    for path, heads, rows in (
        (folder / OBJECTS, columns, found.rows),
        (folder / IMAGES, list(found.images[0]) if found.images else [], found.images),
    ):
        with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
            write_csv(file, heads, ([row[head] for head in heads] for row in rows))


def _numbers(found: Found, settings: SuspectSettings) -> dict[str, float]:
    labelled = found.facts.labelled
    counted = [row for row in found.rows if row["suspicion"] >= settings.least]
    shown = labelled.own >= _SHOWN
    return {
        "images": len(found.images),
        "labels": len(labelled),
        "shown_share": float(shown.mean()) if len(labelled) else 0.0,
        "suspects": len(counted),
        "suspect_images": len({row["image_id"] for row in counted}),
        **{kind: sum(row["kind"] == kind for row in counted) for kind in KINDS},
    }


def _summary(found: Found, numbers: dict[str, float], settings: SuspectSettings) -> str:
    counts = ", ".join(f"{numbers[kind]:.0f} {kind.replace('_', ' ')}" for kind in KINDS)
    lines = [
        f"{numbers['labels']:,.0f} labels of {numbers['images']:,.0f} images: "
        f"{numbers['suspects']:,.0f} objects in {numbers['suspect_images']:,.0f} images have a "
        f"suspicion of {settings.least:g} or more ({counts}).",
    ]
    if numbers["shown_share"] < WEAK:
        lines.append(
            f"Networks that did not learn them show {100 * numbers['shown_share']:.0f}% of the "
            "labels: too few for a ranking to rely on. Train longer or larger (trainer, model)."
        )
    columns = ("rank", "suspicion", "kind", "class", "file_name", "reason")
    top = [
        {name: shown(str(row[name]), 46) if name == "file_name" else row[name] for name in columns}
        for row in found.rows[:_TOP]
    ]
    for row in top:
        row["reason"] = shown(row["reason"], 90)
    table = "\n" + table_text(top, 2) if top else ""
    return "\n".join(lines) + "\n" + table


def _draw(found: Found, folder: Path) -> None:
    """How many objects there are from a suspicion on, as a share of the labels, by kind."""
    x = np.linspace(0, 1, 101)
    labels = max(len(found.facts.labelled), 1)
    curves = {}
    for kind in KINDS:
        values = np.sort(found.suspicions.by_kind[kind])
        curves[kind.replace("_", " ")] = (
            len(values) - np.searchsorted(values, np.maximum(x, LISTED))
        ) / labels
    title, y = "How much is suspect", "objects at or above it, as a share of the labels"
    figure = line_chart(title, "suspicion", y, x, curves)
    rows = [
        {"suspicion": float(at), **{name: float(values[i]) for name, values in curves.items()}}
        for i, at in enumerate(x)
    ]
    save_figure(figure, folder / "suspicion.png", rows)
