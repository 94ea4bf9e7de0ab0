"""A YOLO folder: images, ``labels`` beside ``images``, ``data.yaml``."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from functools import lru_cache
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.files import findings
from segtrack.dataset.finding import ImageFinder, Written
from segtrack.dataset.listing import BITS, Listing, is_text, say_unnamed, whole_files
from segtrack.dataset.pixels import DATA, SUFFIXES
from segtrack.dataset.sources.yolo.config import YoloConfig

_TABLE = """
CREATE TABLE label_files (
    path TEXT PRIMARY KEY, folded TEXT, size INTEGER, mtime INTEGER, used INTEGER DEFAULT 0);
"""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # as PowerShell writes lists
_IMAGES, _LABELS = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"

_ANY_CASE = re.compile(f"(?is)(.*){re.escape(_IMAGES)}")


def list_yolo(config: YoloConfig, catalogue: Catalogue, checks: Checks) -> None:
    """Put the images of a YOLO data set into the catalogue, each with its label file."""
    checks.add(*findings(config.remarks, str(config.file)))
    catalogue.db.execute(_TABLE)
    listing = Listing(catalogue, checks, config.root)
    label_folders: set[str] = set()
    for split, parts in config.splits.items():
        for part in parts:
            empty = True
            for path, stat in images_of(part, config, checks):
                label, empty = label_path(path), False
                if listing.add(path, stat, BITS[split], label):
                    label_folders.add(os.path.dirname(label))  # noqa: PTH120 (hot loop)
            if empty:
                message, hint = f"{split}: {part} holds no image", "add images, or mend the path"
                checks.warn("empty_place", str(config.file), message, hint)
    for folder in sorted(label_folders):
        _list_labels(folder, catalogue, aside={str(config.file)})
    _match_labels(catalogue, checks)
    listing.finish(config.file)
    if config.root.is_relative_to(config.file.parent.absolute()):
        say_unnamed(config.root, listing, config.file.name)


def label_path(image: str) -> str:
    """Where the label file of an image belongs: ``images`` becomes ``labels``, the suffix .txt.

    Where no folder is called ``images`` in small letters, one in other letters is meant.
    """
    label = _LABELS.join(image.rsplit(_IMAGES, 1))
    if label == image and (found := _ANY_CASE.match(image)):
        label = _labels_beside(found[1]) + image[found.end() - 1 :]
    stem, suffix = os.path.splitext(label)  # noqa: PTH122
    return (stem if suffix.lower() in SUFFIXES else stem + suffix) + ".txt"


@lru_cache(maxsize=1024)
def _labels_beside(folder: str) -> str:
    """The folder ``labels`` in ``folder``, whatever its letters."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
    name = next((name for name in names if name.lower() == "labels"), "labels")
    return os.path.join(folder, name)  # noqa: PTH118


def images_of(
    part: Path, config: YoloConfig, checks: Checks
) -> Iterator[tuple[str, os.stat_result]]:
    """Path and stat of the images of a folder, or of a file that lists them."""
    if part.is_dir():
        yield from whole_files(part, checks, aside=DATA)
    elif os.path.splitext(part)[1].lower() in SUFFIXES:  # noqa: PTH122
        yield str(part), part.stat()
    else:
        finder = ImageFinder(config.root, inside=True)
        for number, text in _listed(part, checks):
            path = finder.take(text, Written(part, number), checks, [part.parent])
            if path is not None:
                yield str(path), path.stat()


def _listed(file: Path, checks: Checks) -> Iterator[tuple[int, str]]:
    """Numbered lines of a list of images, without blank ones and comments."""
    if not file.is_file():
        raise DataError(f"{file}: is no file but a pipe or a device; give a list of images")
    with file.open("rb") as start:
        encoding = "utf-16" if start.read(2) in _UTF16 else "utf-8-sig"
    try:
        with file.open(encoding=encoding) as lines:
            for number, line in enumerate(lines, start=1):
                text = line.strip().strip("\"'")
                if text.startswith("#") and not (file.parent / text).is_file():
                    message = f"{text[:80]} is taken as a comment"
                    checks.warn("list_comment", str(file), message, "remove the line", number)
                elif text:
                    yield number, text
    except UnicodeError as error:
        hint = "save it as UTF-8, one image per line"
        checks.error("list_not_text", str(file), f"is no UTF-8 text ({error})", hint)


def _list_labels(folder: str, catalogue: Catalogue, aside: Container[str]) -> None:
    if not Path(folder).is_dir():
        return
    insert = "INSERT OR IGNORE INTO label_files (path, folded, size, mtime) VALUES (?,?,?,?)"
    with os.scandir(folder) as entries:
        for entry in entries:
            named = entry.name.lower().endswith(".txt") and is_text(entry.path)
            named = named and entry.path not in aside
            if named and entry.is_file():
                stat = entry.stat()
                row = (entry.path, entry.path.casefold(), stat.st_size, stat.st_mtime_ns)
                catalogue.db.execute(insert, row)


def _match_labels(catalogue: Catalogue, checks: Checks) -> None:
    db = catalogue.db
    take = (
        "UPDATE listed SET label_path = f.path, label_size = f.size, label_mtime = f.mtime "
        "FROM label_files AS f WHERE listed.label_path IS NULL AND "
    )
    used = "UPDATE label_files SET used = 1 WHERE path IN (SELECT label_path FROM listed)"
    db.execute(take + "f.path = listed.wanted")
    db.execute(used)
    db.execute("CREATE INDEX by_folded ON label_files (folded)")
    db.execute(take + "f.folded = listed.folded AND f.used = 0")
    db.execute(used)
    query = "SELECT path, label_path FROM listed WHERE label_path != wanted ORDER BY path"
    for path, label in db.execute(query):
        message = f"its label is called {Path(label).name}; it is taken"
        checks.warn("mended_name", path, message, "give both the same name, apart from the suffix")
    query = "SELECT path, wanted FROM listed WHERE label_path IS NULL ORDER BY path"
    for path, wanted in db.execute(query):
        hint = "taken as an image without objects; add an empty label file if that is so"
        checks.warn("image_without_label", path, f"has no label file {wanted}", hint)
    for (path,) in db.execute("SELECT path FROM label_files WHERE used = 0 ORDER BY path"):
        hint = "restore the image, or remove the label file"
        checks.warn("label_without_image", path, "belongs to no image", hint)
    query = (
        "SELECT label_path, MIN(path), MAX(path) FROM listed WHERE label_path IS NOT NULL "
        "GROUP BY label_path HAVING COUNT(*) > 1 ORDER BY label_path"
    )
    for label, first, last in db.execute(query):
        message = f"is the label of {Path(first).name} and of {Path(last).name}"
        checks.warn("shared_label", label, message, "give the images different names")
