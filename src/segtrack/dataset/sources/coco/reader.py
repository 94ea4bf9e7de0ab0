"""COCO JSON: one file, or several, each for a split or for none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from segtrack.base.errors import DataError
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
from segtrack.dataset.coco_values import Key
from segtrack.dataset.files import findings
from segtrack.dataset.finding import ImageFinder, Written
from segtrack.dataset.listing import BITS, Listing, say_unnamed
from segtrack.dataset.sources.coco.annotation_files import AnnotationFile, annotation_files
from segtrack.dataset.sources.coco.categories import ClassFile, read_classes
from segtrack.dataset.sources.coco.orphans import Orphans
from segtrack.dataset.sources.coco.tables import TABLES, CocoContent, read_json
from segtrack.dataset.workers import map_chunks

_CHUNK = 64
_ALONE_BELOW = 257


class CocoFile(NamedTuple):
    """An annotation file.

    Attributes:
        path: of the JSON.
        splits: bits of the splits that it is for; 0: not said.
        class_ids: category id, as ``id_key`` gives it, to class id.
        tally: annotations that were left out before the images were read.
    """

    path: Path
    splits: int
    class_ids: dict[Key, int]
    tally: Tally = Tally()


def list_coco(
    folder: Path, annotations: Any, catalogue: Catalogue, checks: Checks
) -> tuple[tuple[str, ...], list[CocoFile]]:
    """Put the images of a COCO data set into the catalogue.

    Args:
        folder: what the file names in the JSON are relative to.
        annotations: as ``dataset.annotations``.

    Returns:
        Class names, categories in the order of their ids; and the files, for ``label_coco``.

    Raises:
        DataError: a file that is not there, or is not COCO JSON, or names no classes.
    """
    named = annotation_files(folder, annotations)
    for one in named:
        if one.note:
            hint = "name it with dataset.annotations to be sure"
            checks.warn("annotations_found", str(one.path), one.note, hint)
    catalogue.db.executescript(TABLES + "BEGIN;")
    contents = [read_json(one.path, i, catalogue, checks) for i, one in enumerate(named)]
    names, class_ids = _classes(named, contents, catalogue, checks)
    files = []
    for number, (one, content, ids) in enumerate(zip(named, contents, class_ids, strict=True)):
        by_name, left_out = Orphans(number, one.path, catalogue, checks).settle()
        if not by_name:
            _say_kinds("image ids", "image_id", one.path, content, checks)
        if ids.keys() <= {category.key for category in content.categories}:
            _say_kinds("category ids", "category_id", one.path, content, checks)
        bits = sum(BITS[split] for split in one.splits)
        files.append(CocoFile(one.path, bits, ids, content.tally.plus(left_out)))
    listing = Listing(catalogue, checks, folder.absolute())
    finder = ImageFinder(folder, inside=True)
    for number, file in enumerate(files):
        _list_images(number, file, finder, listing)
    listing.finish(files[0].path)
    say_unnamed(folder.absolute(), listing, ", ".join(file.path.name for file in files))
    return names, files


def label_coco(files: list[CocoFile], catalogue: Catalogue, checks: Checks, workers: int) -> None:
    """Make labels of the annotations; the images' sizes are known by now."""
    # Labels go to another table while the rows of this query come in.
    query = (
        "SELECT images.image_id, c.file, images.width, images.height, c.width, c.height, "
        "images.path, a.line, a.value FROM images JOIN coco_paths AS p ON p.path = images.path "
        "JOIN coco_images AS c ON c.file = p.file AND c.id = p.id "
        "LEFT JOIN coco_annotations AS a ON a.file = c.file AND a.image = c.id "
        "WHERE p.owner AND images.width > 0 ORDER BY images.image_id, a.rowid"
    )
    tallies = {file.path: file.tally for file in files}
    jobs = _jobs(catalogue.db.execute(query), files)
    results = map_chunks(_label_chunk, jobs, workers, _CHUNK, _ALONE_BELOW)
    for image_id, file, labels, remarks, tally in progress(
        results, "labels", catalogue.count(), "images"
    ):
        checks.add(*findings(remarks, str(file)))
        catalogue.set_labels(image_id, labels, relative=False)
        tallies[file] = tallies[file].plus(tally)
    for file, tally in tallies.items():
        check_doubtful(checks, str(file), tally)


class _Job(NamedTuple):
    image_id: int
    file: Path
    class_ids: dict[Key, int]
    size: tuple[int, int]
    declared: tuple[int | None, int | None]
    path: str
    annotations: list[tuple[int, str]]


class _Labelled(NamedTuple):
    image_id: int
    file: Path
    labels: bytes
    remarks: list[Remark]
    tally: Tally


def _classes(
    named: list[AnnotationFile], contents: list[CocoContent], catalogue: Catalogue, checks: Checks
) -> tuple[tuple[str, ...], list[dict[Key, int]]]:
    query = (
        "SELECT category, COUNT(*) FROM coco_annotations WHERE file = ? AND category IS NOT NULL "
        "GROUP BY category"
    )
    files = []
    for number, (one, content) in enumerate(zip(named, contents, strict=True)):
        uses: Counter[Key] = Counter(dict(catalogue.db.execute(query, (number,))))
        if not content.categories and (uses or len(named) == 1):
            shown = ", ".join(map(str, sorted(uses, key=str)[:10]))
            used = f"; its annotations have the category_id {shown}" if uses else ""
            raise DataError(
                f"{one.path}: categories is missing or empty{used}. It names the classes: add "
                '"categories": [{"id": 1, "name": "car"}, ...]; captions and panoptic files have '
                "no objects, take instances_*.json"
            )
        files.append(ClassFile(one.path, content.categories, uses))
    return read_classes(files, checks)


def _say_kinds(defined: str, used: str, path: Path, content: CocoContent, checks: Checks) -> None:
    """Ids of other types in annotations than where they are defined."""
    kinds, others = (content.kinds.get(key, {}) for key in (defined, used))
    if kinds and others and others.keys() != kinds.keys():
        message = (
            f"{defined} are written as {' and '.join(kinds)}, {used} of annotations as "
            f"{' and '.join(others)}; they are compared by value"
        )
        checks.warn("id_types", str(path), message, "write both as whole numbers")


def _list_images(number: int, file: CocoFile, finder: ImageFinder, listing: Listing) -> None:
    db = listing.db
    query = "SELECT id, name, line FROM coco_images WHERE file = ? ORDER BY id"
    beside = [*(finder.root / part for part in _parts(file)), file.path.parent]
    for image, name, line in db.execute(query, (number,)):
        where = Written(file.path, line, f"image {image}: ")
        path = finder.take(name, where, listing.checks, beside)
        if path is None or not listing.add(str(path), path.stat(), file.splits):
            continue
        # Of an image in two files the annotations count that its split comes from.
        taken = "SELECT file, id FROM coco_paths WHERE path = ? AND owner"
        first = db.execute(taken, (str(path),)).fetchone()
        if first is not None and first[0] == number:
            message = f"image {image} is {name}, as image {first[1]} is"
            hint = "the annotations of both are taken; give every picture one id"
            listing.checks.warn("image_twice", str(file.path), message, hint, line)
        owner = first is None or first[0] == number
        db.execute("INSERT INTO coco_paths VALUES (?,?,?,?)", (str(path), number, image, owner))


def _parts(file: CocoFile) -> list[str]:
    """Folders that names begin in. COCO leaves it out: train2017 for instances_train2017.json."""
    last = file.path.stem.rsplit("_", 1)[-1]
    splits = [split for split, bit in BITS.items() if file.splits & bit]
    return [".", "images", *splits, last, *(f"images/{part}" for part in (*splits, last))]


def _jobs(rows: Iterator[Any], files: list[CocoFile]) -> Iterator[_Job]:
    for image_id, group in groupby(rows, key=lambda row: row[0]):
        members = list(group)
        _, number, width, height, json_width, json_height, path, *_ = members[0]
        annotations = [(line, value) for *_, line, value in members if value is not None]
        file, declared = files[number], (json_width, json_height)
        yield _Job(
            image_id, file.path, file.class_ids, (width, height), declared, path, annotations
        )


def _label_chunk(jobs: list[_Job]) -> list[_Labelled]:
    return [_label(job) for job in jobs]


def _label(job: _Job) -> _Labelled:
    remarks = []
    if None not in job.declared and job.declared != job.size:
        message = f"{job.path} is {job.size[0]} x {job.size[1]} pixels, the JSON says "
        message += f"{job.declared[0]} x {job.declared[1]}"
        hint = "was it resized or rotated after it was annotated?"
        if job.declared == job.size[::-1]:
            hint = "are width and height swapped, or was it rotated after it was annotated?"
        remarks.append(Remark("warning", "size_differs", 0, message, hint))
    raws = [RawAnnotation(line, json.loads(value)) for line, value in job.annotations]
    if not raws:
        message = f"{job.path} has no annotation"
        hint = "taken as an image without objects"
        remarks.append(Remark("warning", "image_without_label", 0, message, hint))
    read = read_annotations(raws, job.class_ids, *job.size)
    return _Labelled(job.image_id, job.file, read.labels.pack(), remarks + read.remarks, read.tally)
