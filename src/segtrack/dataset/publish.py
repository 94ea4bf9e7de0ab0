"""The last pass over the images: catalogue rows in, tables and the training tree out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from segtrack.base.progress import progress
from segtrack.dataset import tables, yolo_tree
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.classes import ClassMap
from segtrack.dataset.labels import EMPTY, Labels
from segtrack.dataset.workers import map_chunks
from segtrack.settings import SPLITS

_COLUMNS = (
    "image_id, file_name, path, split, sha256, width, height, mode, orientation, intact, "
    "suffix, relative, labels"
)
_CHUNK = 256


@dataclass(frozen=True)
class Published:
    """What ``publish`` wrote.

    Attributes:
        images, annotations: how many per split.
        classes: annotations per split, int64 (classes,).
        digests: content digest per split, hex; it does not depend on the order of the images.
    """

    images: dict[str, int]
    annotations: dict[str, int]
    classes: dict[str, np.ndarray]
    digests: dict[str, str]


def publish(catalogue: Catalogue, classes: ClassMap, folder: Path, workers: int) -> Published:
    """Write ``images.parquet``, ``annotations.parquet`` and the ``yolo`` tree into ``folder``."""
    yolo_tree.make_folders(folder)
    images = dict.fromkeys(SPLITS, 0)
    annotations = dict.fromkeys(SPLITS, 0)
    per_class = {split: np.zeros(len(classes.names), np.int64) for split in SPLITS}
    sums = dict.fromkeys(SPLITS, 0)
    work = partial(_publish_chunk, ids=classes.ids(), folder=folder)
    count = catalogue.count()
    chunks = map_chunks(work, catalogue.rows(_COLUMNS), workers, _CHUNK, alone_below=2048)
    with (
        tables.table_writer(folder / "images.parquet", tables.IMAGES) as image_writer,
        tables.table_writer(folder / "annotations.parquet", tables.ANNOTATIONS) as writer,
    ):
        start = 0
        for part in progress(chunks, "tables", -(-count // _CHUNK), "parts"):
            image_writer.add(part.images, len(part.images))
            rows = part.annotations
            ids = pa.array(np.arange(start, start + len(rows), dtype=np.int64))
            writer.add(rows.set_column(0, tables.ANNOTATIONS.field(0), ids), len(rows))
            start += len(rows)
            for split, class_ids, digest in part.facts:
                images[split] += 1
                annotations[split] += len(class_ids)
                np.add.at(per_class[split], class_ids, 1)
                sums[split] = (sums[split] + digest) % (1 << 256)
    yolo_tree.write_yaml(folder, classes.names, images)
    head = json.dumps(classes.names)
    digests = {
        split: hashlib.sha256(f"{head}{images[split]}:{sums[split]}".encode()).hexdigest()
        for split in SPLITS
    }
    return Published(images, annotations, per_class, digests)


@dataclass(frozen=True)
class _Part:
    images: pa.Table
    annotations: pa.Table
    facts: list[tuple[str, np.ndarray, int]]  # split, class ids, digest


def _publish_chunk(rows: list[Any], ids: np.ndarray, folder: Path) -> list[_Part]:
    kept: list[Labels] = []
    facts = []
    for image_id, name, path, split, sha, width, height, *_, intact, suffix, relative, blob in rows:
        labels = Labels.unpack(blob) if blob else EMPTY
        mapped = ids[labels.class_id]
        labels = labels.take(mapped >= 0, mapped)
        if relative:
            labels = labels.scaled(width, height)
        kept.append(labels)
        how = yolo_tree.How.CONVERT if not suffix else yolo_tree.How.COPY
        how = how if not (suffix and intact) else yolo_tree.How.LINK
        tree_name = yolo_tree.tree_name(image_id, name, suffix or ".png")
        yolo_tree.add_image(folder, path, tree_name, split, labels, (width, height), how)
        digest = hashlib.sha256(name.encode() + b"\0" + sha + labels.raw()).digest()
        facts.append((split, labels.class_id, int.from_bytes(digest, "big")))
    image_ids, names, paths, splits, shas, widths, heights, modes, orientations, *_ = zip(
        *rows, strict=True
    )
    counts = [len(labels) for labels in kept]
    columns = image_ids, names, paths, splits, widths, heights, modes, orientations, shas, counts
    images = pa.table(
        [pa.array(c, field.type) for c, field in zip(columns, tables.IMAGES, strict=True)],
        schema=tables.IMAGES,
    )
    return [_Part(images, tables.annotation_table(kept, list(image_ids)), facts)]
