"""``dataset.classes``: which classes of the source are used, and under which names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import SettingsError, nearest
from segtrack.base.names import paired


@dataclass(frozen=True)
class ClassMap:
    """From the source's class ids to the output's.

    Attributes:
        names: output class names; the class id is the index.
        source_names: class names of the source, by source class id.
        mapping: source class name to output name, for the classes that are used.
    """

    names: tuple[str, ...]
    source_names: tuple[str, ...]
    mapping: dict[str, str]

    def ids(self) -> NDArray[np.int32]:
        """int32 (source classes,): output class id of each source class, -1 where unused."""
        index = {name: i for i, name in enumerate(self.names)}
        return np.array(
            [index[self.mapping[n]] if n in self.mapping else -1 for n in self.source_names],
            np.int32,
        )


def class_map(source_names: Sequence[str], classes: Any) -> ClassMap:
    """Read ``dataset.classes`` against the class names of a source.

    Args:
        source_names: class names by id.
        classes: None (all), a list of names, or a mapping of output name to a source name or a list
            of them (which are merged).

    Raises:
        SettingsError: a name that the source does not have, or that is given twice, or a value of
            another shape.
    """
    wanted = parse_classes(classes)
    if wanted is None:
        wanted = {name: [name] for name in source_names}
    mapping: dict[str, str] = {}
    problems: list[str] = []
    there = set(source_names)
    for output, parts in wanted.items():
        for part in parts:
            if part not in there:
                problems.append(
                    f"{part!r} is not a class of the data set{_near(part, source_names)}"
                )
            elif part in mapping:
                problems.append(f"{part!r} is used for {mapping[part]!r} and for {output!r}")
            mapping[part] = output
    if problems:
        raise SettingsError(
            f"dataset.classes: {'; '.join(problems)}. The data set has: {_listed(source_names)}"
        )
    return ClassMap(tuple(wanted), tuple(source_names), mapping)


def parse_classes(classes: Any) -> dict[str, list[str]] | None:
    """``dataset.classes`` as {output name: [source names]}; None for all classes.

    Raises:
        SettingsError: not null, a list of names or a mapping of names, or nothing in it.
    """
    if classes is None:
        return None
    if isinstance(classes, str):
        classes = [classes]
    if isinstance(classes, Mapping):
        wanted = {
            _text(name): list(map(_text, [parts] if isinstance(parts, str | int) else parts or []))
            for name, parts in classes.items()
        }
    elif isinstance(classes, Sequence) and all(isinstance(c, str | int) for c in classes):
        if len(set(classes)) < len(classes):
            raise SettingsError(f"dataset.classes: a name is there twice: {list(classes)}")
        wanted = {_text(name): [_text(name)] for name in classes}
    else:
        raise SettingsError(
            f"dataset.classes is {classes!r}; allowed is null (all), a list [person, car], or a "
            "mapping {vehicle: [car, truck], person: [person]}"
        )
    empty = [name for name, parts in wanted.items() if not parts]
    if not wanted or empty:
        raise SettingsError(f"dataset.classes: no class is named for {empty or 'anything'}")
    return wanted


def _text(name: Any) -> str:
    return paired(str(name))


def _near(name: str, names: Sequence[str]) -> str:
    close = nearest(name, names)
    return f" (nearest: {close!r})" if close else ""


def _listed(names: Sequence[str], most: int = 80) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
