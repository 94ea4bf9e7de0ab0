"""The folder of a data set's next version: its parent as it was, and reviewed labels.

    version.json       number, parent's fingerprints and digest, the reviewed images
    labels.coco.json   the reviewed labels
    rechecked.coco.json   labels that were looked at again, where there are some
    videos.json        reviewed videos, where there are some; videos/NAME their ground truth
    parent/            the parent's prepared data set, without the training tree; hard links

A version needs nothing outside of it but images that never were in the store.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segtrack.base.atomic import alone_with, whole_folder
from segtrack.base.files import digest, file_digest, link_or_copy
from segtrack.base.names import level
from segtrack.dataset.sequences import VideoSequence, from_json, to_json
from segtrack.dataset.yolo_tree import FOLDER as TREE

FILE, LABELS, PARENT = "version.json", "labels.coco.json", "parent"
RECHECKED = "rechecked.coco.json"
AS_BEFORE = "as_before"  # in it: which of the parent's labels of the image has this outline
VIDEOS = "videos"  # the folder; .json the list
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
        videos: names of the reviewed videos. videos_sha256: of their content and ground truth;
            empty where there are none.
        rechecked: file names whose labels people corrected; their splits stay.
        rechecked_sha256: of these labels; empty where there are none.
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
    videos: tuple[str, ...] = ()
    videos_sha256: str = ""
    rechecked: tuple[str, ...] = ()
    rechecked_sha256: str = ""


def write_version(
    version: Version,
    parent: Path,
    labels: Path | str,
    root: Path,
    videos: Sequence[VideoSequence] = (),
    rechecked: Path | None = None,
) -> Path:
    """Write a version below ``root``; returns its folder.

    The same labels of the same parent are the same version, which becomes the newest again.

    Args:
        parent: folder of the prepared data set.
        labels: COCO JSON of the reviewed images, a file or its text.
        videos: with their reviewed ground truth, which is copied.
        rechecked: COCO JSON of the images whose labels were corrected.
    """
    content = f"{version.parent_digest}{version.labels_sha256}{version.starting_weights}"
    content += version.videos_sha256
    if version.rechecked:
        content += digest([version.rechecked_sha256, version.rechecked])
    key = hashlib.sha256(content.encode()).hexdigest()
    folder = root / f"{version.version:03d}-{key[:12]}"
    with alone_with(folder):
        if (folder / FILE).exists():
            os.utime(folder)  # the newest one is what ``dataset=reviewed`` takes
            return folder
        with whole_folder(folder) as partial:
            for path in _files(parent):
                link_or_copy(path, partial / PARENT / path.relative_to(parent))
            if isinstance(labels, str):
                (partial / LABELS).write_text(labels, encoding="utf-8")
            else:
                link_or_copy(labels, partial / LABELS)
            if rechecked is not None:
                link_or_copy(rechecked, partial / RECHECKED)
            if videos:
                _write_videos(videos, parent, partial)
            (partial / FILE).write_text(json.dumps(asdict(version), indent=1), encoding="utf-8")
    return folder


def videos_digest(videos: Iterable[VideoSequence]) -> str:
    """Stands for the content of videos and their ground truth."""
    rows = [
        [v.name, v.sha256, *(file_digest(p) for p in (v.gt, v.mots) if p is not None)]
        for v in videos
    ]
    return digest(sorted(rows))


def read_videos(folder: Path) -> tuple[VideoSequence, ...]:
    """The reviewed videos of a version, none where it has none.

    Raises:
        ValueError: their list is damaged.
    """
    path = folder / f"{VIDEOS}.json"
    if not path.is_file():
        return ()
    return tuple(from_json(row, folder) for row in json.loads(path.read_text(encoding="utf-8")))


def _write_videos(videos: Sequence[VideoSequence], parent: Path, partial: Path) -> None:
    rows = []
    for video in videos:
        assert video.gt is not None and video.mots is not None
        folder = partial / VIDEOS / level(video.name)
        gt, mots = folder / "gt" / "gt.txt", folder / "mots" / "instances.txt"
        link_or_copy(video.gt, gt)
        link_or_copy(video.mots, mots)
        path = video.path
        if path is not None and path.is_relative_to(parent):
            path = partial / PARENT / path.relative_to(parent)
        rows.append(to_json(replace(video, path=path, gt=gt, mots=mots), partial))
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    (partial / f"{VIDEOS}.json").write_text(text, encoding="utf-8")


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
