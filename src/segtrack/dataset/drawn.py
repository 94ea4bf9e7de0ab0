"""Pictures and the shapes that people drew on them, as annotation programs export them.

Each program's reader makes ``Picture`` of its files; what follows is the same for all: the image is
found, sizes are compared, shapes are cleaned, and what is no object of a class is counted.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segtrack.base.progress import progress
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.cleaning import Remark
from segtrack.dataset.coco_annotations import (
    RawAnnotation,
    Tally,
    check_doubtful,
    read_annotations,
)
from segtrack.dataset.files import Reading, findings, read_files
from segtrack.dataset.finding import RESTORE, ImageFinder, Written
from segtrack.dataset.geometry import turned
from segtrack.dataset.labels import Polygon
from segtrack.dataset.listing import BITS, Listing, whole_files
from segtrack.dataset.workers import map_chunks

_TABLES = """
CREATE TABLE drawn_images (path TEXT PRIMARY KEY, file TEXT, line INTEGER, width INTEGER,
    height INTEGER, share INTEGER) WITHOUT ROWID;
CREATE TABLE drawn_shapes (path TEXT, class TEXT, line INTEGER, value TEXT);
CREATE INDEX drawn_by_path ON drawn_shapes (path);
"""
_CORNERS = 72  # of the polygon that stands for an ellipse
_CHUNK, _ALONE_BELOW = 64, 257
_OBJECTS = "only polygons, masks, ellipses and boxes are objects"
_UNNAMED = "choose a class for each of them in the program, and export again"
OTHER_FILES = "keep them elsewhere, if they are not meant"
_DRAWN_AGAIN = "draw it again in the program, or remove it, and export again"
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val"}
SPLIT_NAMES |= {"validation": "val", "test": "test", "testing": "test", "pool": "pool"}


class Shape(NamedTuple):
    """What was drawn around one object.

    Attributes:
        class_name: as the program has it; None or blank where nobody chose one.
        line: of the file, 0 where it does not count.
        segmentation: polygons as flat lists x1, y1, x2, y2, ...; or a COCO RLE of the whole image;
            in a list both may be, as parts of the object.
        bbox_xywh: where the shape is a box only.
        crowd: a region of many objects.
        problem: why it cannot be read, in words; then it is left out, and counts as unreadable.
    """

    class_name: str | None
    line: int = 0
    segmentation: list[Any] | dict[str, Any] | None = None
    bbox_xywh: list[float] | None = None
    crowd: bool = False
    problem: str = ""


class Picture(NamedTuple):
    """An image of an export.

    Attributes:
        written: its name there.
        file: the export's file that says so.
        line: in it, 0 where it does not count.
        size: width and height that the export has for it, or None.
        shapes: what was drawn on it.
        split: that the export says, or None.
        share: coordinates are shares of the image (0..1) instead of px; an RLE is never.
        beside: folders that the name may begin in, before the data set's.
        missing: what to do where the image is not there; empty for what is always said.
    """

    written: str
    file: Path
    shapes: Sequence[Shape]
    line: int = 0
    size: tuple[int, int] | None = None
    split: str | None = None
    share: bool = False
    beside: tuple[Path, ...] = ()
    missing: str = ""


class LeftOut:
    """Counts what is no object of a class, by kind; said once, at the end."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = {}  # by hint
        self.first: tuple[str, int] = ("", 0)

    def add(self, kind: str, file: Path, line: int = 0, hint: str = _OBJECTS) -> None:
        """One more of ``kind``, for example "shapes of type point"; ``hint`` says why, or what to
        do."""
        self.first = self.first if self.kinds else (str(file), line)
        self.kinds.setdefault(hint, Counter())[kind] += 1

    def say(self, checks: Checks) -> None:
        """One line of all kinds."""
        if not self.kinds:
            return
        groups = [
            "; ".join(f"{count} {kind}" for kind, count in counts.items())
            for counts in self.kinds.values()
        ]
        *others, hint = self.kinds  # of the last ones; of the others it stands beside them
        told = [f"{group} ({why})" for group, why in zip(groups, others, strict=False)]
        message = f"{'; '.join([*told, groups[-1]])} are left out"
        checks.warn("left_out", self.first[0], message, hint, self.first[1])


def read_drawn(
    pictures: Iterable[Picture],
    declared: Sequence[str],
    folder: Path,
    catalogue: Catalogue,
    checks: Checks,
    reading: Reading,
    suffixes: Sequence[str],
) -> tuple[tuple[str, ...], int]:
    """Put pictures and their shapes into the catalogue.

    Images of the folder that no picture names are the split ``pool``: nobody drew on them yet.

    Args:
        pictures: read once, as a stream.
        declared: classes that the export declares, in its order; others follow by name.
        folder: of the data set.
        reading: how images are read.
        suffixes: of the files of labels; what their reader leaves out it says itself.

    Returns:
        Class names by class id, and how many files were not known from the cache.
    """
    db = catalogue.db
    db.executescript(_TABLES + "BEGIN;")
    listing, finder = Listing(catalogue, checks, folder.absolute()), ImageFinder(folder)
    unnamed = LeftOut()
    for picture in pictures:
        _add(picture, finder, listing, unnamed)
    unnamed.say(checks)
    query = "SELECT DISTINCT class FROM drawn_shapes WHERE class IS NOT NULL ORDER BY class"
    names = tuple(dict.fromkeys([*declared, *(name for (name,) in db.execute(query))]))
    _undrawn(folder, listing, suffixes)
    listing.finish(folder)
    read = read_files(catalogue, checks, reading)
    _label(names, catalogue, checks, reading.workers, str(folder))
    return names, read


def _add(picture: Picture, finder: ImageFinder, listing: Listing, unnamed: LeftOut) -> None:
    db, checks = listing.db, listing.checks
    where = Written(picture.file, picture.line, hint=picture.missing or RESTORE)
    path = finder.take(picture.written, where, checks, picture.beside)
    if path is None:
        return
    splits = BITS[picture.split] if picture.split else 0
    width, height = picture.size or (None, None)
    row = (str(path), str(picture.file), picture.line, width, height, int(picture.share))
    if not listing.add(str(path), path.stat(), splits):
        return
    if not db.execute("INSERT OR IGNORE INTO drawn_images VALUES (?,?,?,?,?,?)", row).rowcount:
        query = "SELECT file FROM drawn_images WHERE path = ?"
        (file,) = db.execute(query, (str(path),)).fetchone()
        message = f"{picture.written} has labels in {file} already; those here are left out"
        hint = "keep one file for each image"
        checks.warn("labelled_twice", str(picture.file), message, hint, picture.line)
        return
    for shape in picture.shapes:
        value: dict[str, Any] = {"segmentation": shape.segmentation, "bbox": shape.bbox_xywh}
        name: str | None = shape.class_name
        if shape.problem:
            name, value = None, {"problem": shape.problem}
        elif not (name or "").strip():
            unnamed.add("shapes without a class", picture.file, shape.line, _UNNAMED)
            continue
        elif shape.crowd:
            value["iscrowd"] = 1
        row_of_shape = (str(path), name, shape.line, json.dumps(value))
        db.execute("INSERT INTO drawn_shapes VALUES (?,?,?,?)", row_of_shape)


def _undrawn(folder: Path, listing: Listing, suffixes: Sequence[str]) -> None:
    db, count, first = listing.db, 0, ""
    for path, stat in whole_files(folder.absolute(), listing.checks, aside=suffixes):
        drawn = db.execute("SELECT 1 FROM drawn_images WHERE path = ?", (path,)).fetchone()
        if drawn is None and listing.add(path, stat, BITS["pool"]):
            count += 1
            first = min(first or path, path)
    if count:
        message = f"{count} images have no labels, for example {first}; they are the split pool"
        hint = "save an image without shapes in the program where it has no objects"
        listing.checks.warn("unlabelled", str(folder), message, hint)


class _Job(NamedTuple):
    image_id: int
    file: str
    line: int
    path: str
    size: tuple[int, int]
    declared: tuple[int | None, int | None]
    share: bool
    shapes: list[tuple[int, int, str]]  # line, class id, value


class _Labelled(NamedTuple):
    image_id: int
    file: str
    labels: bytes
    remarks: list[Remark]
    tally: Tally


def _label(
    names: Sequence[str], catalogue: Catalogue, checks: Checks, workers: int, where: str
) -> None:
    query = (
        "SELECT images.image_id, images.width, images.height, d.path, d.file, d.line, d.width, "
        "d.height, d.share, s.line, s.class, s.value FROM images JOIN drawn_images AS d "
        "ON d.path = images.path LEFT JOIN drawn_shapes AS s ON s.path = d.path "
        "WHERE images.width > 0 ORDER BY images.image_id, s.rowid"
    )
    rows = catalogue.db.execute(query)
    jobs = _jobs(rows, {name: i for i, name in enumerate(names)})
    results = map_chunks(_label_chunk, jobs, workers, _CHUNK, _ALONE_BELOW)
    # A file of many images is judged by itself; files of one image each are, all together.
    several = "SELECT file FROM drawn_images GROUP BY file HAVING COUNT(*) > 1"
    tallies = {file: Tally() for (file,) in catalogue.db.execute(several)} | {where: Tally()}
    for done in progress(results, "labels", catalogue.count(), "images"):
        checks.add(*findings(done.remarks, done.file))
        catalogue.set_labels(done.image_id, done.labels, relative=False)
        key = done.file if done.file in tallies else where
        tallies[key] = tallies[key].plus(done.tally)
    for key, tally in tallies.items():
        check_doubtful(checks, key, tally, one_file=key != where)


def _jobs(rows: Iterator[Any], ids: dict[str, int]) -> Iterator[_Job]:
    for image_id, group in groupby(rows, key=lambda row: row[0]):
        members = list(group)
        _, width, height, path, file, line, own_width, own_height, share, *_ = members[0]
        shapes = [
            (at, ids.get(name, -1), value) for *_, at, name, value in members if value is not None
        ]
        declared = (own_width, own_height)
        yield _Job(image_id, file, line, path, (width, height), declared, bool(share), shapes)


def _label_chunk(jobs: list[_Job]) -> list[_Labelled]:
    done = []
    for job in jobs:
        remarks = []
        if None not in job.declared and job.declared != job.size:
            message = f"{job.path} is {job.size[0]} x {job.size[1]} pixels, the labels say "
            message += f"{job.declared[0]} x {job.declared[1]}"
            hint = "was it resized or rotated after it was annotated?"
            remarks.append(Remark("warning", "size_differs", job.line, message, hint))
        raws, broken = [], Tally()
        for number, (line, class_id, value) in enumerate(job.shapes, start=1):
            drawn = json.loads(value)
            if "problem" in drawn:
                message = f"{drawn['problem']}; it is left out"
                remarks.append(Remark("warning", "bad_shape", line, message, _DRAWN_AGAIN))
                broken = broken.plus(Tally(1, 1))
                continue
            if job.share:
                _scale(drawn, job.size)
            drawn |= {"id": number, "category_id": class_id}
            raws.append(RawAnnotation(line, drawn))
        ids = {raw.value["category_id"]: raw.value["category_id"] for raw in raws}
        read = read_annotations(raws, ids, *job.size)
        # Masks of a group stand in a list: odd in COCO, but it was not written by the user.
        remarks += [one for one in read.remarks if one.code != "rle_in_list"]
        tally = read.tally.plus(broken)
        done.append(_Labelled(job.image_id, job.file, read.labels.pack(), remarks, tally))
    return done


def _scale(drawn: dict[str, Any], size: tuple[int, int]) -> None:
    if isinstance(drawn["segmentation"], list):
        drawn["segmentation"] = [
            [value * size[i % 2] for i, value in enumerate(part)] for part in drawn["segmentation"]
        ]
    if drawn["bbox"] is not None:
        drawn["bbox"] = [value * size[i % 2] for i, value in enumerate(drawn["bbox"])]


def split_of(folders: Iterable[str]) -> str | None:
    """The split that one of these folders is named after, the innermost first."""
    for name in reversed(list(folders)):
        if name.lower() in SPLIT_NAMES:
            return SPLIT_NAMES[name.lower()]
    return None


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> list[float]:
    """An ellipse as a flat polygon; turned by ``degrees`` from x towards y around its centre."""
    at = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    points = np.stack([radii[0] * np.cos(at), radii[1] * np.sin(at)], axis=1)
    return flat(turned(points, (0.0, 0.0), degrees) + np.asarray(centre))


def box(
    corner: tuple[float, float],
    size: tuple[float, float],
    degrees: float,
    pivot: tuple[float, float],
) -> list[float]:
    """A turned box as a flat polygon: ``corner`` is its left top before it is turned."""
    (x, y), (w, h) = corner, size
    points = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
    return flat(turned(points, pivot, degrees))


def flat(points: Polygon) -> list[float]:
    """float64 (n, 2) as x1, y1, x2, y2, ..."""
    return [float(value) for value in points.reshape(-1)]
