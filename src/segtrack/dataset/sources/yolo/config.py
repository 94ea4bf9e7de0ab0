"""``data.yaml`` of a YOLO data set: class names, and where the images of each split are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.dataset.recognise import recognise
from segtrack.settings import SPLITS

FILES = ("data.yaml", "data.yml", "dataset.yaml")
_EXAMPLE = "names: {0: person, 1: car}"


@dataclass(frozen=True)
class YoloConfig:
    """What ``data.yaml`` says.

    Attributes:
        file: the YAML file.
        root: folder that paths are relative to.
        names: class names by id.
        splits: folders and list files of the images, by split.
    """

    file: Path
    root: Path
    names: tuple[str, ...]
    splits: dict[str, tuple[Path, ...]]


def read_config(path: Path) -> YoloConfig:
    """Read ``data.yaml``.

    Args:
        path: the file, or the folder that holds it.

    Raises:
        DataError: it is not there, not YAML, has no names, or names no images that exist.
    """
    file = _config_file(path)
    content = load_yaml(file)
    root = _root(file, content)
    names = read_names(content.get("names"), file)
    splits = {}
    if "validation" in content and "val" not in content:
        content["val"] = content["validation"]
    for split in SPLITS:
        value = content.get(split)
        parts = [value] if isinstance(value, str) else value or []
        if not isinstance(parts, list) or not all(isinstance(p, str) for p in parts):
            raise DataError(
                f"{file}: {split} is {value!r}; allowed is a folder, a .txt file that lists "
                "images, or a list of these"
            )
        splits[split] = tuple(_resolved(part, split, root, file) for part in parts)
    if not any(splits.values()):
        raise DataError(f"{file}: names no images; add for example  train: images")
    return YoloConfig(file, root, names, splits)


def load_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        DataError: it cannot be read as one.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{file}: cannot be read as YAML ({error})") from error
    if not isinstance(content, dict):
        raise DataError(
            f"{file}: holds {type(content).__name__}, not keys like  train: images  and {_EXAMPLE}"
        )
    return content


def read_names(names: Any, file: Path) -> tuple[str, ...]:
    """Class names by id from a list or a mapping of ids to names.

    Raises:
        DataError: there are none, an id is missing, or a name is there twice.
    """
    if not names:
        raise DataError(f"{file}: names is missing or empty; add the class names, like {_EXAMPLE}")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise DataError(
                f"{file}: names has the ids {list(names)}; they must be 0 to {len(names) - 1}"
            )
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list):
        raise DataError(f"{file}: names is {names!r}; allowed is a list or a mapping, {_EXAMPLE}")
    listed = tuple(str(name) for name in names)
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise DataError(f"{file}: names holds {', '.join(twice)} twice; each name needs one id")
    return listed


def _config_file(path: Path) -> Path:
    if not path.exists():
        raise DataError(
            f"dataset.path: {path} does not exist; give the folder that holds data.yaml "
            "(relative paths begin where the command is run)"
        )
    if path.is_file():
        return path
    for name in FILES:
        if (path / name).is_file():
            return path / name
    others = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if len(others) == 1:
        return others[0]
    if not any(path.iterdir()):
        raise DataError(
            f"dataset.path: {path} is an empty folder; it should hold data.yaml, images"
        )
    if hint := recognise(path):
        raise DataError(f"{path}: no data.yaml in it; {hint}")
    raise DataError(
        f"{path}: no data.yaml in it; write one:  train: images  and {_EXAMPLE}"
        + (f" (there are {', '.join(o.name for o in others)})" if others else "")
    )


def _root(file: Path, content: dict[str, Any]) -> Path:
    """``path`` of the YAML where that exists: exports often carry another machine's path."""
    root = file.parent
    given = content.get("path")
    if isinstance(given, str) and (root / given).is_dir():
        return (root / given).absolute()
    return root.absolute()


def _resolved(part: str, split: str, root: Path, file: Path) -> Path:
    shorter = part.removeprefix("../")  # Roboflow writes ../train/images from inside the folder
    for candidate in (root / part, file.parent / part, root / shorter):
        if candidate.exists():
            return Path(_normal(candidate))
    raise DataError(
        f"{file}: {split}: {part} does not exist (looked in {root}); mend the path in the file"
    )


def _normal(path: Path) -> str:
    import os.path

    return os.path.normpath(path)  # not resolve(): a link to a folder stays as the user knows it
