"""What program a folder of labels is from, by its files: for hints, and for ``segtrack convert``.

A data set that is named by ``dataset=`` is never read as another one by this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from segtrack.base.errors import DataError

_LOOKED_AT = 2000  # files of a folder that are looked at
_WALKED = 100_000  # names that are seen meanwhile
_HEAD = 65536  # bytes of a file
_CLASS_LISTS = ("classes.txt", "obj.names")  # of YOLO without a data.yaml


class Layout(NamedTuple):
    """What a file of labels is.

    Attributes:
        says: in words, with what to type.
        source: the option of ``dataset`` that reads it; empty where none does.
        path: its ``dataset.path``. annotations: its ``dataset.annotations``, or None.
    """

    says: str
    source: str = ""
    path: Path = Path()
    annotations: Path | None = None


def recognise(folder: Path) -> str:
    """Which ``dataset=`` reads ``folder``, or how to convert it, as words; empty where unclear."""
    layout = layout_of(folder)
    return layout.says if layout else ""


def layout_of(folder: Path) -> Layout | None:
    """What a folder holds, by the first of its files that says so."""
    if not folder.is_dir():
        return None
    files = list(islice(_files(folder), _LOOKED_AT))
    return next((layout for file in files if (layout := layout_of_file(file, folder))), None)


def not_here(folder: Path, what: str, hint: str) -> DataError:
    """The error of a reader that finds nothing of its program: what the folder is instead."""
    return DataError(f"{folder}: {what} in it; {recognise(folder) or hint}")


def recognise_file(file: Path, folder: Path) -> str:
    """As ``recognise``, by one file of the folder."""
    layout = layout_of_file(file, folder)
    return layout.says if layout else ""


def layout_of_file(file: Path, folder: Path) -> Layout | None:
    """As ``layout_of``, by one file of the folder."""
    try:
        with file.open("rb") as data:
            raw = data.read(_HEAD)
            head = raw.decode(json.detect_encoding(raw[:4]), "replace").removeprefix("\ufeff")
    except OSError:
        return None
    match file.suffix.lower():
        case ".json":
            return _json_layout(file, head, folder)
        case ".xml" if "<annotations" in head and ("<image" in head or "<meta" in head):
            return _read_by("CVAT", "cvat", file.name, folder)
        case ".xml" if "<annotation" in head and "<bndbox>" in head:
            return Layout(
                f"{file.name} is Pascal VOC, which segtrack does not read: import it into CVAT or "
                "Roboflow and export COCO or YOLO segmentation"
            )
        case ".yaml" | ".yml" if "names:" in head and ("train:" in head or "val:" in head):
            return _read_by("YOLO", "yolo", file.name, file.parent)
        case _ if file.name in _CLASS_LISTS and (
            (file.parent / "labels").is_dir() or (file.parent / "obj.data").is_file()
        ):
            return _read_by("YOLO", "yolo", file.name, file.parent)
    return None


def _read_by(program: str, source: str, name: str, path: Path) -> Layout:
    says = f"{name} is {program}'s: dataset={source} dataset.path={path}"
    return Layout(says, source, path)


def _files(folder: Path) -> Iterator[Path]:
    wanted = {".json", ".xml", ".yaml", ".yml"}
    for path in islice(folder.rglob("*"), _WALKED):
        ours = path.suffix.lower() in wanted or path.name in _CLASS_LISTS
        if ours and not path.name.startswith(".") and path.is_file():
            yield path


def _json_layout(file: Path, head: str, folder: Path) -> Layout | None:
    if head.lstrip().startswith("["):
        if _is_labelstudio(head):
            return _read_by("Label Studio", "labelstudio", file.name, folder)
        return None
    if '"shapes"' in head and ('"imagePath"' in head or '"flags"' in head):
        return _read_by("LabelMe", "labelme", file.name, folder)
    if file.name == "meta.json" and '"classes"' in head and '"title"' in head:
        return _read_by("Supervisely", "supervisely", "meta.json", file.parent)
    if '"regions"' in head and '"shape_attributes"' in head:
        return Layout(
            f"{file.name} is VGG Image Annotator's, which segtrack does not read: export COCO from "
            "VIA 2 (Annotation > Export Annotations, COCO format)"
        )
    if is_datumaro(head):
        above = file.parent.parent if file.parent.name == "annotations" else file.parent
        return _read_by("Datumaro", "datumaro", file.name, above)
    if all(f'"{key}"' in head for key in ("images", "annotations")) or _is_coco(file, head):
        says = f"{file.name} is COCO's: dataset=coco dataset.path={folder} "
        return Layout(f"{says}dataset.annotations={file}", "coco", folder, file)
    return None


def _is_labelstudio(head: str) -> bool:
    """Whether a JSON list that begins with ``head`` is of Label Studio's tasks, whole or JSON-MIN.

    The first of them may have no annotation, or no object.
    """
    marks = ("result", "original_width", "file_upload", "completions", "annotation_id", "annotator")
    return any(f'"{mark}"' in head for mark in marks) or (
        '"annotations"' in head and '"data"' in head
    )


def is_datumaro(head: str) -> bool:
    """Whether JSON that begins with ``head`` is Datumaro's own form."""
    if '"dm_format_version"' in head:
        return True
    # Earlier versions, which CVAT has, do not say so.
    return ('"categories"' in head and '"label_groups"' in head) or (
        '"items"' in head and '"categories"' in head and '"info' in head and '"images"' not in head
    )


def _is_coco(file: Path, head: str) -> bool:
    """A COCO file's first keys; the others may lie a gigabyte further on."""
    if '"file_name"' in head or '"image_id"' in head:
        return True
    if len(head) >= _HEAD or '"categories"' not in head:
        return False
    try:
        return {"images", "annotations"} <= set(json.loads(head))
    except (ValueError, TypeError, RecursionError):
        return False
