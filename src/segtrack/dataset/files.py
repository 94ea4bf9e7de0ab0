"""Reading images and label files, each only once: facts of unchanged files come from a cache.

The cache is one SQLite file with a row per file: path, a stamp of size, modification time and what
else the facts depend on, and the facts. It lasts between calls and may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from segtrack.base.files import file_digest
from segtrack.base.progress import progress
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks, Finding
from segtrack.dataset.cleaning import Remark
from segtrack.dataset.image_files import MOST_PICTURES, ImageFile, read_image_file, too_large
from segtrack.dataset.workers import map_chunks
from segtrack.dataset.yolo_labels import parse_labels

VERSION = 3  # of the facts: raise it when readers see more or other things
_CHUNK = 64
_ALONE_BELOW = 257  # files that are read faster than processes start
_COMMIT_EVERY = 1000

_TOO_LARGE = (
    "scale it down or cut it up, or raise dataset.max_pixels: reading takes 10 bytes for each pixel"
)
_UNREADABLE = "restore the file, or remove it from the data set"


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        cache: folder of the cache.
        workers: processes.
        decode: decode images fully.
        class_count: class ids in label files must be below.
        max_pixels: that an image may have; None for any number.
    """

    cache: Path
    workers: int
    decode: bool
    class_count: int
    max_pixels: int | None


class LabelFile(NamedTuple):
    """A parsed label file: packed ``Labels`` in shares of the image, and remarks."""

    labels: bytes
    remarks: list[Remark]


class FileCache:
    """The cache; a context manager."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "files.sqlite"
        try:
            self.db = _open(path)
        except sqlite3.DatabaseError:  # damaged: it only saves time
            path.unlink()
            self.db = _open(path)
        self._waiting: list[tuple[str, str, str, bytes]] = []

    def find(self, stamps: dict[str, str]) -> dict[str, tuple[str, bytes]]:
        """(facts, labels) of the files whose stamp is still the same, by path."""
        found = {}
        paths = list(stamps)
        for start in range(0, len(paths), 500):
            part = paths[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT path, stamp, facts, labels FROM files WHERE path IN ({marks})"
            for path, stamp, facts, labels in self.db.execute(query, part):
                if stamp == stamps[path]:
                    found[path] = (facts, labels)
        return found

    def images(self) -> Iterator[tuple[str, str, str]]:
        """Path, stamp and facts of every picture."""
        yield from self.db.execute("SELECT path, stamp, facts FROM files WHERE facts LIKE '{%'")

    def keep(self, path: str, stamp: str, facts: str, labels: bytes = b"") -> None:
        """Remember the facts of one file."""
        self._waiting.append((path, stamp, facts, labels))
        if len(self._waiting) >= _COMMIT_EVERY:
            self._flush()

    def _flush(self) -> None:
        # In one go: others that use the cache wait for milliseconds only.
        self.db.executemany("INSERT OR REPLACE INTO files VALUES (?,?,?,?)", self._waiting)
        self.db.commit()
        self._waiting = []

    def __enter__(self) -> FileCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self.db.close()


def find_contents(cache: Path, wanted: Collection[str]) -> dict[str, Path]:
    """Where files of some contents lie now, as far as they were read there and are unchanged.

    Args:
        wanted: digests, 64 hexadecimal digits.
    """
    left, found = set(wanted), {}
    with FileCache(cache) as known:
        for path, stamp, facts in known.images():
            sha256 = str(json.loads(facts).get("sha256", ""))
            if sha256 in left and stamp == _stamp_now(path):
                found[sha256] = Path(path)
                left.remove(sha256)
    return found


def content_of(paths: Iterable[str], cache: Path) -> Iterator[tuple[str, str]]:
    """The digest of each file, as it is known or, where that is not so, by reading it."""
    rest = iter(paths)
    with FileCache(cache) as known:
        while part := list(islice(rest, _CHUNK)):
            stamps = {path: _stamp_now(path) for path in part}
            facts = known.find(stamps)
            for path in part:
                if path in facts:
                    yield path, str(json.loads(facts[path][0])["sha256"])
                elif stamps[path]:
                    yield path, file_digest(Path(path))


def read_files(catalogue: Catalogue, checks: Checks, reading: Reading) -> int:
    """Fill in the facts of all images of the catalogue and parse their label files.

    Returns:
        The number of files that were read; the others were known from the cache.
    """
    with FileCache(reading.cache) as cache:
        for rows in catalogue.batches(_COLUMNS, "sha256 IS NULL"):
            _take_known([_Row(*row) for row in rows], catalogue, checks, cache, reading)
        missing = "sha256 IS NULL OR (labels IS NULL AND label_path IS NOT NULL)"
        jobs = (
            _Job(_Row(*row[:-2]), read_image=row[-2] is None, read_label=row[-1] is None)
            for rows in catalogue.batches(f"{_COLUMNS}, sha256, labels", missing)
            for row in rows
        )
        work = partial(_read_chunk, reading=reading)
        count = 0
        results = map_chunks(work, jobs, reading.workers, _CHUNK, _ALONE_BELOW)
        for done in progress(results, "read", catalogue.count(missing), "images"):
            row = done.row
            if done.image is not None:
                if done.image.sha256:  # else it could not be opened, which may pass
                    facts = dict(vars(done.image))
                    del facts["refused"]  # it was not; other versions read the cache, too
                    cache.keep(row.path, _image_stamp(row), json.dumps(facts))
                _put_image(row, done.image, catalogue, checks, reading)
                count += 1
            if done.label is not None and row.label_path is not None:
                if done.label.labels:
                    stamp, remarks = _label_stamp(row, reading), json.dumps(done.label.remarks)
                    cache.keep(row.label_path, stamp, remarks, done.label.labels)
                _put_label(row, done.label, catalogue, checks)
                count += 1
    return count


class _Row(NamedTuple):
    image_id: int
    path: str
    size: int
    mtime: int
    label_path: str | None
    label_size: int
    label_mtime: int


class _Job(NamedTuple):
    row: _Row
    read_image: bool
    read_label: bool


class _Done(NamedTuple):
    row: _Row
    image: ImageFile | None
    label: LabelFile | None


_COLUMNS = "image_id, path, size, mtime, label_path, label_size, label_mtime"


def _read_chunk(jobs: list[_Job], reading: Reading) -> list[_Done]:
    done = []
    for row, read_image, read_label in jobs:
        image = (
            read_image_file(row.path, reading.decode, reading.max_pixels) if read_image else None
        )
        label = None
        if read_label and row.label_path is not None:
            label = _read_label_file(row.label_path, reading.class_count)
        done.append(_Done(row, image, label))
    return done


def _read_label_file(path: str, class_count: int) -> LabelFile:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (hot loop)
            data = file.read()
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        return LabelFile(b"", [Remark("error", "unreadable_label", 0, message, _UNREADABLE)])
    labels, remarks = parse_labels(data, class_count)
    return LabelFile(labels.pack(), remarks)


def _take_known(
    rows: list[_Row], catalogue: Catalogue, checks: Checks, cache: FileCache, reading: Reading
) -> None:
    stamps = {row.path: _image_stamp(row) for row in rows}
    for row in rows:
        if row.label_path is not None:
            stamps[row.label_path] = _label_stamp(row, reading)
    known = cache.find(stamps)
    for row in rows:
        if row.path in known:
            image = ImageFile(**json.loads(known[row.path][0]))
            if image.decoded or not reading.decode:
                _put_image(row, image, catalogue, checks, reading)
        if row.label_path is not None and row.label_path in known:
            facts, labels = known[row.label_path]
            remarks = [Remark(*remark) for remark in json.loads(facts)]
            _put_label(row, LabelFile(labels, remarks), catalogue, checks)


def _put_image(
    row: _Row, image: ImageFile, catalogue: Catalogue, checks: Checks, reading: Reading
) -> None:
    if problem := too_large(image.width, image.height, reading.max_pixels):
        checks.error("too_large", row.path, problem, _TOO_LARGE)
        image = replace(image, width=0, height=0)
    elif image.error:
        checks.error("unreadable_image", row.path, image.error, _UNREADABLE)
    if image.pictures > 1:
        count = str(image.pictures) + " or more" * (image.pictures == MOST_PICTURES)
        message = f"holds {count} pictures; the first one counts"
        checks.warn("several_pictures", row.path, message, "save each as a file of its own")
    catalogue.set_facts(row.image_id, image)


def _put_label(row: _Row, label: LabelFile, catalogue: Catalogue, checks: Checks) -> None:
    assert row.label_path is not None
    checks.add(*findings(label.remarks, row.label_path))
    catalogue.set_labels(row.image_id, label.labels, relative=True)


def findings(remarks: Iterable[Remark], file: str) -> Iterator[Finding]:
    """Remarks of one file as findings."""
    for severity, code, line, message, hint in remarks:
        yield Finding(severity, code, file, line, message, hint)


def _image_stamp(row: _Row) -> str:
    return f"{VERSION} {row.size} {row.mtime}"


def _stamp_now(path: str) -> str:
    """What ``_image_stamp`` gives of the file as it is; empty where it cannot be looked at."""
    try:
        stat = os.stat(path)  # noqa: PTH116 (hot loop)
    except OSError:
        return ""
    return f"{VERSION} {stat.st_size} {stat.st_mtime_ns}"


def _label_stamp(row: _Row, reading: Reading) -> str:
    return f"{VERSION} {row.label_size} {row.label_mtime} {reading.class_count}"


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60)
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(
        "CREATE TABLE IF NOT EXISTS files "
        "(path TEXT PRIMARY KEY, stamp TEXT, facts TEXT, labels BLOB) WITHOUT ROWID"
    )
    db.execute("SELECT path FROM files LIMIT 1").fetchall()
    return db
