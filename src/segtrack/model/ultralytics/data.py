"""The tree of links that a training reads, so that nothing of the user's is ever written to.

ultralytics writes a cache beside the labels, may store decoded images beside the images, and saves
every JPEG again that does not end in the marker FF D9. All of that happens in a tree of our own,
whose files are links; JPEGs without their end marker are copied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from segtrack.base.errors import DataError
from segtrack.model.port import TrainingData

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def link_tree(data: TrainingData, folder: Path) -> Path:
    """Make ``folder`` a YOLO tree of links to the images and labels of the splits train and val.

    Where the data set has no val split, the training images stand in for it.

    Returns:
        The tree's data.yaml.

    Raises:
        DataError: data.yaml is unreadable, or there is no image to train on.
    """
    description = _read(data.yolo_yaml)
    root = data.yolo_yaml.parent / str(description.get("path") or ".")
    shutil.rmtree(folder, ignore_errors=True)
    counts = {}
    for split in ("train", "val"):
        source = description.get(split)
        counts[split] = _link_split(root / str(source), folder, split) if source else 0
    if not counts["train"]:
        raise DataError(f"{data.yolo_yaml}: the train split has no images, so there is no training")
    tree = {
        "path": str(folder),
        "train": "images/train",
        "val": "images/val" if counts["val"] else "images/train",
        "names": dict(enumerate(data.names)),
    }
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        description = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(description, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path}: not readable as a YOLO data set ({error})") from error
    return description


def _link_split(images: Path, folder: Path, split: str) -> int:
    """Link the files of one split; returns the number of images."""
    labels = _labels_of(images)
    count = 0
    for source, relative in _files(images):
        target = folder / "images" / split / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_image(source, target)
        count += 1
    for source, relative in _files(labels):
        if relative.suffix == ".txt":
            target = folder / "labels" / split / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.resolve())
    return count


def _labels_of(images: Path) -> Path:
    """The folder in which ultralytics looks for labels: the last ``images`` becomes ``labels``."""
    parts = list(images.parts)
    for i in reversed(range(len(parts))):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts)


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Files below ``folder`` with their relative paths, in order."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            yield path, path.relative_to(folder)


def _link_image(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        start = file.read(2)
        file.seek(-2, os.SEEK_END)
        end = file.read(2)
    if start == JPEG_START and end != JPEG_END:
        shutil.copyfile(source, target)
    else:
        target.symlink_to(source.resolve())
