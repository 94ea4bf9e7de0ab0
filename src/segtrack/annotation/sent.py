"""What was sent to be reviewed, as a folder on disk.

review.json   the project and what was sent
review.db     images and sent objects, so that the reviewed labels can be held against them
sent/         the COCO files
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segtrack.annotation.matching import Shape
from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.polygons import Polygon

FILE, OBJECTS, SENT = "review.json", "review.db", "sent"
SCHEMA = """
CREATE TABLE images (
    name TEXT PRIMARY KEY, file_name TEXT, image_id INTEGER, path TEXT, width INTEGER,
    height INTEGER, file_id TEXT, sha256 TEXT);
CREATE TABLE objects (name TEXT, class_name TEXT, score REAL, ring BLOB);
"""


class SentImage(NamedTuple):
    """An image under review.

    Attributes:
        name: the project's name of it; file_name: the data set's. file_id: the project's id.
        width, height: px. sha256: of the file that was sent, in hex; empty where a review of an
            earlier release did not note it.
    """

    name: str
    file_name: str
    image_id: int
    path: str
    width: int
    height: int
    file_id: str
    sha256: str = ""


@dataclass(frozen=True)
class Reviewed:
    """What was sent to be reviewed; ``folder`` holds it.

    Attributes:
        names: class names by class id. conf: lowest score that was sent.
        digest: of the images and objects that were sent. weights_sha256: of the model.
    """

    folder: Path
    project_id: str
    project_name: str
    dataset_ids: tuple[str, ...]
    names: tuple[str, ...]
    images: int
    objects: int
    conf: float
    simplify_px: float
    weights_sha256: str
    digest: str

    @staticmethod
    def load(folder: Path) -> Reviewed:
        """Open a folder that ``review`` made.

        Raises:
            DataError: it holds no review.
        """
        try:
            raw: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
            raw.update({key: tuple(raw[key]) for key in ("dataset_ids", "names")})
            return Reviewed(folder=folder, **raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{folder / FILE}: no review was sent from here ({error}); add review to stages"
            ) from error

    def open(self) -> sqlite3.Connection:
        """The images and objects that were sent, to read; see ``sent_images`` and ``sent_to``.

        Raises:
            DataError: the file is not what was written.
        """
        path = self.folder / OBJECTS
        if not path.is_file() or file_digest(path) != self.digest:
            raise DataError(
                f"{path}: damaged or missing: give the command with stages=[review] again, which "
                "writes it anew and sends nothing twice."
            )
        address = path.absolute().as_uri()
        return sqlite3.connect(f"{address}?mode=ro", uri=True)


def sent_images(db: sqlite3.Connection) -> Iterator[SentImage]:
    """All images under review, by their id."""
    there = {row[1] for row in db.execute("PRAGMA table_info(images)")}
    columns = [name for name in SentImage._fields if name in there]
    query = f"SELECT {', '.join(columns)} FROM images ORDER BY image_id"
    yield from (SentImage(*row) for row in db.execute(query))


def contents_of(sent: Reviewed) -> frozenset[str]:
    """Digests of the images under review, as far as they were noted.

    Raises:
        DataError: its file is damaged.
    """
    with closing(sent.open()) as db:
        return frozenset(image.sha256 for image in sent_images(db) if image.sha256)


def sent_to(db: sqlite3.Connection, name: str) -> list[Shape]:
    """The objects that were sent for an image, best score first."""
    query = "SELECT class_name, ring, score FROM objects WHERE name = ? ORDER BY score DESC, rowid"
    return [
        Shape(class_name, unpack_ring(ring), score)
        for class_name, ring, score in db.execute(query, (name,))
    ]


def pack_ring(polygon: Polygon) -> bytes:
    """A polygon, float64 (n, 2), as it lies in a table."""
    return np.ascontiguousarray(polygon, np.float64).tobytes()


def unpack_ring(blob: bytes) -> Polygon:
    """What ``pack_ring`` took."""
    return np.frombuffer(blob, np.float64).reshape(-1, 2)
