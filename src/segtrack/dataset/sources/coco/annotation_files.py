"""Which JSON files a COCO data set has: those that are named, or those of a usual export.

Without ``dataset.annotations`` there are taken, if they lie in ``dataset.path``:

1. ``train/``, ``valid/`` and ``test/_annotations.coco.json``, as Roboflow writes them;
2. ``instances_*.json`` in it or in ``annotations/``, as COCO and CVAT write them;
3. the only JSON file in it, in ``annotations/`` or in the folders of splits.

A file is for the split that its folder or name says, if any of them says one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segtrack.base.errors import DataError
from segtrack.dataset.recognise import recognise
from segtrack.dataset.strangers import what_it_is
from segtrack.settings import SPLITS

# Where several splits have a file, it counts for the one that does not spoil a score.
_PRECEDENCE = ("test", "val", "train", "pool")
_WORDS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_ROBOFLOW = "_annotations.coco.json"
_SHOWN = 5


class AnnotationFile(NamedTuple):
    """A JSON file, the splits that it is for (empty: not said), and how it was found.

    Attributes:
        note: what is to be said of how it was found; empty where it was named as it lies.
    """

    path: Path
    splits: tuple[str, ...]
    note: str = ""


def annotation_files(folder: Path, annotations: Any) -> list[AnnotationFile]:
    """The JSON files, those of the test split first.

    Args:
        folder: ``dataset.path``.
        annotations: a file, a list of files, or a mapping of splits to these; None looks for them.

    Raises:
        DataError: none is given or found, one is not there, or a split is not known.
    """
    if not folder.is_dir():
        raise DataError(
            f"dataset.path: {folder} is not a folder; give the folder that the file names in the "
            "JSON are relative to"
        )
    if annotations is None:
        return _usual(folder)
    if isinstance(annotations, Mapping) and annotations:
        unknown = [str(split) for split in annotations if split not in SPLITS]
        if unknown:
            raise DataError(
                f"dataset.annotations: {', '.join(unknown)} is not a split; "
                f"allowed are {', '.join(SPLITS)}"
            )
        found = [
            named._replace(splits=(split,))
            for split in _PRECEDENCE
            if split in annotations
            for named in _named(folder, annotations[split])
        ]
        return list(_merged(found))
    named = list(_named(folder, annotations))
    if not named:
        raise DataError(f"dataset.annotations is {annotations!r}; {_what_to_name(folder)}")
    return list(_merged(named))


def _named(folder: Path, names: Any) -> Iterator[AnnotationFile]:
    for name in names if isinstance(names, list | tuple) else [names]:
        if not isinstance(name, str | Path) or not str(name):
            raise DataError(f"dataset.annotations is {name!r}; {_what_to_name(folder)}")
        here = Path(name).expanduser()
        inside = folder / here
        if here.is_file():
            both = inside.is_file() and not inside.samefile(here)
            note = f"{here} of the working folder is taken, not {inside}" if both else ""
            yield AnnotationFile(here, (), note)
        elif inside.is_file():
            note = "" if here.is_absolute() else f"{name} is taken from dataset.path: {inside}"
            yield AnnotationFile(inside, (), note)
        elif here.is_dir() or inside.is_dir():
            place = here if here.is_dir() else inside
            raise DataError(f"dataset.annotations: {place} is a folder; {_what_to_name(place)}")
        else:
            raise DataError(
                f"dataset.annotations: {name} does not exist, neither in the working folder nor in "
                f"dataset.path ({folder}); {_what_to_name(folder)}"
            )


def _merged(found: Iterable[AnnotationFile]) -> Iterator[AnnotationFile]:
    """Each file once, with all its splits."""
    files: dict[Path, AnnotationFile] = {}
    for one in found:
        known = files.get(one.path)
        files[one.path] = one if known is None else known._replace(splits=known.splits + one.splits)
    yield from files.values()


def _usual(folder: Path) -> list[AnnotationFile]:
    here = _json_files(folder)
    for chosen in (
        [path for path in here if path.name == _ROBOFLOW],
        [path for path in here if path.name.startswith("instances_")],
        here,
    ):
        splits = {path: _split_of(path, folder) for path in chosen}
        said = [split for split in splits.values() if split]
        if len(chosen) == 1 or (chosen and len(said) == len(chosen) == len(set(said))):
            order = (*_PRECEDENCE, "")
            found = sorted(chosen, key=lambda path: order.index(splits[path]))
            return [_noted(path, splits[path], len(chosen) > 1, folder) for path in found]
        if chosen:
            break
    looks = what_it_is(here[0]) if here else ""
    first = f"; of {here[0].name}: {looks}" if looks else ""
    if not here and (hint := recognise(folder)):
        first = f"; {hint}"
    raise DataError(f"dataset=coco needs the JSON file: {_what_to_name(folder)}{first}")


def _noted(path: Path, split: str, several: bool, folder: Path) -> AnnotationFile:
    """A file alone holds all images, whatever its name says."""
    split = split if several else ""
    shown = f" as {split}" if split else ""
    note = f"dataset.annotations is not given; {path.relative_to(folder)} is taken{shown}"
    return AnnotationFile(path, (split,) if split else (), note)


def _json_files(folder: Path) -> list[Path]:
    """JSON files of the folder, of ``annotations/`` and of folders that are called like a split."""
    places = [folder]
    for place in sorted(folder.iterdir()):
        name = place.name.lower()
        if place.is_dir() and (name == "annotations" or _WORDS.get(name, name) in SPLITS):
            places.append(place)
    return [
        path
        for place in places
        for path in sorted(place.glob("*.json"))
        if path.is_file() and not path.name.startswith(".")
    ]


def _split_of(path: Path, folder: Path) -> str:
    """The split that a file's name or folder says; empty for none or several."""
    texts = [path.stem, *(path.parent.name,) * (path.parent != folder)]
    for text in reversed(texts):
        words = re.findall(r"[a-z]+", text.lower())
        found = {_WORDS.get(word, word) for word in words} & set(SPLITS)
        if len(found) == 1:
            return str(found.pop())
    return ""


def _what_to_name(folder: Path) -> str:
    found = sorted(folder.glob("*.json")) + sorted(folder.glob("*/*.json"))
    there = [str(path.relative_to(folder)) for path in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "name it with dataset.annotations=FILE" + (
        f" (in {folder} there are {', '.join(there)}{more})" if there else ""
    )
