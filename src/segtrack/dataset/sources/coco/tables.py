"""The JSON of a COCO data set into scratch tables, whatever order its keys come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.json_stream import Element, elements
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks

TABLES = """
CREATE TABLE coco_images (file INTEGER, id, name TEXT, width INTEGER, height INTEGER,
    line INTEGER, PRIMARY KEY (file, id)) WITHOUT ROWID;
CREATE TABLE coco_paths (path TEXT, file INTEGER, id, owner INTEGER);
CREATE INDEX coco_by_path ON coco_paths (path);
CREATE TABLE coco_annotations (file INTEGER, image, line INTEGER, value TEXT);
CREATE INDEX coco_by_image ON coco_annotations (file, image);
"""
_NEEDED = ("images", "annotations", "categories")
_KEYS: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {"id": (int, str), "file_name": (str,)},
    "annotations": {"image_id": (int, str)},
    "categories": {"id": (int,), "name": (str,)},
}
_EXAMPLE = '{"images": [...], "annotations": [...], "categories": [...]}'


def read_json(path: Path, number: int, catalogue: Catalogue, checks: Checks) -> dict[int, str]:
    """Read one annotation file into the tables as file ``number``.

    Returns:
        Category id to name.

    Raises:
        DataError: it is not JSON, or has not the lists that COCO has.
    """
    seen: set[str] = set()
    categories: dict[int, str] = {}
    try:
        for element in elements(path):
            seen.add(element.key)
            if element.listed:
                _take(element, path, number, catalogue, checks, categories)
            elif element.key in _NEEDED and element.value != []:
                raise ValueError(f"line {element.line}: {element.key} is not a list")
    except ValueError as error:
        raise DataError(f"{path}: not COCO JSON: {error}; it should be {_EXAMPLE}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    missing = [key for key in _NEEDED if key not in seen]
    if missing:
        raise DataError(
            f"{path}: not COCO JSON: it has no {' and no '.join(missing)} "
            f"(but {', '.join(sorted(seen)) or 'nothing'}); it should be {_EXAMPLE}"
        )
    if not categories:
        raise DataError(f"{path}: categories is empty; it names the classes")
    return categories


def _take(
    element: Element,
    path: Path,
    number: int,
    catalogue: Catalogue,
    checks: Checks,
    categories: dict[int, str],
) -> None:
    if element.key not in _NEEDED:
        return
    value = element.value
    problem = _problem(element, categories)
    if problem:
        hint = f"mend the element of {element.key}"
        checks.error("not_coco", str(path), problem, hint, element.line)
    elif element.key == "categories":
        categories[value["id"]] = value["name"]
    elif element.key == "images":
        size = [
            v if isinstance(v, int) else None for v in (value.get("width"), value.get("height"))
        ]
        row = (number, value["id"], value["file_name"], *size, element.line)
        done = catalogue.db.execute(
            "INSERT OR IGNORE INTO coco_images (file, id, name, width, height, line) "
            "VALUES (?,?,?,?,?,?)",
            row,
        )
        if not done.rowcount:
            message = f"image id {value['id']!r} is there twice"
            checks.error(
                "not_coco", str(path), message, "give every image its own id", element.line
            )
    else:
        row = (number, value["image_id"], element.line, json.dumps(value))
        catalogue.db.execute("INSERT INTO coco_annotations VALUES (?,?,?,?)", row)


def _problem(element: Element, categories: dict[int, str]) -> str:
    value: Any = element.value
    if not isinstance(value, dict):
        return f"{value!r:.40} stands where an object belongs"
    for key, kind in _KEYS[element.key].items():
        if not isinstance(value.get(key), kind):
            return f"{key} is {value.get(key)!r:.40}" if key in value else f"has no {key}"
    if element.key == "categories":
        if value["id"] in categories:
            return f"category id {value['id']} is there twice"
        if value["name"] in categories.values():
            return f"category name {value['name']!r} is there twice"
    return ""
