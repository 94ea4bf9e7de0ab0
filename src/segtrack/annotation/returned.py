"""Labels that came back from people, by the names and classes with which images were sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from segtrack.annotation.matching import Shape
from segtrack.annotation.sent import pack_ring, unpack_ring
from segtrack.base.polygons import Polygon


@dataclass
class Returned:
    """What came back of one review; the labels lie in a table.

    Attributes:
        names: of the project's files that came back.
        unknown: file names that came back, but were not sent.
        remarks: a line for each label that was cut or left out.
    """

    db: sqlite3.Connection
    names: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, name: str, class_name: str, ring: Polygon) -> None:
        """A label of an image."""
        row = (name, class_name, pack_ring(ring))
        self.db.execute("INSERT INTO labels VALUES (?,?,?)", row)

    def complete(self) -> None:
        """All labels are there: from now on they are looked up."""
        self.db.execute("CREATE INDEX by_name ON labels (name)")

    def labels(self, name: str) -> list[Shape]:
        """The labels of an image, in the order in which they came."""
        query = "SELECT class_name, ring FROM labels WHERE name = ? ORDER BY rowid"
        return [Shape(c, unpack_ring(ring)) for c, ring in self.db.execute(query, (name,))]


@contextmanager
def new_returned(work: Path) -> Iterator[Returned]:
    """An empty one, with its table in the scratch file ``work``."""
    with closing(sqlite3.connect(work, isolation_level=None)) as db:
        db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE labels (name TEXT, class_name TEXT, ring BLOB); BEGIN;"
        )
        yield Returned(db)
