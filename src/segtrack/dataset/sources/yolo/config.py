"""``data.yaml`` of a YOLO data set: class names, and where the images of each split are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.yaml_text import read_yaml
from segtrack.dataset.cleaning import Remark
from segtrack.dataset.recognise import recognise
from segtrack.dataset.sources.yolo.bare import read_bare
from segtrack.dataset.sources.yolo.names import EXAMPLE, check_count, read_names, written_names
from segtrack.dataset.sources.yolo.places import find_place
from segtrack.settings import SPLITS

FILES = ("data.yaml", "data.yml", "dataset.yaml")
_KEYS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_MAY_LACK = ("val", "test")  # splits that exports name where they have none


@dataclass(frozen=True)
class YoloConfig:
    """What ``data.yaml`` says.

    Attributes:
        file: the YAML file.
        root: folder that paths are relative to.
        names: class names by id.
        splits: folders and list files of the images, by split.
        remarks: what was odd in it, and how it was read.
    """

    file: Path
    root: Path
    names: tuple[str, ...]
    splits: dict[str, tuple[Path, ...]]
    remarks: tuple[Remark, ...] = ()


def read_config(path: Path) -> YoloConfig:
    """Read ``data.yaml``, or what stands for it in exports that have none (``read_bare``).

    Args:
        path: the file, or the folder that holds it.

    Raises:
        DataError: it is not there, not YAML, has no names, names no images that exist, or is of
            another task than boxes and masks.
    """
    bare = read_bare(path) if path.is_dir() and not _yaml_of(path) else None
    if bare is not None:
        file, content, remarks = bare.file, bare.content, [bare.remark]
    else:
        file = _config_file(path)
        content, remarks = _load(file)
    _refuse_other_tasks(content, file)
    root = _root(file, content, remarks)
    names, more = read_names(content.get("names"), file)
    remarks += more + check_count(content.get("nc"), names)
    places = _Places(file, root)
    splits = {split: places.of(split, content.get(split)) for split in SPLITS}
    if not any(splits.values()):
        raise DataError(f"{file}: names no images; add for example  train: images")
    return YoloConfig(file, root, names, splits, (*remarks, *places.remarks))


def load_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file; scalars in ``names`` are text, as they are written.

    Raises:
        DataError: it cannot be read as one.
    """
    return _load(file)[0]


def _load(file: Path) -> tuple[dict[str, Any], list[Remark]]:
    try:
        node, content = read_yaml(file)
    except (OSError, ValueError) as error:
        hint = ""
        if isinstance(error, UnicodeDecodeError):
            hint = "; save it as UTF-8"
        elif "escape" in str(error):
            hint = "; between double quotes a backslash means something else: write / in paths"
        raise DataError(f"{file}: cannot be read as YAML ({error}){hint}") from error
    if not isinstance(content, dict):
        raise DataError(
            f"{file}: holds {type(content).__name__}, not keys like  train: images  and {EXAMPLE}"
        )
    content = {_key(key): value for key, value in content.items()}
    remarks: list[Remark] = []
    seen: set[str] = set()
    for written, value in getattr(node, "value", ()):
        key = _key(written.value)
        if key in seen:
            raise DataError(f"{file}: {key} is there twice; which one counts? Remove the other")
        seen.add(key)
        if key == "names" and content["names"] is not None:
            content["names"], remarks = written_names(value, content["names"], file)
    return content, remarks


def _key(written: Any) -> str:
    """A key whatever its case; ``valid`` and ``validation`` are ``val``."""
    key = str(written).casefold()
    return _KEYS.get(key, key)


def _refuse_other_tasks(content: dict[str, Any], file: Path) -> None:
    shape = content.get("kpt_shape")
    if shape is not None:
        raise DataError(
            f"{file}: kpt_shape is {shape!r}: its labels are poses, a box and keypoints per row, "
            "which are no masks; export the data set for segmentation or detection"
        )


def _config_file(path: Path) -> Path:
    if not path.exists():
        raise DataError(
            f"dataset.path: {path} does not exist; give the folder that holds data.yaml "
            "(relative paths begin where the command is run)"
        )
    if path.is_file():
        return path
    if file := _yaml_of(path):
        return file
    if not any(path.iterdir()):
        raise DataError(
            f"dataset.path: {path} is an empty folder; it should hold data.yaml, images"
        )
    others = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if not others and (hint := recognise(path)):
        raise DataError(f"{path}: no data.yaml in it; {hint}")
    raise DataError(
        f"{path}: no data.yaml in it; write one:  train: images  and {EXAMPLE}"
        + (
            f"; or name that of {', '.join(o.name for o in others)} data.yaml which is meant"
            if others
            else ""
        )
    )


def _yaml_of(folder: Path) -> Path | None:
    """``data.yaml`` of a folder, or its only YAML file."""
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    others = [*folder.glob("*.yaml"), *folder.glob("*.yml")]
    return others[0] if len(others) == 1 else None


def _root(file: Path, content: dict[str, Any], remarks: list[Remark]) -> Path:
    """``path`` of the YAML where that exists: exports often carry another machine's path."""
    root = file.parent.absolute()
    given = content.get("path")
    if not isinstance(given, str) or not given.strip():
        return root
    for text in (given, given.strip().replace("\\", "/")):
        if (root / text).is_dir():
            return (root / text).absolute()
    message = f"path: {given} is not there; {root} is taken"
    remarks.append(Remark("warning", "mended_name", 0, message, "mend path, or take it out"))
    return root


class _Places:
    """Finds what the splits name, and remembers what was odd."""

    def __init__(self, file: Path, root: Path) -> None:
        self.file, self.root = file, root
        self.remarks: list[Remark] = []
        self._by_tail: dict[Path, str] = {}

    def of(self, split: str, value: Any) -> tuple[Path, ...]:
        """The folders, lists and images of a split."""
        parts = [value] if isinstance(value, str) else value or []
        if not isinstance(parts, list) or not all(isinstance(p, str) for p in parts):
            raise DataError(
                f"{self.file}: {split} is {value!r}; allowed is a folder, a .txt file that lists "
                "images, or a list of these"
            )
        parts = [part for part in parts if part.strip()]
        found = [place for part in parts if (place := self._find(split, part))]
        lacking = len(parts) - len(found)
        if lacking and (split not in _MAY_LACK or found):
            missing = next(part for part in parts if not self._find(split, part))
            raise DataError(
                f"{self.file}: {split}: {missing} does not exist (looked in {self.root}); mend "
                "the path in the file"
            )
        if lacking:
            message = f"{split}: {', '.join(parts)} does not exist (looked in {self.root})"
            hint = f"taken as a data set without {split}; mend the path, or take the line out"
            if split == "val":
                hint += ". Without val dataset.splits divides train, or, where there is a test "
                hint += "split, training chooses its epoch on its own images"
            self._remark("missing_split", message, hint)
        return tuple(dict.fromkeys(found))

    def _find(self, split: str, part: str) -> Path | None:
        place = find_place(part, self.root, self.file.parent.absolute())
        if place is None:
            return None
        if place.by_tail and self._by_tail.setdefault(place.path, part) != part:
            raise DataError(
                f"{self.file}: {self._by_tail[place.path]} and {part} both seem to be "
                f"{place.path}; mend the paths in the file"
            )
        if place.odd:
            self._remark("mended_name", f"{split}: {part}: {place.odd}", "mend it in the file")
        return place.path

    def _remark(self, code: str, message: str, hint: str) -> None:
        self.remarks.append(Remark("warning", code, 0, message, hint))
