"""The stage: predictions and features of unlabelled images in, those to annotate next out.

selection.parquet, .csv    an image a row, the most wanted first, with the reason
candidates.parquet, .csv   every image that could have been chosen, likewise
summary.txt                how many of what, as a terminal shows it
figures/, gallery/         the chosen among all; their pictures, with what is in doubt in them
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.base.names import shown
from segtrack.curation import selection_sheet
from segtrack.curation.choosing import (
    Chosen,
    Floats,
    Ints,
    in_doubt,
    k_center,
    least_per_group,
    shortlist,
    standardized,
)
from segtrack.dataset import Dataset, Grouping, ImageRow
from segtrack.model import Features, Predictions
from segtrack.report import save_figure, scatter_chart, table_text, write_csv
from segtrack.settings import SPLITS, SelectSettings

SELECTION, CANDIDATES, SELECTED = "selection.parquet", "candidates.parquet", "summary.txt"
POOL, LEARNT = "pool", "train"
_TOP = 10
_ROW = pa.schema(
    [
        ("rank", pa.int64()),  # null: not chosen
        ("file_name", pa.string()),
        ("group", pa.string()),
        ("uncertainty", pa.float64()),  # predictions in doubt; null: nobody asked
        ("predictions", pa.int64()),
        ("distance", pa.float64()),  # to the nearest labelled or chosen image; null: there is none
        ("reason", pa.string()),
        ("image_id", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Material:
    """What a choice goes by.

    Attributes:
        dataset: whose pool is chosen from.
        group_by: regular expression on file names.
        predictions: of the pool; None where they do not count.
        pool, learnt: features of the pool and of the split train; None likewise, and where there
            is no image to learn from.
        seed: draws where chance chooses.
    """

    dataset: Dataset
    group_by: str | None
    predictions: Predictions | None
    pool: Features | None
    learnt: Features | None
    seed: int


@dataclass(frozen=True)
class _Pool:
    """The images that can be chosen: no copies of each other or of labelled ones.

    Attributes:
        images: in the order of their ids. copies: images that were left out.
        group: int64 (N,), from 0. group_names: of each image.
        doubt: float64 (N,), predictions in doubt; NaN where nobody asked.
        predicted: int64 (N,). doubtful: of each image, its prediction nearest to .5 in words.
    """

    images: list[ImageRow]
    copies: int
    group: Ints
    group_names: list[str]
    doubt: Floats
    predicted: Ints
    doubtful: list[str]


def select_images(
    material: Material, settings: SelectSettings, folder: Path, report: Report
) -> None:
    """Choose images of the pool to be annotated next, and write into ``folder`` what was chosen.

    Args:
        report: gets ``select/...`` numbers.

    Raises:
        DataError: there is nothing to choose, or features and images do not belong together.
    """
    pool = _candidates(material)
    chosen, limit = _choose(pool, material, settings)
    rows = _rows(pool, chosen, settings, material.seed)
    picked = sorted((row for row in rows if row["rank"]), key=lambda row: int(row["rank"]))
    _write(rows, folder / CANDIDATES)
    _write(picked, folder / SELECTION)
    numbers = _numbers(rows, picked, pool.copies)
    for name, value in numbers.items():
        report(f"select/{name}", value)
    text = _summary(picked, numbers, settings, limit)
    (folder / SELECTED).write_text(text, encoding="utf-8")
    for name in ("figures", "gallery"):
        shutil.rmtree(folder / name, ignore_errors=True)  # remains of an attempt that was killed
        (folder / name).mkdir()
    _draw(rows, settings, folder / "figures")
    images = {row.image_id: row for row in pool.images}
    names = material.dataset.names
    selection_sheet.draw(picked, images, material.predictions, names, folder / "gallery")


def read_selection(folder: Path) -> list[dict[str, Any]]:
    """The rows of ``selection.parquet`` in a result's folder, the most wanted first."""
    rows: list[dict[str, Any]] = pq.read_table(folder / SELECTION).to_pylist()
    return rows


def _candidates(material: Material) -> _Pool:
    dataset = material.dataset
    labelled = (split for split in SPLITS if split != POOL)
    known = {row.sha256 for split in labelled for row in dataset.iter_images(split)}
    images, copies = [], 0
    for row in dataset.iter_images(POOL):
        if row.sha256 in known:
            copies += 1
            continue
        known.add(row.sha256)
        images.append(row)
    if not images:
        raise DataError(
            f"stage select: all {copies} images of the split {POOL} are copies of labelled ones; "
            "put further pictures into the folder"
        )
    grouping = Grouping(material.group_by)
    group = np.array([grouping.number(row.file_name) for row in images], np.int64)
    names = [grouping.name(row.file_name) for row in images]
    count = len(images)
    doubt, predicted, doubtful = np.full(count, np.nan), np.zeros(count, np.int64), [""] * count
    if material.predictions is not None:
        doubt = np.zeros(count)
        classes = material.predictions.info.names
        for i, (_, found) in enumerate(material.predictions.by_image(images)):
            if found is None or not len(found):
                continue
            score = found.score.astype(np.float64)
            doubt[i] = in_doubt(score, np.zeros(len(score), np.int64), 1)[0]
            predicted[i] = len(score)
            nearest_half = int(np.abs(score - 0.5).argmin())
            doubtful[i] = f"{classes[found.class_id[nearest_half]]} {score[nearest_half]:.2f}"
    return _Pool(images, copies, group, names, doubt, predicted, doubtful)


def _choose(pool: _Pool, material: Material, settings: SelectSettings) -> tuple[Chosen, int]:
    """What is chosen, and how many of one group it may be."""
    count, total = settings.count, len(pool.images)
    limit = settings.per_group or least_per_group(pool.group, min(count, total))
    if not settings.looks:
        value = pool.doubt
        if not settings.predicts:
            value = np.random.default_rng(material.seed).random(total)
        order = shortlist(value, pool.group, count, limit)
        return Chosen(order, np.full(total, np.nan)), limit
    features, covered = _features(pool, material)
    if settings.predicts:
        value = pool.doubt
        candidates = shortlist(value, pool.group, count, limit, settings.among)
    else:
        # Where nothing is labelled the most usual image is the first.
        value, candidates = -(features**2).sum(1), np.arange(total)
    return k_center(features, covered, candidates, value, pool.group, count, limit), limit


def _features(pool: _Pool, material: Material) -> tuple[Floats, Floats]:
    """On one scale, of the pool and of what the network learnt from."""
    assert material.pool is not None
    ids = np.array([row.image_id for row in pool.images], np.int64)
    if not np.isin(ids, material.pool.image_id).all():
        raise DataError("stage select: the features are of other images than the pool")
    own = material.pool.values[np.searchsorted(material.pool.image_id, ids)].astype(np.float64)
    learnt = np.zeros((0, own.shape[1]))
    if material.learnt is not None:
        learnt = material.learnt.values.astype(np.float64)
    pooled, covered = standardized(own, learnt)
    return pooled, covered


def _rows(pool: _Pool, chosen: Chosen, settings: SelectSettings, seed: int) -> list[dict[str, Any]]:
    """A row for every candidate, the chosen first, then the most uncertain."""
    rank = {int(at): n for n, at in enumerate(chosen.order, start=1)}
    rows = []
    for i, image in enumerate(pool.images):
        distance = float(chosen.distance[i])
        row: dict[str, Any] = {
            "rank": rank.get(i),
            "file_name": image.file_name,
            "group": pool.group_names[i],
            "uncertainty": None if np.isnan(pool.doubt[i]) else float(pool.doubt[i]),
            "predictions": int(pool.predicted[i]) if settings.predicts else None,
            "distance": distance if np.isfinite(distance) else None,
            "image_id": image.image_id,
        }
        row["reason"] = _reason(row, pool.doubtful[i], settings, seed) if row["rank"] else None
        rows.append(row)
    last = len(rows) + 1
    rows.sort(key=lambda row: (row["rank"] or last, -(row["uncertainty"] or 0), row["image_id"]))
    return rows


def _reason(row: dict[str, Any], doubtful: str, settings: SelectSettings, seed: int) -> str:
    words = []
    if settings.predicts and row["predictions"]:
        words.append(
            f"{row['uncertainty']:.1f} of {row['predictions']} predictions are in doubt, most so "
            f"{doubtful}"
        )
    elif settings.predicts:
        words.append("nothing is predicted")
    if row["distance"] is not None:
        words.append(f"{row['distance']:.2f} from the nearest labelled or chosen image")
    elif settings.looks:
        words.append("nothing is labelled, and it is the first")
    return "; ".join(words) or f"drawn by seed={seed}"


def _write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), _ROW), path, compression="zstd")
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        write_csv(file, _ROW.names, ([row[name] for name in _ROW.names] for row in rows))


def _numbers(
    rows: Sequence[dict[str, Any]], picked: Sequence[dict[str, Any]], copies: int
) -> dict[str, float]:
    numbers = {
        "images": float(len(picked)),
        "candidates": float(len(rows)),
        "copies": float(copies),
        "groups": float(len({row["group"] for row in picked})),
    }
    for name in ("uncertainty", "distance"):
        for end, some in (("", picked), ("_of_all", rows)):
            values = [row[name] for row in some if row[name] is not None]
            if values and (name, end) != ("distance", "_of_all"):
                numbers[f"{name}{end}"] = float(np.mean(values))
    far = [row["distance"] for row in rows if row["distance"] is not None and not row["rank"]]
    if far:
        numbers["farthest_left"] = float(max(far))
    return numbers


def _summary(
    picked: Sequence[dict[str, Any]],
    numbers: dict[str, float],
    settings: SelectSettings,
    limit: int,
) -> str:
    count, of = len(picked), int(numbers["candidates"])
    grouped = "" if numbers["groups"] == count else f", from {numbers['groups']:.0f} groups"
    lines = [f"{count} of {of} images of the pool to annotate next, by {settings.by}{grouped}."]
    if count < settings.count:
        why = "the pool has no more"
        if count < of:
            why = f"no group gives more than select.per_group={limit}"
        lines.append(f"Fewer than select.count={settings.count}: {why}.")
    if numbers["copies"]:
        lines.append(f"Left out as copies of other images: {numbers['copies']:.0f}.")
    if "uncertainty" in numbers:
        lines.append(
            f"Predictions in doubt: {numbers['uncertainty']:.1f} an image; "
            f"{numbers['uncertainty_of_all']:.1f} in the whole pool."
        )
    if "farthest_left" in numbers:
        lines.append(
            f"No image that is left is farther than {numbers['farthest_left']:.2f} from the "
            "nearest labelled or chosen one."
        )
    columns = ("rank", "uncertainty", "distance", "group", "file_name", "reason")
    wide = {"group": 24, "file_name": 46, "reason": 120}
    top = [
        {
            name: shown(str(row[name]), wide[name]) if name in wide else row[name]
            for name in columns
            if row[name] is not None and (name != "group" or grouped)
        }
        for row in picked[:_TOP]
    ]
    return "\n".join(lines) + "\n\n" + table_text(top, 2)


def _draw(rows: Sequence[dict[str, Any]], settings: SelectSettings, folder: Path) -> None:
    """The chosen among all, where both are known that they were chosen by."""
    names = ("distance", "uncertainty")
    if not settings.looks or not settings.predicts:
        return
    known = [row for row in rows if row["distance"] is not None]
    sets = {
        f"left ({sum(not row['rank'] for row in known)})": [r for r in known if not r["rank"]],
        f"chosen ({sum(bool(row['rank']) for row in known)})": [r for r in known if r["rank"]],
    }
    figure = scatter_chart(
        "Which images are chosen",
        "distance to the nearest image that is labelled or chosen before",
        "predictions in doubt",
        {label: np.array([[r[n] for n in names] for r in some]) for label, some in sets.items()},
    )
    columns = ("rank", "file_name", *names)
    save_figure(figure, folder / "chosen.png", [{c: r[c] for c in columns} for r in rows])
