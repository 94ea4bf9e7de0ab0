"""A cheap digest of what ``prepare`` would read: names, sizes and times, no content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from segtrack.dataset.sequence_sources import paths_of
from segtrack.dataset.sources import required_path, required_path_or_glob
from segtrack.settings import (
    CocoSettings,
    DatasetSettings,
    ImagesSettings,
    LabellerrDatasetSettings,
    ReviewedSettings,
    UltralyticsSettings,
)


def signature(settings: DatasetSettings) -> str:
    """Digest of the files behind ``settings``; the same while no file changes.

    Files count by name, size and modification time, in no particular order, so that a million of
    them pass as a stream.

    Raises:
        DataError: what ``settings`` name is not there.
    """
    total = count = 0
    sequences = set(_sequence_roots(settings))
    for path in _roots(settings):
        # A sequence is called like its folder; of images only the names inside count.
        shown = path.name if path in sequences and path.is_dir() else ""
        for name, stat in _files(path):
            row = f"{shown}{name}\0{stat.st_size}\0{stat.st_mtime_ns}"
            digest = hashlib.blake2b(row.encode(errors="surrogateescape"), digest_size=16).digest()
            total = (total + int.from_bytes(digest, "big")) % (1 << 128)
            count += 1
    if isinstance(settings, LabellerrDatasetSettings):
        from segtrack.dataset.kept_export import KeptExport

        # The labels by content: another export of the same ones is the same data set.
        return f"{count}-{total:032x}-{KeptExport.load(Path(settings.export or '')).digest}"
    return f"{count}-{total:032x}"


def _roots(settings: DatasetSettings) -> Iterator[Path]:
    if isinstance(settings, ImagesSettings | LabellerrDatasetSettings | ReviewedSettings):
        yield required_path(settings)
    elif settings.source == "yolo":
        yield from _yolo_roots(settings)
    elif isinstance(settings, CocoSettings):
        from segtrack.dataset.sources.coco import annotation_files

        folder = required_path(settings)
        yield folder
        for path, _ in annotation_files(folder, settings.annotations):
            yield path
    elif isinstance(settings, UltralyticsSettings) and settings.path:
        path = Path(settings.path).expanduser()
        if path.exists():  # else it is downloaded, and the name says which one
            yield path
    yield from _sequence_roots(settings)
    if settings.require_sources and Path(settings.sources).exists():
        yield Path(settings.sources)


def _sequence_roots(settings: DatasetSettings) -> Iterator[Path]:
    if settings.source == "sequences":
        yield from paths_of(required_path_or_glob(settings))
    if settings.videos:
        yield from paths_of(settings.videos)


def _yolo_roots(settings: DatasetSettings) -> Iterator[Path]:
    """The folder, and what its data.yaml names outside of it."""
    from segtrack.dataset.sources.yolo import label_path
    from segtrack.dataset.sources.yolo_config import read_config

    given = required_path(settings)
    config = read_config(given)
    folder = config.file.parent.absolute()
    yield folder
    for part in sorted({p for parts in config.splits.values() for p in parts}):
        if not part.is_relative_to(folder):
            yield part
            if part.is_dir():
                labels = Path(label_path(str(part / "x.x"))).parent
                if labels.is_dir() and labels != part:
                    yield labels


def _files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    if root.is_file():
        yield root.name, root.stat()
        return
    pending = [str(root)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append(entry.path)
                elif entry.is_file():
                    yield entry.path[len(str(root)) :], entry.stat()
