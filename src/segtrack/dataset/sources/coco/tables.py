"""The JSON of a COCO data set into scratch tables, whatever order its keys come in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.json_stream import Element, elements
from segtrack.dataset import coco_values as values
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.coco_annotations import Tally
from segtrack.dataset.coco_values import Key
from segtrack.dataset.sources.coco.categories import Category
from segtrack.dataset.strangers import what_it_is

TABLES = """
CREATE TABLE coco_images (file INTEGER, id, name TEXT, width INTEGER, height INTEGER,
    line INTEGER, PRIMARY KEY (file, id)) WITHOUT ROWID;
CREATE TABLE coco_paths (path TEXT, file INTEGER, id, owner INTEGER);
CREATE INDEX coco_by_path ON coco_paths (path);
CREATE TABLE coco_annotations (file INTEGER, image, category, own, line INTEGER, value TEXT);
CREATE INDEX coco_by_image ON coco_annotations (file, image);
"""
_NEEDED = ("images", "annotations", "categories")
_NAMES = ("file_name", "filename", "path", "file_path", "coco_url", "image")  # of an image
_DEEPEST = 50  # nestings of an annotation
_EXAMPLE = '{"images": [...], "annotations": [...], "categories": [...]}'


@dataclass
class CocoContent:
    """What one file says beside its images and annotations.

    Attributes:
        categories: in the order of the file.
        tally: the annotations that could not even be put into the table.
        kinds: types of ids by the list and key that they stand in, in words.
    """

    categories: list[Category] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    kinds: dict[str, dict[str, None]] = field(default_factory=dict)


def read_json(path: Path, number: int, catalogue: Catalogue, checks: Checks) -> CocoContent:
    """Read one annotation file into the tables as file ``number``.

    Raises:
        DataError: it is not JSON, or has not the lists that COCO has; says what it looks like.
    """
    reader = _Reader(path, number, catalogue, checks)
    seen: set[str] = set()
    try:
        for element in elements(path):
            seen.add(element.key)
            if element.listed:
                reader.take(element)
            elif element.key in _NEEDED and element.value != []:
                if element.value is not None or element.key == "images":
                    raise ValueError(f"line {element.line}: {element.key} is not a list")
                seen.discard(element.key)
    except ValueError as error:
        raise DataError(_not_coco(path, str(error))) from error
    except RecursionError as error:
        raise DataError(_not_coco(path, "it is nested too deeply")) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    missing = [key for key in _NEEDED if key not in seen]
    if "images" in missing or seen.isdisjoint(_NEEDED[1:]):
        what = f"it has no {' and no '.join(missing)} (but {', '.join(sorted(seen)) or 'nothing'})"
        raise DataError(_not_coco(path, what))
    if "annotations" in missing:
        hint = "taken as images without objects; COCO's image_info files of test images are such"
        checks.warn("no_annotations", str(path), "has no annotations", hint)
    _check_ids(path, number, catalogue, checks)
    return reader.content


def _not_coco(path: Path, what: str) -> str:
    looks = what_it_is(path)
    return f"{path}: not COCO JSON: {what}; " + (looks or f"it should be {_EXAMPLE}")


def _check_ids(path: Path, number: int, catalogue: Catalogue, checks: Checks) -> None:
    """Ids of annotations are not used, but one that is there twice says that files were merged."""
    query = (
        "SELECT COUNT(*), MIN(own), MAX(n) FROM (SELECT own, COUNT(*) AS n FROM coco_annotations "
        "WHERE file = ? AND own IS NOT NULL GROUP BY own HAVING n > 1)"
    )
    count, first, most = catalogue.db.execute(query, (number,)).fetchone()
    if count:
        message = (
            f"{count} annotation ids are there more than once (id {first}; up to {most} times)"
        )
        hint = "all of them are read; pycocotools keeps only the last of each"
        checks.warn("repeated_id", str(path), message, hint)


class _Reader:
    """Takes the elements of one file."""

    def __init__(self, path: Path, number: int, catalogue: Catalogue, checks: Checks) -> None:
        self.path, self.number = path, number
        self.db, self.checks = catalogue.db, checks
        self.content = CocoContent()

    def take(self, element: Element) -> None:
        if element.key == "images":
            self._image(element.value, element.line)
        elif element.key == "annotations":
            self._annotation(element.value, element.line)
        elif element.key == "categories":
            category = Category.read(element.value, element.line)
            if category is None:
                self._error(f"category {element.value!r:.60} has neither id nor name", element.line)
            else:
                self.content.categories.append(category)
                self._note("category ids", category.key, element.value, "id")

    def _image(self, value: Any, line: int) -> None:
        if not isinstance(value, dict):
            self._error(f"{value!r:.40} stands where an image belongs", line)
            return
        source, name = next(_names(value), ("", ""))
        key = values.id_key(value.get("id"))
        if not name:
            self._error(f"image {value.get('id', '?')!r:.40} has no file_name", line)
            return
        if source != "file_name":
            hint = "write file_name"
            message = f"image {value.get('id', '?')!r:.40} has no file_name; its {source} is taken"
            self.checks.warn("other_key", str(self.path), message, hint, line)
        if key is None:
            given = value.get("id")
            kind = f"an id that is {values.kind_of(given)} ({given!r:.40})" if given else "no id"
            message = f"image {name} has {kind}; annotations may name it by its file"
            hint = "give every image a number of its own"
            self.checks.warn("image_id", str(self.path), message, hint, line)
            key = name
        self._note("image ids", key, value, "id")
        size = [_side(value.get("width")), _side(value.get("height"))]
        done = self.db.execute(
            "INSERT OR IGNORE INTO coco_images (file, id, name, width, height, line) "
            "VALUES (?,?,?,?,?,?)",
            (self.number, key, name, *size, line),
        )
        if not done.rowcount:
            self._image_again(key, name, line)

    def _image_again(self, key: Key, name: str, line: int) -> None:
        query = "SELECT name FROM coco_images WHERE file = ? AND id = ?"
        (first,) = self.db.execute(query, (self.number, key)).fetchone()
        if first == name:
            message = f"image {key} ({name}) is there twice; it is taken once"
            self.checks.warn("image_twice", str(self.path), message, "remove one", line)
        else:
            message = f"image id {key!r} is there twice, for {first} and for {name}"
            hint = 'give every image its own id, 1 and "1" are the same; annotations do not say '
            hint += "which one they mean"
            self.checks.error("not_coco", str(self.path), message, hint, line)

    def _annotation(self, value: Any, line: int) -> None:
        if not isinstance(value, dict):
            self._left_out(f"{value!r:.40} stands where an annotation belongs", line)
            return
        image = values.id_key(value.get("image_id"))
        if image is None:
            given = value.get("image_id")
            kind = (
                f"is {values.kind_of(given)} ({given!r:.40})"
                if "image_id" in value
                else "is missing"
            )
            name = value.get("id", "?")
            self._left_out(f"annotation {name!r:.40}: image_id {kind}", line)
            return
        self._note("image_id", image, value, "image_id")
        category = values.id_key(value.get("category_id"))
        self._note("category_id", category, value, "category_id")
        own = values.id_key(value.get("id"))
        text = json.dumps(value)
        # Brackets are quick to count, and nearly always few.
        if text.count("[") + text.count("{") > _DEEPEST and _nested(value, _DEEPEST):
            self._left_out(f"annotation {own!r:.40}: it is nested too deeply", line)
            return
        row = (self.number, image, category, own, line, text)
        self.db.execute("INSERT INTO coco_annotations VALUES (?,?,?,?,?,?)", row)

    def _left_out(self, problem: str, line: int) -> None:
        hint = "an annotation is {id, image_id, category_id, segmentation, bbox, area, iscrowd}"
        message = f"{problem}; it is left out"
        self.checks.warn("not_coco", str(self.path), message, hint, line)
        self.content.tally = self.content.tally.plus(Tally(1, 1))

    def _error(self, problem: str, line: int) -> None:
        hint = f"a COCO file is {_EXAMPLE}"
        self.checks.error("not_coco", str(self.path), problem, hint, line)

    def _note(self, what: str, key: Key | None, value: dict[str, Any], name: str) -> None:
        """Keep of which types ids are, and how the first of each looks."""
        if key is not None and isinstance(value, dict):
            kinds = self.content.kinds.setdefault(what, {})
            kinds.setdefault(values.kind_of(value.get(name)), None)


def _nested(value: Any, most: int) -> bool:
    """Whether lists and objects lie in each other more than ``most`` times."""
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_nested(v, most - 1) for v in inner if isinstance(v, list | dict))


def _names(image: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _NAMES:
        value = image.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            yield key, values.storable(value)


def _side(value: Any) -> int | None:
    """A declared width or height, where it is said: not 0, and not text without a number."""
    side = values.whole(value)
    return side if side is not None and 0 < side < 1 << 31 else None
