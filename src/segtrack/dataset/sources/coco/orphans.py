"""Annotations whose ``image_id`` is no image's id: they may name it in another way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.coco_annotations import Tally
from segtrack.dataset.coco_values import Key

_ORPHAN = (
    "file = :file AND NOT EXISTS (SELECT 1 FROM coco_images AS c "
    "WHERE c.file = :file AND c.id = coco_annotations.image)"
)
# Text of digits is a number that was padded: "0012" is image 12.
_AS_NUMBER = f"""
UPDATE coco_annotations SET image = CAST(image AS INTEGER) WHERE {_ORPHAN}
    AND typeof(image) = 'text' AND image NOT GLOB '*[^0-9]*' AND LENGTH(image) < 18
    AND EXISTS (SELECT 1 FROM coco_images AS c
                WHERE c.file = :file AND c.id = CAST(coco_annotations.image AS INTEGER))
"""
_NAMES = """
CREATE TEMP TABLE coco_names (short PRIMARY KEY, id, clear INTEGER) WITHOUT ROWID
"""
_AS_NAME = f"""
UPDATE coco_annotations SET image = (SELECT id FROM coco_names WHERE short = image)
WHERE {_ORPHAN} AND image IN (SELECT short FROM coco_names WHERE clear)
"""
_AS_LAST_NAME = f"""
UPDATE coco_annotations
SET image = (SELECT id FROM coco_names WHERE short = last_name(image))
WHERE {_ORPHAN} AND last_name(image) IN (SELECT short FROM coco_names WHERE clear)
"""


class Orphans:
    """Those of one file."""

    def __init__(self, number: int, path: Path, catalogue: Catalogue, checks: Checks) -> None:
        self.number, self.path = number, str(path)
        self.db, self.checks = catalogue.db, checks

    def settle(self) -> tuple[int, Tally]:
        """Bring them to their images where that is clear, leave out the rest with a warning.

        Returns:
            How many found their image, and those that were left out.
        """
        if not self._any():
            return 0, Tally()
        padded = self._update(_AS_NUMBER)
        named = self._by_name() if self._any() else 0
        if padded + named:
            message = (
                f"image_id of {padded + named} annotations is a padded number or a file name; it "
                "is taken for the id of that image"
            )
            self.checks.warn("name_for_id", self.path, message, "write the id of the image")
        return padded + named, self._left_out()

    def _any(self) -> bool:
        return (
            next(self._rows(f"SELECT 1 FROM coco_annotations WHERE {_ORPHAN} LIMIT 1"), None)
            is not None
        )

    def _rows(self, query: str) -> Iterator[Any]:
        yield from self.db.execute(query, {"file": self.number})

    def _update(self, statement: str) -> int:
        return max(0, self.db.execute(statement, {"file": self.number}).rowcount)

    def _by_name(self) -> int:
        self.db.execute(_NAMES)
        insert = (
            "INSERT INTO coco_names VALUES (?,?,1) "
            "ON CONFLICT (short) DO UPDATE SET clear = clear AND id = excluded.id"
        )
        query = "SELECT id, name FROM coco_images WHERE file = :file"
        for image, name in self._rows(query):
            self.db.executemany(insert, ((short, image) for short in _shorts(image, name)))
        self.db.create_function("last_name", 1, _last_name, deterministic=True)
        count = self._update(_AS_NAME) + self._update(_AS_LAST_NAME)
        self.db.execute("DROP TABLE coco_names")
        return count

    def _left_out(self) -> Tally:
        count = 0
        query = f"SELECT line, image, value FROM coco_annotations WHERE {_ORPHAN} ORDER BY rowid"
        for line, image, value in self._rows(query):
            name = json.loads(value).get("id", "?")
            kind = "text" if isinstance(image, str) else "a whole number"
            message = (
                f"annotation {name} has image_id {image!r} ({kind}), which no image has; it is "
                "left out"
            )
            hint = "add the image, or remove the annotation"
            self.checks.warn("no_such_image", self.path, message, hint, line)
            count += 1
        return Tally(count, count)


def _shorts(image: Key, name: str) -> set[Key]:
    """What an image may be called by: its file, without folders or suffix too, or its number."""
    last = _last_name(name)
    shorts: set[Key] = {name, last, os.path.splitext(last)[0]}  # noqa: PTH122 (hot loop)
    if isinstance(image, str) and image.isdecimal() and len(image) < 18:
        shorts.add(int(image))
    return shorts


def _last_name(name: Any) -> str:
    return str(name).replace("\\", "/").rsplit("/", 1)[-1]
