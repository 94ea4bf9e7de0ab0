"""Single values of COCO JSON as exporters write them: text for numbers, floats for ids."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

Key = int | str  # an id; equal values are equal keys, whatever their type in the JSON

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)(\.0*)?")
_INTEGER = 1 << 63  # SQLite's integers end here
_LONGEST = 100  # characters of a number that is worth reading
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a fraction",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_TRUE = ("1", "true", "yes")


def id_key(value: Any) -> Key | None:
    """What an id is compared by; None for what is no id.

    1, 1.0, "1" and "1.0" are the same id; "01" is another one, and text stays text.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _WHOLE.fullmatch(text) or len(text) > _LONGEST:
            return storable(text) or None
        value = int(text.partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_INTEGER <= value < _INTEGER else str(value)


def storable(text: str) -> str:
    """Text without halves of surrogate pairs, which no database or file takes."""
    return text.encode(errors="backslashreplace").decode()


def kind_of(value: Any) -> str:
    """The type of a JSON value in words: ``a whole number``, ``text``, ``null`` ..."""
    if isinstance(value, float) and value.is_integer():
        return "a number"
    return _KINDS.get(type(value), type(value).__name__)


def number(value: Any) -> float | None:
    """A finite number, also one in text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """A whole number, also as float or text; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def of_cvat(annotation: dict[str, Any]) -> bool:
    """Whether an annotation is of CVAT's COCO export, which gives each of them ``occluded``.

    Its ``iscrowd`` says no more than that the shape is a mask: 1 of every brush mask, as Datumaro's
    exporter writes it (datumaro/plugins/data_formats/coco/exporter.py, ``find_instance_parts``).
    """
    attributes = annotation.get("attributes")
    return isinstance(attributes, dict) and "occluded" in attributes


def degrees_of(annotation: dict[str, Any]) -> float:
    """By how much the box of an annotation is turned around its centre, clockwise as seen.

    CVAT writes it beside the box that is not turned, in COCO and in Datumaro's JSON
    (cvat/apps/dataset_manager/bindings.py). Outlines and masks are turned already.
    """
    return (number(annotation["attributes"].get("rotation")) or 0.0) if of_cvat(annotation) else 0.0


def flag(value: Any) -> bool | None:
    """``iscrowd`` and the like: 1, true, "1" and 1.0 are true, null is false; None: unclear."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "false", "no")):
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE:
        return True
    return {0.0: False, 1.0: True}.get(number(value))  # type: ignore[arg-type]


def is_missing(value: Any) -> bool:
    """Null, empty, empty inside (``[[]]``), or NaN, as tables write what is not there."""
    if isinstance(value, str):
        return value.strip().lower() in ("", "[]", "[[]]", "{}", "null", "none", "nan")
    return _is_empty(value) or (isinstance(value, float) and math.isnan(value))


def _is_empty(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_empty, value))
    return value is None or value in ("", {})


def written_out(text: str) -> Any:
    """The value that a text holds: JSON, the same as Python writes it, or plain numbers.

    ``"[[1, 2]]"`` is a list, ``"b'0'"`` is ``"0"``, ``"1,2 3"`` is three numbers; other text stays.
    """
    text = text.strip()
    if text[:1] in ("[", "{"):
        for parse in (json.loads, ast.literal_eval):
            try:
                return json.loads(json.dumps(parse(text)))  # tuples become lists
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                continue
        return text
    if text[:2] in ("b'", 'b"'):
        try:
            return ast.literal_eval(text).decode("ascii")
        except (ValueError, SyntaxError):
            return text
    words = re.split(r"[\s,;]+", text)
    numbers = [number(word) for word in words]
    return text if None in numbers or len(words) < 2 else numbers
