"""COCO JSON: one file, or one per split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from segtrack.base.errors import DataError
from segtrack.base.progress import progress
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.cleaning import Remark
from segtrack.dataset.coco_annotations import RawAnnotation, read_annotations
from segtrack.dataset.files import findings
from segtrack.dataset.finding import ImageFinder, Written
from segtrack.dataset.listing import BITS, PRECEDENCE, Listing
from segtrack.dataset.sources.coco.tables import TABLES, read_json
from segtrack.dataset.workers import map_chunks

_CHUNK = 64
_ALONE_BELOW = 257


class CocoFile(NamedTuple):
    """An annotation file, the bits of the splits that it is for (0: not said), its class ids."""

    path: Path
    splits: int
    class_ids: dict[int, int]


def list_coco(
    folder: Path, annotations: Any, catalogue: Catalogue, checks: Checks
) -> tuple[tuple[str, ...], list[CocoFile]]:
    """Put the images of a COCO data set into the catalogue.

    Args:
        folder: what the file names in the JSON are relative to.
        annotations: the JSON file, or a mapping of splits to files.

    Returns:
        Class names, categories in the order of their ids; and the files, for ``label_coco``.

    Raises:
        DataError: a file that is not there, or is not COCO JSON.
    """
    paths = annotation_files(folder, annotations)
    catalogue.db.executescript(TABLES + "BEGIN;")
    found = [read_json(path, i, catalogue, checks) for i, (path, _) in enumerate(paths)]
    names = tuple(dict.fromkeys(name for one in found for _, name in sorted(one.items())))
    files = [
        CocoFile(path, splits, {i: names.index(name) for i, name in one.items()})
        for (path, splits), one in zip(paths, found, strict=True)
    ]
    _check_orphans(files, catalogue, checks)
    listing = Listing(catalogue, checks, folder.absolute())
    finder = ImageFinder(folder)
    for number, file in enumerate(files):
        _list_images(number, file, finder, listing)
    listing.finish(files[0].path)
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
    jobs = _jobs(catalogue.db.execute(query), files)
    results = map_chunks(_label_chunk, jobs, workers, _CHUNK, _ALONE_BELOW)
    for image_id, file, labels, remarks in progress(results, "labels", catalogue.count()):
        checks.add(*findings(remarks, str(file)))
        catalogue.set_labels(image_id, labels, relative=False)


def annotation_files(folder: Path, annotations: Any) -> list[tuple[Path, int]]:
    """The JSON files with the bits of their splits, those of the test split first.

    Raises:
        DataError: none is given, one is not there, or a split is not known.
    """
    if not folder.is_dir():
        raise DataError(
            f"dataset.path: {folder} is not a folder; give the folder that the file names in the "
            "JSON are relative to"
        )
    if isinstance(annotations, Mapping) and annotations:
        unknown = [str(split) for split in annotations if split not in BITS]
        if unknown:
            raise DataError(
                f"dataset.annotations: {', '.join(unknown)} is not a split; "
                f"allowed are {', '.join(BITS)}"
            )
        masks: dict[Path, int] = {}
        for split in PRECEDENCE:
            if split in annotations:
                path = _annotation_file(folder, annotations[split])
                masks[path] = masks.get(path, 0) | BITS[split]
        return list(masks.items())
    if isinstance(annotations, str) and annotations:
        return [(_annotation_file(folder, annotations), 0)]
    there = sorted(str(p.relative_to(folder)) for p in folder.glob("**/*.json"))[:5]
    raise DataError(
        f"dataset.annotations is {annotations!r}; name the COCO JSON file"
        + (f" (there are {', '.join(there)} in {folder})" if there else "")
    )


class _Job(NamedTuple):
    image_id: int
    file: Path
    class_ids: dict[int, int]
    size: tuple[int, int]
    declared: tuple[int | None, int | None]
    path: str
    annotations: list[tuple[int, str]]


def _annotation_file(folder: Path, name: Any) -> Path:
    for path in (Path(str(name)), folder / str(name)):
        if path.is_file():
            return path
    raise DataError(f"dataset.annotations: {name} does not exist (looked here and in {folder})")


def _check_orphans(files: list[CocoFile], catalogue: Catalogue, checks: Checks) -> None:
    query = (
        "SELECT a.file, a.line, a.image, a.value FROM coco_annotations AS a "
        "LEFT JOIN coco_images AS c ON c.file = a.file AND c.id = a.image WHERE c.id IS NULL"
    )
    for number, line, image, value in catalogue.db.execute(query):
        message = f"annotation {json.loads(value).get('id', '?')} has image_id {image!r}"
        hint = "add the image, or remove the annotation"
        path = str(files[number].path)
        checks.error("no_such_image", path, f"{message}, which no image has", hint, line)


def _list_images(number: int, file: CocoFile, finder: ImageFinder, listing: Listing) -> None:
    db = listing.db
    query = "SELECT id, name, line FROM coco_images WHERE file = ? ORDER BY id"
    beside = [finder.root / part for part in _parts(file)]
    for image, name, line in db.execute(query, (number,)):
        where = Written(file.path, line, f"image {image}: ")
        path = finder.take(name, where, listing.checks, beside)
        if path is not None and listing.add(str(path), path.stat(), file.splits):
            # Of an image in two files the annotations count that its split comes from.
            taken = "SELECT 1 FROM coco_paths WHERE path = ? AND file < ?"
            owner = db.execute(taken, (str(path), number)).fetchone() is None
            row = (str(path), number, image, int(owner))
            db.execute("INSERT INTO coco_paths VALUES (?,?,?,?)", row)


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


def _label_chunk(jobs: list[_Job]) -> list[tuple[int, Path, bytes, list[Remark]]]:
    done = []
    for job in jobs:
        remarks = []
        if None not in job.declared and job.declared != job.size:
            message = f"{job.path} is {job.size[0]} x {job.size[1]} pixels, the JSON says "
            message += f"{job.declared[0]} x {job.declared[1]}"
            hint = "was it resized or rotated after it was annotated?"
            remarks.append(Remark("warning", "size_differs", 0, message, hint))
        raws = [RawAnnotation(line, json.loads(value)) for line, value in job.annotations]
        if not raws:
            message = f"{job.path} has no annotation"
            hint = "taken as an image without objects"
            remarks.append(Remark("warning", "image_without_label", 0, message, hint))
        labels, more = read_annotations(raws, job.class_ids, *job.size)
        done.append((job.image_id, job.file, labels.pack(), remarks + more))
    return done
