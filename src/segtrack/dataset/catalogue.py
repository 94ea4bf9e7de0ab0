"""The working table of ``prepare``: one row per image in a scratch SQLite file, so that memory does
not grow with the data set. It lives in the stage's folder and is removed at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

FILE = "work.sqlite"
_BATCH = 1000

_SCHEMA = """
CREATE TABLE images (
    image_id INTEGER PRIMARY KEY, file_name TEXT NOT NULL, path TEXT NOT NULL, declared TEXT,
    sha256 BLOB, width INTEGER, height INTEGER, mode TEXT, orientation INTEGER, intact INTEGER,
    labels BLOB, split TEXT);
CREATE TABLE findings (
    severity TEXT, code TEXT, file TEXT, line INTEGER, message TEXT, hint TEXT);
"""


@dataclass(frozen=True)
class ImageFacts:
    """What is known of one image before it has a split.

    Attributes:
        file_name: unique name inside the data set, with ``/``.
        path: the file; relative to the stage's folder for images that were made there.
        declared: the split that the source says, or None.
        sha256: digest of the file's bytes, 32 bytes.
        width, height: px as displayed, after EXIF rotation.
        mode: Pillow's mode (RGB, L, RGBA, I;16, ...).
        orientation: EXIF orientation, 1 = upright.
        intact: False for a JPEG without its end marker, which other programs "repair" in place.
        labels: packed ``Labels``.
    """

    file_name: str
    path: str
    declared: str | None
    sha256: bytes
    width: int
    height: int
    mode: str
    orientation: int
    intact: bool
    labels: bytes


class Catalogue:
    """Append rows, then look at them in order as often as needed. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.path.unlink(missing_ok=True)
        self.db = sqlite3.connect(self.path)
        self.db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;" + _SCHEMA
        )

    def add(self, images: Iterable[ImageFacts]) -> None:
        """Append images; ids count up from 0 in the order of arrival."""
        start = self.count()
        rows = (
            (
                start + i, m.file_name, m.path, m.declared, m.sha256, m.width, m.height, m.mode,
                m.orientation, int(m.intact), m.labels, None,
            )
            for i, m in enumerate(images)
        )  # fmt: skip
        self.db.executemany("INSERT INTO images VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        self.db.commit()

    def count(self) -> int:
        """Images so far."""
        (top,) = self.db.execute("SELECT MAX(image_id) FROM images").fetchone()
        return 0 if top is None else int(top) + 1

    def select(self, columns: str, where: str = "1", order: str = "image_id") -> Iterator[Any]:
        """Tuples of ``columns`` of the images, streamed.

        A keyset walk by id would be needed if rows were changed meanwhile; nothing does.
        """
        cursor = self.db.cursor()
        cursor.arraysize = _BATCH
        cursor.execute(f"SELECT {columns} FROM images WHERE {where} ORDER BY {order}")
        while rows := cursor.fetchmany():
            yield from rows

    def set_splits(self, splits: Iterable[tuple[int, str]]) -> None:
        """Write the split of images given as (image_id, split)."""
        self.db.executemany(
            "UPDATE images SET split = ? WHERE image_id = ?", ((s, i) for i, s in splits)
        )
        self.db.commit()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.db.close()
        self.path.unlink(missing_ok=True)
