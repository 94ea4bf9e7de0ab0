"""Labels on their way to be looked at again, as a folder on disk: that of ``sent``, and in its
tables which label of its image an object is, and why to look.

A label is known by what its image holds and by its place among the labels there: ids are others as
soon as a data set has further images.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools import mask as coco_mask

from segtrack.annotation.matching import Shape
from segtrack.annotation.outlines import polygon_of
from segtrack.annotation.port import AnnotationPlatform, Pushed
from segtrack.annotation.sent import (
    FILE,
    OBJECTS,
    SCHEMA,
    Reviewed,
    SentImage,
    pack_ring,
    unpack_ring,
)
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError
from segtrack.base.files import digest, file_digest
from segtrack.base.polygons import Polygon
from segtrack.dataset import Dataset, ImageRow, annotations_of, images_of
from segtrack.settings import SPLITS

RECHECKED = tuple(split for split in SPLITS if split != "test")  # which compares versions honestly
KEPT = "rechecks"  # in the platform's memory
_MORE = """
ALTER TABLE images ADD COLUMN labels TEXT;
ALTER TABLE objects ADD COLUMN position INTEGER;
CREATE TABLE suspects (
    name TEXT, position INTEGER, kind TEXT, suspicion REAL, reason TEXT, outline BLOB);
"""
Row = dict[str, Any]  # of ``Dataset.iter_annotations``


@dataclass(frozen=True)
class Suspect:
    """Why people are to look at a place in an image.

    Attributes:
        position: of the label among those of its image; None where nothing is labelled.
        kind: of what is suspected. suspicion: 0..1. reason: for people.
        outline: float64 (n, 2), px, of the place.
    """

    image: ImageRow
    position: int | None
    kind: str
    suspicion: float
    reason: str
    outline: Polygon


class SentSuspect(NamedTuple):
    """A ``Suspect`` as it lies in the tables."""

    position: int | None
    kind: str
    suspicion: float
    reason: str
    outline: Polygon


class SentLabel(NamedTuple):
    """A label as it was sent: ``position`` among those of its image."""

    position: int
    shape: Shape


def keep_recheck(
    platform: AnnotationPlatform,
    pushed: Pushed,
    name: str,
    dataset: Dataset,
    images: Sequence[ImageRow],
    suspects: Iterable[Suspect],
    key: str,
    simplify_px: float,
) -> Reviewed:
    """Remember what was sent, so that ``pull_recheck`` finds it and knows what people changed.

    Args:
        name: of the project. images: of the splits ``RECHECKED``, all in the project.
        key: of the list of suspects; more images of the same list come to those that were sent.
        simplify_px: as it was sent with.
    """
    folder = platform.memory(KEPT) / f"{digest(name)[:12]}-{key[:8]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    labels = labels_by_image(dataset, {row.image_id for row in images})
    sent = {row.image_id: row for row in platform.known_as(pushed.project_id, images)}
    with whole_folder(folder) as partial:
        with closing(_database(folder, partial / OBJECTS)) as db:
            for row in sent.values():
                _keep_image(db, row, labels[row.image_id], dataset.names, simplify_px)
            _keep_suspects(db, sent, suspects)
            db.commit()
            (count,) = db.execute("SELECT COUNT(*) FROM images").fetchone()
            (objects,) = db.execute("SELECT COUNT(*) FROM objects").fetchone()
        done = Reviewed(
            folder,
            pushed.project_id,
            name,
            pushed.dataset_ids,
            dataset.names,
            count,
            objects,
            0.0,
            simplify_px,
            "",
            file_digest(partial / OBJECTS),
        )
        record = {key: value for key, value in asdict(done).items() if key != "folder"}
        (partial / FILE).write_text(json.dumps(record, indent=1), encoding="utf-8")
    return done


def last_recheck(platform: AnnotationPlatform, name: str, dataset: Dataset) -> Reviewed | None:
    """The labels that were sent last: of this data set as it is, else of the name ``name``."""
    records = sorted(
        platform.memory(KEPT).glob(f"*/{FILE}"), key=lambda path: -path.stat().st_mtime_ns
    )
    named: Reviewed | None = None
    for record in records:
        try:
            sent = Reviewed.load(record.parent)
            with closing(sent.open()) as db:
                contents = set(contents_of(db).values())
        except DataError:
            if record.parent.name.startswith(f"{digest(name)[:12]}-"):
                raise
            continue
        if contents <= here(dataset, {sha256 for sha256, _ in contents}).keys():
            return sent
        if named is None and record.parent.name.startswith(f"{digest(name)[:12]}-"):
            named = sent
    return named


class Here(NamedTuple):
    """Images of a data set that hold the same and are labelled the same.

    Attributes:
        file_names: one, or several where the data set has copies.
        labels: of each of them, in their order.
    """

    file_names: list[str]
    labels: list[Row]


def here(dataset: Dataset, contents: Collection[str]) -> dict[tuple[str, str], Here]:
    """What a data set has of pictures, by their digest and that of their labels.

    Args:
        contents: digests of the pictures that are looked for.
    """
    rows = {row.image_id: row for row in images_of(dataset, RECHECKED) if row.sha256 in contents}
    labels = labels_by_image(dataset, rows)
    found: dict[tuple[str, str], Here] = {}
    for image_id, row in rows.items():
        own = labels[image_id]
        key = row.sha256, labels_digest(own, dataset.names)
        found.setdefault(key, Here([], own)).file_names.append(row.file_name)
    return found


def labels_by_image(dataset: Dataset, image_ids: Collection[int]) -> dict[int, list[Row]]:
    """All labels of some images of ``RECHECKED``, crowds included, in their order."""
    found: dict[int, list[Row]] = {one: [] for one in image_ids}
    for row in annotations_of(dataset, RECHECKED):
        if row["image_id"] in found:
            found[row["image_id"]].append(row)
    return found


def labels_digest(labels: Sequence[Row], names: Sequence[str]) -> str:
    """Stands for the labels of an image: classes, outlines, and which are crowds."""
    return digest([[names[r["category_id"]], r["segmentation"], r["iscrowd"]] for r in labels])


def contents_of(db: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Of each image, by the project's name, its digest and that of its labels when it was sent."""
    return {
        row[0]: (row[1], row[2]) for row in db.execute("SELECT name, sha256, labels FROM images")
    }


def labels_of(db: sqlite3.Connection, name: str) -> list[SentLabel]:
    """The labels of an image that were sent, in its order."""
    query = "SELECT position, class_name, ring, score FROM objects WHERE name = ? ORDER BY position"
    return [
        SentLabel(position, Shape(class_name, unpack_ring(ring), score))
        for position, class_name, ring, score in db.execute(query, (name,))
    ]


def suspects_of(db: sqlite3.Connection, name: str) -> list[SentSuspect]:
    """Why people were to look at an image, the most urgent first."""
    query = "SELECT position, kind, suspicion, reason, outline FROM suspects WHERE name = ?"
    return [
        SentSuspect(position, kind, suspicion, reason, unpack_ring(outline))
        for position, kind, suspicion, reason, outline in db.execute(
            f"{query} ORDER BY rowid", (name,)
        )
    ]


def mask_of(segmentation: Any, size: tuple[int, int]) -> Mapping[str, Any]:
    """COCO RLE of a label's ``segmentation``; width and height in px."""
    width, height = size
    if not isinstance(segmentation, list):
        return {"size": [height, width], "counts": segmentation["counts"].encode()}
    rings = coco_mask.frPyObjects(segmentation, height, width)
    return dict(coco_mask.merge(rings))


def _database(before: Path, path: Path) -> sqlite3.Connection:
    """A new one, or what was sent of the same list before."""
    try:
        earlier = Reviewed.load(before)
        earlier.open().close()
    except DataError:
        db = sqlite3.connect(path)
        db.executescript(SCHEMA + _MORE)
        return db
    shutil.copyfile(before / OBJECTS, path)
    return sqlite3.connect(path)


def _keep_image(
    db: sqlite3.Connection,
    image: SentImage,
    labels: Sequence[Row],
    names: Sequence[str],
    simplify_px: float,
) -> None:
    for table in ("images", "objects", "suspects"):
        db.execute(f"DELETE FROM {table} WHERE name = ?", (image.name,))
    columns = ", ".join((*SentImage._fields, "labels"))
    values = ", ".join("?" * (len(SentImage._fields) + 1))
    code = labels_digest(labels, names)
    db.execute(f"INSERT INTO images ({columns}) VALUES ({values})", (*image, code))
    for position, row in enumerate(labels):
        if row["iscrowd"]:
            continue
        mask = mask_of(row["segmentation"], (image.width, image.height))
        outline = polygon_of(mask, simplify_px)
        if outline is not None:
            known = (image.name, names[row["category_id"]], 1.0, pack_ring(outline), position)
            db.execute("INSERT INTO objects VALUES (?, ?, ?, ?, ?)", known)


def _keep_suspects(
    db: sqlite3.Connection, sent: Mapping[int, SentImage], suspects: Iterable[Suspect]
) -> None:
    for one in suspects:
        image = sent.get(one.image.image_id)
        if image is not None:  # a copy of a picture is sent once
            values = (one.position, one.kind, one.suspicion, one.reason, pack_ring(one.outline))
            db.execute("INSERT INTO suspects VALUES (?, ?, ?, ?, ?, ?)", (image.name, *values))
