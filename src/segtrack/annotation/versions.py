"""The next version of a data set: its parent as it was, and the reviewed pool images in train.

    version.json       number, parent's fingerprints and digest, the reviewed images
    labels.coco.json   the reviewed labels
    parent/            the parent's prepared data set, without the training tree; hard links

A version needs nothing outside of it but images that never were in the store.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segtrack.annotation.pulled import Review
from segtrack.annotation.sent import Reviewed, sent_images
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError, some
from segtrack.base.files import link_or_copy
from segtrack.base.json_stream import elements
from segtrack.dataset.canonical import Dataset
from segtrack.dataset.sources.reviewed import FILE, LABELS, PARENT, parent_digest
from segtrack.dataset.yolo_tree import FOLDER as TREE

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


def next_version(parent: Dataset, review: Review, root: Path, starting_weights: str) -> Path:
    """Make the next version of ``parent`` below ``root``; returns its folder.

    The same labels of the same parent are the same version, which becomes the newest again.

    Raises:
        DataError: the review's classes or images are not those of the parent: every image must be
            in its pool split, and the file that was reviewed.
    """
    if review.names != parent.names:
        raise DataError(
            f"{review.folder}: reviewed with the classes {', '.join(review.names)}, the data set "
            f"has {', '.join(parent.names)}; review again with this data set."
        )
    reviewed = dict(_reviewed(review.labels))
    images = tuple(reviewed)
    pool = {row.file_name for row in parent.iter_images("pool")}
    if strange := [name for name in images if name not in pool]:
        raise DataError(
            f"{review.folder}: {len(strange)} reviewed images are not in the pool split of the "
            f"data set {parent.folder}, for example {', '.join(strange[:5])}; only those may "
            "become training data. Review again with this data set."
        )
    require_same_pictures(parent, reviewed.items(), review.folder)
    version = Version(
        _number(parent) + 1,
        parent.fingerprint,
        parent.split_fingerprints,
        parent_digest(parent.folder),
        review.labels_sha256,
        images,
        review.project_id,
        review.weights_sha256,
        starting_weights,
    )
    content = f"{version.parent_digest}{version.labels_sha256}{starting_weights}"
    key = hashlib.sha256(content.encode()).hexdigest()
    folder = root / f"{version.version:03d}-{key[:12]}"
    if (folder / FILE).exists():
        os.utime(folder)  # the newest one is what ``dataset=reviewed`` takes
        return folder
    with whole_folder(folder) as partial:
        for path in _files(parent.folder):
            link_or_copy(path, partial / PARENT / path.relative_to(parent.folder))
        link_or_copy(review.labels, partial / LABELS)
        (partial / FILE).write_text(json.dumps(asdict(version), indent=1), encoding="utf-8")
    return folder


def require_pictures_as_sent(dataset: Dataset, sent: Reviewed) -> None:
    """``require_same_pictures`` of what was sent for review."""
    with closing(sent.open()) as db:
        images = ((image.file_name, image.sha256) for image in sent_images(db))
        require_same_pictures(dataset, images, sent.folder)


def require_same_pictures(
    dataset: Dataset, images: Iterable[tuple[str, str | None]], review: Path
) -> None:
    """Names say nothing of the content: another folder has a 000001.jpg too.

    Args:
        images: under review, each with its digest; None or empty where it was not noted.
        review: for the message.

    Raises:
        DataError: pool images of these names are other pictures.
    """
    pool = {row.file_name: row.sha256 for row in dataset.iter_images("pool")}
    under = dict(images)
    changed = [
        name for name, sha256 in under.items() if sha256 and pool.get(name, sha256) != sha256
    ]
    if changed:
        raise DataError(
            f"{review}: {len(changed)} of the {len(under)} images under review are other pictures "
            f"than those of the same name in the data set {dataset.folder}: {some(changed, 5)}; "
            "their labels do not belong to these. Review again with this data set, or correct "
            "dataset.path to the folder that was sent for review."
        )


def _number(parent: Dataset) -> int:
    """The parent's own version: what ``prepare`` copied from the version it was made of."""
    path = parent.folder / FILE
    if not path.exists():
        return 1
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return int(raw["version"])


def _reviewed(labels: Path) -> Iterator[tuple[str, str | None]]:
    """File name and digest of each reviewed image; None where an earlier release kept none."""
    for element in elements(labels):
        if element.listed and element.key == "images":
            yield element.value["file_name"], element.value.get("sha256")


def _files(folder: Path) -> Iterator[Path]:
    """The files of a prepared data set but for the training tree, which is made anew."""
    for top in sorted(folder.iterdir()):
        if top.name in _LEFT_OUT:
            continue
        found = sorted(top.rglob("*")) if top.is_dir() else [top]
        yield from (path for path in found if path.is_file())
