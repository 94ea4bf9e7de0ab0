"""Class names of a ``data.yaml`` as they are written: YAML itself makes False of ``off``, 8 of
``010`` and None of ``null``, and keeps the last one only of two names with one id.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError, some
from segtrack.base.names import paired
from segtrack.dataset.cleaning import Remark

if TYPE_CHECKING:
    import yaml

EXAMPLE = "names: {0: person, 1: car}"
_SHOWN = 8
_NO_NAME = "write a name, in quotes where YAML means something else by it"


def written_names(node: yaml.Node, value: Any, file: Path) -> tuple[Any, list[Remark]]:
    """The names of a YAML node with every scalar as text.

    Args:
        node: what stands behind ``names:``.
        value: what YAML makes of it.
        file: for messages.

    Returns:
        A list, a mapping or a text; and a remark where YAML means other names.

    Raises:
        DataError: an id is there twice.
    """
    import yaml

    odd: list[str] = []

    def text(one: yaml.Node, meant: Any) -> Any:
        if not isinstance(one, yaml.ScalarNode):
            return meant
        if one.value and not isinstance(meant, str) and str(meant) != one.value:
            odd.append(f"{one.value} ({meant})")
        return one.value

    found: Any = value
    if isinstance(node, yaml.SequenceNode) and isinstance(value, list):
        found = [text(one, meant) for one, meant in zip(node.value, value, strict=True)]
    elif isinstance(node, yaml.MappingNode) and isinstance(value, dict):
        found, loader = {}, yaml.SafeLoader("")
        for key, one in node.value:
            written = str(key.value)
            if written in found:
                raise DataError(f"{file}: names has the id {written} twice; each id needs one name")
            found[written] = text(one, loader.construct_object(one, deep=True))
    elif isinstance(node, yaml.ScalarNode):
        found = node.value
    if not odd:
        return found, []
    more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
    message = (
        f"names: {', '.join(odd[:_SHOWN])}{more} are taken as they are written, not as what YAML "
        "makes of them"
    )
    return found, [Remark("warning", "yaml_name", 0, message, "put these names in quotes")]


def read_names(names: Any, file: Path) -> tuple[tuple[str, ...], list[Remark]]:
    """Class names by id from a list, a mapping of ids to names or one of names to ids.

    Args:
        names: from ``written_names``.
        file: for messages.

    Returns:
        The names, and remarks on how they were read.

    Raises:
        DataError: there are none, an id is missing, or a name is there twice or is none.
    """
    if not names:
        raise DataError(f"{file}: names is missing or empty; add the class names, like {EXAMPLE}")
    remarks: list[Remark] = []
    if isinstance(names, dict):
        names = _by_id(names, file, remarks)
    if not isinstance(names, list):
        raise DataError(
            f"{file}: names is {names!r:.80}; allowed is a list or a mapping, {EXAMPLE}"
        )
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise DataError(
                f"{file}: the name of class {i} is {name!r:.80}, not a text; {_NO_NAME}"
            )
        if name.strip() == "~":
            raise DataError(f"{file}: class {i} has no name ({name!r}); {_NO_NAME}")
        if not name.strip():
            message = f"class {i} has no name ({name!r}); it counts as a class called ''"
            remarks.append(Remark("warning", "no_name", 0, message, _NO_NAME))
    listed = tuple(paired(name.strip()) for name in names)
    blanks = [name for name in names if name != name.strip()]
    if blanks:
        message = f"names: {', '.join(map(repr, blanks[:_SHOWN]))} are taken without their blanks"
        remarks.append(Remark("warning", "name_blanks", 0, message, "take out the blanks"))
    twice = sorted(name for name, count in Counter(listed).items() if count > 1)
    if twice:
        raise DataError(f"{file}: names holds {some(twice)} twice; each name needs one id")
    return listed, remarks


def check_count(nc: Any, names: tuple[str, ...]) -> list[Remark]:
    """A remark where ``nc``, the number of classes, is another than that of the names."""
    if nc is None or _whole(str(nc)) == len(names):
        return []
    message = f"nc is {nc}, but names holds {len(names)}: {', '.join(names[:_SHOWN])}"
    hint = "the names count; mend nc, or add the names that are missing"
    return [Remark("warning", "class_count", 0, message, hint)]


def _by_id(names: dict[str, Any], file: Path, remarks: list[Remark]) -> list[Any]:
    ids = {key: _whole(key) for key in names}
    if None in ids.values():
        turned = {key: _whole(value) for key, value in names.items() if isinstance(value, str)}
        if len(turned) == len(names) and None not in turned.values() and not any(ids.values()):
            ids, names = {str(v): turned[k] for k, v in names.items()}, _turned(names)
            message = "names maps names to ids; they are taken as ids to names"
            remarks.append(Remark("warning", "names_turned", 0, message, f"write {EXAMPLE}"))
    if sorted(map(str, ids.values())) != sorted(map(str, range(len(names)))):
        raise DataError(
            f"{file}: names has the ids [{some([*names])}]; they must be 0 to {len(names) - 1}"
        )
    return [name for _, name in sorted(names.items(), key=lambda item: ids[item[0]] or 0)]


def _turned(names: dict[str, Any]) -> dict[str, Any]:
    return {value: key for key, value in names.items()}


def _whole(text: str) -> int | None:
    """The whole number that a text is, also one that is written as 1.0; else None."""
    try:
        value = float(text)
        return int(value) if value == int(value) else None
    except (ValueError, OverflowError):
        return None
