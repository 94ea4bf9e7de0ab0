"""What exports of a project came to so far, so that the next one need only bring what changed.

One SQLite file beside each kept export: a row per file of the platform with its finished labels, as
the export had them. The next export begins with a copy, asks for the files that were updated since,
of whatever status, and takes them in: a file that is no longer finished goes.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from segtrack.base.json_stream import elements

FILE = "labels.db"
# ms by which an export asks for more than what changed: a file may have been written to while the
# last one ran.
MARGIN = 10 * 60 * 1000
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (file_id TEXT PRIMARY KEY, status TEXT, row TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE labels (file_id TEXT, number INTEGER, row TEXT, PRIMARY KEY (file_id, number))
    WITHOUT ROWID;
"""
_ROW = ("file_name", "width", "height")
# Ids of answers and areas are left out: the first change, the second the polygons say.
_LABEL = ("segmentation", "bbox", "iscrowd")


class Merged:
    """The labels of one project; ``facts`` are those under which it may be gone on with."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Open what is there, if its facts are the same, else begin anew."""
        self.facts = json.dumps(facts, sort_keys=True)
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            known = self._meta("facts") if path.stat().st_size else None
        except sqlite3.DatabaseError:
            known = None
        if known != self.facts:
            self.clear()
        self._db.execute("PRAGMA synchronous=OFF")

    def clear(self) -> None:
        """Forget everything."""
        self._db.close()
        self._path.unlink(missing_ok=True)
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("INSERT INTO meta VALUES ('facts', ?)", (self.facts,))

    def close(self) -> None:
        self._db.close()

    @property
    def since(self) -> int:
        """What an export has to be asked for, in ms of the platform's clock; 0: everything."""
        at = self._meta("at")
        return max(int(at) - MARGIN, 0) if at else 0

    def statuses(self) -> dict[str, str]:
        """Of every file with finished labels."""
        return dict(self._db.execute("SELECT file_id, status FROM files"))

    def take(self, raw: Path, finished: Sequence[str], classes: Mapping[int, int]) -> None:
        """Take in an export: all of it, or nothing.

        Args:
            raw: COCO JSON of the platform, which may have files of any status.
            finished: statuses whose labels are taken.
            classes: class of each category id.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it is not such a file.
        """
        self._db.execute("BEGIN")
        try:
            self._take(raw, frozenset(finished), classes)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _take(self, raw: Path, finished: frozenset[str], classes: Mapping[int, int]) -> None:
        owner: dict[Any, str | None] = {}
        at = 0
        for element in elements(raw):
            if element.key == "info" and isinstance(element.value, Mapping):
                at = _whole(element.value.get("date_created"))
            if not element.listed or element.key != "images":
                continue
            value = element.value
            file_id = str(value.get("labellerr_file_id") or f"name {value['file_name']}")
            status = value.get("labellerr_file_status")
            self._db.execute("DELETE FROM files WHERE file_id = ?", (file_id,))
            self._db.execute("DELETE FROM labels WHERE file_id = ?", (file_id,))
            owner[value["id"]] = None
            if status is None or status in finished:
                owner[value["id"]] = file_id
                row = json.dumps({key: value[key] for key in _ROW if key in value})
                self._db.execute("INSERT INTO files VALUES (?, ?, ?)", (file_id, status, row))
        for number, element in enumerate(elements(raw)):
            if not element.listed or element.key != "annotations":
                continue
            value = element.value
            if value["image_id"] not in owner:
                raise ValueError(f"annotation {value.get('id')!r} is of no image")
            of = owner[value["image_id"]]
            if of is not None:
                label = {key: value[key] for key in _LABEL if key in value}
                label["category_id"] = classes.get(value["category_id"], value["category_id"])
                values = (of, number, json.dumps(label))
                self._db.execute("INSERT INTO labels VALUES (?, ?, ?)", values)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('at', ?)", (str(at or ""),))

    def images(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Number, file id and row of each file, by file id."""
        rows = self._db.execute("SELECT file_id, row FROM files ORDER BY file_id")
        for number, (file_id, row) in enumerate(rows):
            yield number, file_id, json.loads(row)

    def labels(self) -> Iterator[dict[str, Any]]:
        """Labels in the order of their images, with ``id`` and ``image_id``."""
        number = 0
        query = "SELECT row FROM labels WHERE file_id = ? ORDER BY number"
        ids = self._db.execute("SELECT file_id FROM files ORDER BY file_id")
        for image, (file_id,) in enumerate(ids):
            for (row,) in self._db.execute(query, (file_id,)):
                yield {"id": number, "image_id": image, **json.loads(row)}
                number += 1

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None


def write_list(file: TextIO, key: str, rows: Iterable[dict[str, Any]]) -> int:
    """A list of a JSON record that is begun; returns its length."""
    file.write(f',\n"{key}": [')
    count = 0
    for row in rows:
        file.write((",\n" if count else "\n") + json.dumps(row))
        count += 1
    file.write("]")
    return count


def _whole(value: Any) -> int:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return int(value)
    return 0
