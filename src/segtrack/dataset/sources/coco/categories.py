"""``categories`` of COCO JSON: which classes a data set has, and which ids stand for them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from segtrack.dataset import coco_values as values
from segtrack.dataset.checks import Checks
from segtrack.dataset.coco_values import Key

_NO_PARENT = ("", "none", "null")


class Category(NamedTuple):
    """An element of ``categories``.

    Attributes:
        key: its id, None where it has none.
        written: its name as written, or None.
        name: the name that is used.
        parent: its ``supercategory``, empty for none.
        line: where it stands.
    """

    key: Key | None
    written: Any
    name: str
    parent: str
    line: int

    @staticmethod
    def read(value: Any, line: int) -> Category | None:
        """The category, or None where it has neither an id nor a name."""
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            return None
        key, written = values.id_key(value.get("id")), value.get("name")
        named = written is not None and not isinstance(written, list | dict)
        name = values.storable(str(written)).strip() if named else ""
        if not name:
            if key is None:
                return None
            name, written = f"category_{key}", None
        parent = value.get("supercategory")
        parent = parent.strip() if isinstance(parent, str) else ""
        return Category(key, written, name, "" if parent.lower() in _NO_PARENT else parent, line)


class ClassFile(NamedTuple):
    """A file's categories, and how many annotations have each ``category_id``."""

    path: Path
    categories: list[Category]
    uses: Counter[Key]


def read_classes(
    files: list[ClassFile], checks: Checks
) -> tuple[tuple[str, ...], list[dict[Key, int]]]:
    """The classes of all files together.

    Categories of one name are one class. A root is dropped: one that no annotation uses and that is
    the ``supercategory`` of all others of its file, as Roboflow writes it.

    Returns:
        Class names: categories in the order of their ids, file by file. For each file the class id
        of each category id, and of each name that annotations have in the place of an id.
    """
    used = {c.name for file in files for c in file.categories if c.key in file.uses}
    used |= {str(key) for file in files for key in file.uses if isinstance(key, str)}
    kept = [_kept(file, used, checks) for file in files]
    names = tuple(dict.fromkeys(c.name for one in kept for c in sorted(one, key=_order)))
    index = {name: i for i, name in enumerate(names)}
    return names, [_ids(file, one, index, checks) for file, one in zip(files, kept, strict=True)]


def _order(category: Category) -> tuple[bool, int]:
    """By number; ids of text stay in the order of the file, behind."""
    number = isinstance(category.key, int)
    return not number, category.key if isinstance(category.key, int) else 0


def _kept(file: ClassFile, used: set[str], checks: Checks) -> list[Category]:
    kept: list[Category] = []
    names = Counter(category.name for category in file.categories)
    parents = Counter(category.parent for category in file.categories)
    others = len(file.categories) - 1
    for category in file.categories:
        children = parents[category.name] - (category.parent == category.name)
        root = category.key not in file.uses and children == others > 0
        root = root and category.parent in ("", category.name)
        if root and (category.name not in used or names[category.name] > 1):
            message = (
                f"category {category.key} ({category.name}) is the root of the others and has no "
                "annotation; it is dropped"
            )
            hint = "nothing needs to be done; Roboflow's exports have such a category"
            checks.warn("root_category", str(file.path), message, hint, category.line)
        else:
            kept.append(category)
    return kept


def _ids(
    file: ClassFile, kept: list[Category], index: dict[str, int], checks: Checks
) -> dict[Key, int]:
    ids: dict[Key, int] = {}
    first: dict[str, Category] = {}
    path = str(file.path)
    for category in kept:
        _say_name(category, path, checks)
        other = first.setdefault(category.name, category)
        if other is not category:
            twice = "is there twice, as" if other.key == category.key else f"and {category.key} are"
            message = f"category {other.key} {twice} {category.name}"
            hint = "they are one class; give each its own name if they are not"
            checks.warn("same_class_name", path, message, hint, category.line)
        if category.key is None:
            continue
        if ids.setdefault(category.key, index[category.name]) != index[category.name]:
            there = next(c for c in kept if c.key == category.key)
            message = f"category id {category.key} is there twice, {there.name} and {category.name}"
            hint = "give every category its own id; annotations do not say which one they mean"
            checks.error("not_coco", path, message, hint, category.line)
    return ids | _by_name(file, ids, index, checks)


def _say_name(category: Category, path: str, checks: Checks) -> None:
    if category.written is None:
        message = f"category {category.key} has no name; it is called {category.name}"
    elif category.written != category.name:
        message = f"the name {category.written!r} is taken as {category.name!r}"
    else:
        return
    hint = "give every category a name, as text"
    checks.warn("category_name", path, message, hint, category.line)


def _by_name(
    file: ClassFile, ids: dict[Key, int], index: dict[str, int], checks: Checks
) -> dict[Key, int]:
    """Names where annotations should have ids, in any case where that is clear."""
    folded: dict[str, list[int]] = {}
    for name, i in index.items():
        folded.setdefault(name.casefold(), []).append(i)
    found: dict[Key, int] = {}
    for key, count in file.uses.items():
        if key in ids or not isinstance(key, str):
            continue
        fitting = [index[key]] if key in index else folded.get(key.casefold(), [])
        if len(fitting) == 1:
            found[key] = fitting[0]
            message = f"category_id of {count} annotations is the name {key}; it is taken"
            checks.warn("name_for_id", str(file.path), message, "write the id of the category")
    return found
