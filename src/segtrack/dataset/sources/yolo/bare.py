"""YOLO exports without ``data.yaml``: class names are the lines of a text file.

Label Studio and labelImg write ``classes.txt``, Darknet and CVAT's YOLO 1.1 ``obj.names`` and
``obj.data``, which names a list of images for each split.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from segtrack.base.errors import DataError
from segtrack.dataset.cleaning import Remark

LISTS = ("obj.names", "classes.txt")
_SPLITS = (("train",), ("val", "valid", "validation"), ("test",))


class Bare(NamedTuple):
    """What stands for ``data.yaml``: the file of the names, and the keys that it would have."""

    file: Path
    content: dict[str, Any]
    remark: Remark


def read_bare(folder: Path) -> Bare | None:
    """Names and places of a folder without ``data.yaml``; None where no list of names is there.

    Raises:
        DataError: the list of names is no text.
    """
    file = next((folder / name for name in LISTS if (folder / name).is_file()), None)
    if file is None:
        return None
    names = _lines(file)
    content = {"names": names} | (_of_data(folder / "obj.data") or _of_folders(folder))
    places = ", ".join(f"{key}: {value}" for key, value in content.items() if key != "names")
    message = f"there is no data.yaml; classes are the lines of {file.name} "
    message += f"({', '.join(names[:8])}{' ...' if len(names) > 8 else ''}), images those of "
    hint = "write a data.yaml with names, train and val to say otherwise"
    return Bare(file, content, Remark("warning", "no_yaml", 0, message + places, hint))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read ({error}); save it as UTF-8") from error


def _of_data(file: Path) -> dict[str, str]:
    """The lists of images that Darknet's ``obj.data`` names."""
    if not file.is_file():
        return {}
    pairs = [line.partition("=") for line in _lines(file)]
    values = {key.strip().lower(): value.strip() for key, _, value in pairs}
    return {words[0]: values[word] for words in _SPLITS for word in words if values.get(word)}


def _of_folders(folder: Path) -> dict[str, str]:
    """Folders that are called like splits, else all images."""
    base = "images" if (folder / "images").is_dir() else "."
    found = {
        words[0]: f"{base}/{word}"
        for words in _SPLITS
        for word in words
        if (folder / base / word).is_dir()
    }
    return found or {"train": base}
