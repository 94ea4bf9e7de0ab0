"""What a file is that is no COCO JSON, from its first bytes: for the message that refuses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from segtrack.dataset.recognise import recognise_file

_LOOKED_AT = 1 << 16  # bytes
_EXPORT = "export it as COCO"

# Beginnings of files that are no JSON.
_MAGIC = (
    (b"PK\x03\x04", "it is a ZIP archive: unpack it"),
    (b"\x1f\x8b", "it is compressed by gzip: unpack it"),
    (b"\xfd7zXZ", "it is compressed by xz: unpack it"),
    (b"version https://git-lfs", "it is a pointer of Git LFS: fetch the file with git lfs pull"),
    (b"<!doctype html", "it is a web page: the download gave a page in place of the file"),
    (b"<html", "it is a web page: the download gave a page in place of the file"),
)
# Keys that tell a format: all of a row must stand in the text.
_MARKS = (
    (("item", "annotations", "slots"), f"V7 Darwin's JSON: {_EXPORT} there"),
    (("categories", "items", "dm_format_version"), f"Datumaro's JSON: {_EXPORT} by datum convert"),
    (("label", "coordinates", "image"), f"Create ML's JSON: {_EXPORT}"),
    (("FeatureCollection", "features"), f"GeoJSON: {_EXPORT}"),
    (("data_row", "projects"), f"Labelbox's JSON: {_EXPORT} there"),
    (("frames", "labels"), "a list of frames with labels, as BDD100K has it: convert it to COCO"),
    (("labels", "box2d"), "Scalabel's list of frames, BDD100K's: convert it to COCO"),
    (("labels", "poly2d"), "Scalabel's list of frames, BDD100K's: convert it to COCO"),
    (("labels", "rle", "videoName"), "Scalabel's list of frames, BDD100K's: convert it to COCO"),
    (("imgHeight", "objects", "polygon"), f"Cityscapes' JSON of an image: {_EXPORT}"),
    (
        ("videos", "segmentations", "bboxes"),
        "YouTube-VIS's JSON, an annotation for all frames of a track: make COCO of it, one for "
        "each frame, with track_id",
    ),
    (("_via_img_metadata",), f"a project of the VGG Image Annotator: {_EXPORT} there"),
    (
        ("image_id", "category_id", "score"),
        "COCO results, which are predictions: ground truth has images, annotations and categories",
    ),
)


def what_it_is(path: Path) -> str:
    """What a file looks like and what to do with it, as the end of a sentence; empty: unknown."""
    try:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT)
            size = file.seek(0, 2)
            file.seek(max(0, size - 64))
            tail = file.read().strip()
    except OSError:
        return ""
    if not head.strip():
        return "it is empty: export or download it again"
    for start, what in _MAGIC:
        if head.lstrip().lower().startswith(start.lower()):
            return what
    hint = recognise_file(path, path.parent)
    if hint and "dataset=coco" not in hint:
        return hint
    if head.lstrip().startswith(b"<"):
        if b"<annotations" in head[:4096]:
            return f"it is CVAT's XML: dataset=cvat dataset.path={path.parent}"
        return f"it is XML: {_EXPORT} by the program that wrote it"
    text = head.decode(json.detect_encoding(head), "replace").lstrip("\ufeff \t\r\n")
    if text[:1] not in ("{", "["):
        return ""
    if re.match(r"[\[{\s]+'", text):
        return "it is as Python prints it: write it with json.dump"
    words = set(re.findall(r'"([^"\\]{1,40})"', text))
    for keys, what in _MARKS:
        if words.issuperset(keys) and not {"images", "categories"} <= words - set(keys):
            return f"it looks like {what}"
    return _shape(text, tail, words, size)


def _shape(text: str, tail: bytes, words: set[str], size: int) -> str:
    lines = [line for line in text.splitlines()[:3] if line.strip()]
    if len(lines) > 1 and all(line.startswith("{") for line in lines[:2]) and _is_json(lines[0]):
        return "it is JSON lines, an object per line: one object with the three lists is needed"
    if text[:1] == "[":
        if {"image_id", "category_id"} <= words:
            return "it is a list of annotations: images and categories are missing, which name them"
        return "it is a list: one object with the lists images, annotations, categories is needed"
    if tail[-1:] not in (b"}", b"]", b"\x00"):
        return f"it is cut off after {size} bytes: export or download it again"
    return ""


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
