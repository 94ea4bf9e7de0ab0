"""The folder of a data set's next version: its parent as it was, and reviewed labels.

    version.json       number, parent's fingerprints and digest, the reviewed images
    labels.coco.json   the reviewed labels
    parent/            the parent's prepared data set, without the training tree; hard links

A version needs nothing outside of it but images that never were in the store.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segtrack.base.atomic import alone_with, whole_folder
from segtrack.base.files import file_digest, link_or_copy
from segtrack.dataset.yolo_tree import FOLDER as TREE

FILE, LABELS, PARENT = "version.json", "labels.coco.json", "parent"
_TABLES = ("dataset.json", "images.parquet", "annotations.parquet", "sequences.json")
_LEFT_OUT = (TREE, "stage.json", "metrics.jsonl", FILE)


@dataclass(frozen=True)
class Version:
    """``version.json``.

    Attributes:
        version: the data set that was never reviewed is 1.
        parent: its fingerprint. parent_splits: fingerprint of each of its splits.
        parent_digest: of its tables. labels_sha256: of the reviewed labels.
        images: file names that move from pool to train.
        project_id, weights_sha256: where they were reviewed, and whose predictions.
        starting_weights: what training on the parent began with, where nothing else was named.
    """

    version: int
    parent: str
    parent_splits: dict[str, str]
    parent_digest: str
    labels_sha256: str
    images: tuple[str, ...]
    project_id: str
    weights_sha256: str
    starting_weights: str


def write_version(version: Version, parent: Path, labels: Path, root: Path) -> Path:
    """Write a version below ``root``; returns its folder.

    The same labels of the same parent are the same version, which becomes the newest again.

    Args:
        parent: folder of the prepared data set. labels: COCO JSON of the reviewed images.
    """
    content = f"{version.parent_digest}{version.labels_sha256}{version.starting_weights}"
    key = hashlib.sha256(content.encode()).hexdigest()
    folder = root / f"{version.version:03d}-{key[:12]}"
    with alone_with(folder):
        if (folder / FILE).exists():
            os.utime(folder)  # the newest one is what ``dataset=reviewed`` takes
            return folder
        with whole_folder(folder) as partial:
            for path in _files(parent):
                link_or_copy(path, partial / PARENT / path.relative_to(parent))
            link_or_copy(labels, partial / LABELS)
            (partial / FILE).write_text(json.dumps(asdict(version), indent=1), encoding="utf-8")
    return folder


def version_number(folder: Path) -> int:
    """Of a prepared data set: what ``prepare`` copied from the version it was made of, or 1."""
    path = folder / FILE
    if not path.exists():
        return 1
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return int(raw["version"])


def parent_digest(folder: Path) -> str:
    """Digest of a prepared data set's tables, which hold a digest of every image."""
    found = [f"{name} {file_digest(folder / name)}" for name in _TABLES]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files of a prepared data set but for the training tree, which is made anew."""
    for top in sorted(folder.iterdir()):
        if top.name in _LEFT_OUT:
            continue
        found = sorted(top.rglob("*")) if top.is_dir() else [top]
        yield from (path for path in found if path.is_file())
