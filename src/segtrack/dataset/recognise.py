"""What program a folder of labels is from, by its files: for hints, nothing is chosen by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from segtrack.base.errors import DataError

_LOOKED_AT = 2000  # files of a folder that are looked at
_WALKED = 100_000  # names that are seen meanwhile
_HEAD = 65536  # bytes of a file


def recognise(folder: Path) -> str:
    """Which ``dataset=`` reads ``folder``, or how to convert it, as words; empty where unclear."""
    if not folder.is_dir():
        return ""
    files = list(islice(_files(folder), _LOOKED_AT))
    for file in files:
        if hint := recognise_file(file, folder):
            return hint
    return ""


def not_here(folder: Path, what: str, hint: str) -> DataError:
    """The error of a reader that finds nothing of its program: what the folder is instead."""
    return DataError(f"{folder}: {what} in it; {recognise(folder) or hint}")


def recognise_file(file: Path, folder: Path) -> str:
    """As ``recognise``, by one file of the folder."""
    try:
        with file.open("rb") as data:
            head = data.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
    place = f"dataset.path={folder}"
    match file.suffix.lower():
        case ".json":
            return _json_hint(file, head, place)
        case ".xml" if "<annotations" in head and ("<image" in head or "<meta" in head):
            return f"{file.name} is CVAT's: dataset=cvat {place}"
        case ".xml" if "<annotation" in head and "<bndbox>" in head:
            return (
                f"{file.name} is Pascal VOC, which segtrack does not read: import it into CVAT or "
                "Roboflow and export COCO or YOLO segmentation"
            )
        case ".yaml" | ".yml" if "names:" in head and ("train:" in head or "val:" in head):
            return f"{file.name} is YOLO's: dataset=yolo dataset.path={file.parent}"
    return ""


def _files(folder: Path) -> Iterator[Path]:
    wanted = {".json", ".xml", ".yaml", ".yml"}
    for path in islice(folder.rglob("*"), _WALKED):
        if path.suffix.lower() in wanted and not path.name.startswith(".") and path.is_file():
            yield path


def _json_hint(file: Path, head: str, place: str) -> str:
    if head.lstrip().startswith("["):
        if '"result"' in head or '"original_width"' in head:
            return f"{file.name} is Label Studio's: dataset=labelstudio {place}"
        return ""
    if '"shapes"' in head and ('"imagePath"' in head or '"flags"' in head):
        return f"{file.name} is LabelMe's: dataset=labelme {place}"
    if file.name == "meta.json" and '"classes"' in head and '"title"' in head:
        return f"meta.json is Supervisely's: dataset=supervisely dataset.path={file.parent}"
    if '"regions"' in head and '"shape_attributes"' in head:
        return (
            f"{file.name} is VGG Image Annotator's, which segtrack does not read: export COCO from "
            "VIA 2 (Annotation > Export Annotations, COCO format)"
        )
    if all(f'"{key}"' in head for key in ("images", "annotations")) or _is_coco(file, head):
        return f"{file.name} is COCO's: dataset=coco {place} dataset.annotations={file}"
    return ""


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
