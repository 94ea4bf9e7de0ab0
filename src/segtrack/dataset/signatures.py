"""A cheap digest of what ``prepare`` would read: names, sizes and times, no content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from os import stat_result
from pathlib import Path

from segtrack.base.errors import DataError, some
from segtrack.dataset.sequence_sources import paths_of
from segtrack.dataset.sources.port import source_of
from segtrack.dataset.walking import files_below, is_file
from segtrack.settings import DatasetSettings


def signature(settings: DatasetSettings) -> str:
    """Digest of the files behind ``settings``; the same while no file changes.

    Files count by name, size and modification time, in no particular order, so that a million of
    them pass as a stream.

    Raises:
        DataError: what ``settings`` name is not there, has no file in it, or cannot be listed.
    """
    source = source_of(settings)
    total = count = 0
    sequences = set(_sequence_roots(settings))
    roots = list(_roots(settings))
    for number, path in enumerate(roots):
        # A sequence is called like its folder; of images only the names inside count, and in
        # which of several folders they are: train and val may be two of them.
        shown = path.name if path in sequences and path.is_dir() else ""
        shown = f"{number}/{shown}"
        for name, stat in _files(path):
            row = f"{shown}{name}\0{stat.st_size}\0{stat.st_mtime_ns}"
            digest = hashlib.blake2b(row.encode(errors="surrogateescape"), digest_size=16).digest()
            total = (total + int.from_bytes(digest, "big")) % (1 << 128)
            count += 1
    if roots and not count:
        shown = some([str(root) for root in roots], 3)
        raise DataError(f"{shown}: no file is there, but for hidden ones; check dataset.path")
    return f"{count}-{total:032x}" + (f"-{stamp}" if (stamp := source.stamp(settings)) else "")


def _roots(settings: DatasetSettings) -> Iterator[Path]:
    yield from source_of(settings).files(settings)
    if settings.videos:
        yield from paths_of(settings.videos)
    if settings.require_sources and Path(settings.sources).exists():
        yield Path(settings.sources)


def _sequence_roots(settings: DatasetSettings) -> Iterator[Path]:
    source = source_of(settings)
    if source.sequences is not None:
        yield from source.files(settings)
    if settings.videos:
        yield from paths_of(settings.videos)


def _files(root: Path) -> Iterator[tuple[str, stat_result]]:
    if root.is_file():
        yield root.name, root.stat()
        return
    for entry in files_below(root):
        if is_file(entry):
            yield entry.path[len(str(root)) :], entry.stat()
