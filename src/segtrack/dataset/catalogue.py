"""The working table of ``prepare``: a row per image in a scratch SQLite file, so that memory does
not grow with the data set. It lives in the stage's folder and is removed at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.dataset.image_files import ImageFile
from segtrack.dataset.labels import EMPTY

FILE = "work.sqlite"
_BATCH = 512
_NO_LABELS = EMPTY.pack()

_SCHEMA = """
CREATE TABLE images (
    image_id INTEGER PRIMARY KEY, file_name TEXT NOT NULL, path TEXT NOT NULL, declared TEXT,
    size INTEGER, mtime INTEGER, label_path TEXT, label_size INTEGER, label_mtime INTEGER,
    sha256 BLOB, width INTEGER, height INTEGER, mode TEXT, orientation INTEGER, intact INTEGER,
    suffix TEXT, split TEXT);
CREATE TABLE labels (image_id INTEGER PRIMARY KEY, relative INTEGER, labels BLOB);
CREATE VIEW whole AS SELECT * FROM images LEFT JOIN labels USING (image_id);
CREATE TABLE findings (
    severity TEXT, code TEXT, file TEXT, line INTEGER, message TEXT, hint TEXT);
"""


@dataclass(frozen=True)
class ListedImage:
    """An image that a source names.

    Attributes:
        file_name: unique name inside the data set, with ``/``.
        path: the file; relative to the stage's folder for images that were made there.
        declared: the split that the source says, or None.
        size, mtime: bytes and ns, of the file.
        label_path, label_size, label_mtime: its label file, or None, 0, 0.
    """

    file_name: str
    path: str
    declared: str | None
    size: int = 0
    mtime: int = 0
    label_path: str | None = None
    label_size: int = 0
    label_mtime: int = 0


class Catalogue:
    """Append rows, then go over them in order as often as needed. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.path.unlink(missing_ok=True)
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;"
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=FILE;" + _SCHEMA
        )
        self.db.execute("BEGIN")

    def add(self, images: Iterable[ListedImage]) -> None:
        """Append images; ids count up from 0 in the order of arrival."""
        start = self.count()
        rows = (
            (
                *(start + i, m.file_name, m.path, m.declared, m.size, m.mtime),
                *(m.label_path, m.label_size, m.label_mtime),
            )
            for i, m in enumerate(images)
        )
        self.db.executemany(
            "INSERT INTO images (image_id, file_name, path, declared, size, mtime, label_path, "
            "label_size, label_mtime) VALUES (?,?,?,?,?,?,?,?,?)",
            rows,
        )

    def set_facts(self, image_id: int, image: ImageFile) -> None:
        """What is known of an image's file."""
        self.db.execute(
            "UPDATE images SET sha256=?, width=?, height=?, mode=?, orientation=?, intact=?, "
            "suffix=? WHERE image_id=?",
            (
                *(bytes.fromhex(image.sha256), image.width, image.height, image.mode),
                *(image.orientation, int(image.intact), image.suffix, image_id),
            ),
        )

    def set_labels(self, image_id: int, labels: bytes, relative: bool) -> None:
        """Packed labels of an image, in shares of it (relative) or in px."""
        self.db.execute(
            "INSERT OR REPLACE INTO labels VALUES (?,?,?)",
            (image_id, int(relative), labels or _NO_LABELS),
        )

    def set_splits(self, splits: Iterable[tuple[str, int]]) -> None:
        """Write the split of images given as (split, image_id)."""
        self.db.executemany("UPDATE images SET split = ? WHERE image_id = ?", splits)

    def count(self, where: str = "1") -> int:
        """Images for which ``where`` holds."""
        row = self.db.execute(f"SELECT COUNT(*) FROM whole WHERE {where}").fetchone()
        return int(row[0])

    def batches(self, columns: str, where: str = "1") -> Iterator[list[Any]]:
        """Lists of tuples of ``columns``, in the order of ids; rows that went by may be changed."""
        last = -1
        query = (
            f"SELECT image_id, {columns} FROM whole WHERE image_id > ? AND ({where}) "
            f"ORDER BY image_id LIMIT {_BATCH}"
        )
        while rows := self.db.execute(query, (last,)).fetchall():
            yield [row[1:] for row in rows]
            last = rows[-1][0]

    def rows(self, columns: str, where: str = "1") -> Iterator[Any]:
        """Tuples of ``columns`` in the order of ids."""
        for batch in self.batches(columns, where):
            yield from batch

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()
        self.path.unlink(missing_ok=True)
