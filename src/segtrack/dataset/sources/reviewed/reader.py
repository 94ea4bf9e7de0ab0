"""The next version of a data set, as ``version_folder`` lays it out:
the parent's images, labels, splits and videos as they were, but pool images that were reviewed come
to train, with the reviewed labels, images that were looked at again have the corrected labels, and
reviewed videos have the reviewed ground truth.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest, link_or_copy
from segtrack.base.json_stream import elements
from segtrack.base.names import level
from segtrack.dataset import tables
from segtrack.dataset.canonical import Dataset
from segtrack.dataset.catalogue import Catalogue, ListedImage
from segtrack.dataset.checks import Checks
from segtrack.dataset.coco_annotations import (
    RawAnnotation,
    Tally,
    check_doubtful,
    read_annotations,
)
from segtrack.dataset.files import find_contents, findings, read_files
from segtrack.dataset.labels import Annotation, joined_labels, labels_of
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.sources.port import Content, Place, reading_of, required_path
from segtrack.dataset.version_folder import (
    AS_BEFORE,
    FILE,
    LABELS,
    PARENT,
    RECHECKED,
    parent_digest,
    read_videos,
    videos_digest,
)
from segtrack.dataset.video_names import unique_names
from segtrack.settings import DatasetSettings

REVIEWED = "reviewed"  # ground truth of reviewed videos, in the stage's folder


def parents_start(folder: Path) -> str:
    """``starting_weights`` of the data set that a version was made of: both train from the same."""
    return str(_version(folder)["starting_weights"])


def read_reviewed(settings: DatasetSettings, place: Place) -> Content:
    """Put the images and labels of the version in ``dataset.path`` into the catalogue, in the
    parent's order; the stage's folder gets ``version.json``.

    Raises:
        DataError: ``path`` is no version, its parent is damaged, or an image has changed.
    """
    path, catalogue, checks = required_path(settings), place.catalogue, place.checks
    version = _version(path)
    reviewed, rechecked = set(version["images"]), set(version.get("rechecked", ()))
    parent = Dataset.load(path / PARENT)
    _check_parent(parent, version, path)
    catalogue.add(_listed(parent.folder, reviewed, place.cache))
    count = read_files(catalogue, checks, reading_of(settings, place, len(parent.names)))
    _check_unchanged(parent.folder, catalogue, path)
    before = _label_as_before(parent.folder, reviewed, rechecked, catalogue)
    catalogue.db.execute("CREATE INDEX by_file_name ON images (file_name)")
    _label_reviewed(path / LABELS, reviewed, catalogue, checks)
    if rechecked:
        _label_rechecked(path / RECHECKED, rechecked, before, catalogue, checks)
    shutil.copyfile(path / FILE, place.folder / FILE)
    estimated = parent.visible_estimated
    videos = _videos(path, version, parent.sequences, place)
    return Content(parent.names, videos, count, parent.prefix, estimated)


def _videos(
    path: Path, version: dict[str, Any], before: tuple[VideoSequence, ...], place: Place
) -> tuple[VideoSequence, ...]:
    """The parent's videos, those that were reviewed with the ground truth of the review, then
    those that came to it by the review.

    Ground truth goes into the stage's folder: a version that is made of this one takes it along.

    Raises:
        DataError: a reviewed video is not there, or it or its ground truth is another.
    """
    try:
        found = read_videos(path)
        changed = version.get("videos_sha256", "") != (videos_digest(found) if found else "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"dataset.path: the reviewed videos of {path.name} are damaged ({error}); pull the "
            "review again"
        ) from error
    if changed:
        raise DataError(
            f"dataset.path: the reviewed ground truth of videos in {path} was changed since the "
            "version was made; pull the review again"
        )
    reviewed = {}
    for one in found:
        assert one.path is not None and one.gt is not None and one.mots is not None
        if not one.path.is_file() or file_digest(one.path) != one.sha256:
            what = "another video" if one.path.exists() else "not there"
            raise DataError(
                f"{one.path}: {what}; the reviewed version {path.name} was made with it. Restore "
                "the file, or pull the review again with video=FILE, as it is called now."
            )
        folder = place.folder / REVIEWED / level(one.name)
        gt, mots = folder / "gt" / "gt.txt", folder / "mots" / "instances.txt"
        link_or_copy(one.gt, gt)
        link_or_copy(one.mots, mots)
        reviewed[one.sha256] = replace(one, gt=gt, mots=mots)
    kept = [reviewed.pop(one.sha256, one) for one in before]
    return unique_names([*kept, *reviewed.values()], place.checks.warn)


def _version(path: Path) -> dict[str, Any]:
    try:
        version: dict[str, Any] = json.loads((path / FILE).read_text(encoding="utf-8"))
        if missing := {"images", "starting_weights", "parent_digest"} - version.keys():
            raise ValueError(f"it has no {' and no '.join(sorted(missing))}")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"dataset.path: {path / FILE} is not readable as a reviewed version ({error}); give "
            "a folder that the stage pull made"
        ) from error
    return version


def _check_parent(parent: Dataset, version: dict[str, Any], path: Path) -> None:
    if parent_digest(parent.folder) != version.get("parent_digest"):
        raise DataError(
            f"dataset.path: the parent's tables in {parent.folder} are not those that the version "
            f"{path.name} was made with; pull the review again"
        )
    for name, key in ((LABELS, "labels_sha256"), (RECHECKED, "rechecked_sha256")):
        known = version.get(key, "")
        there = file_digest(path / name) if (path / name).is_file() else ""
        if there != known:
            raise DataError(
                f"dataset.path: {path / name} was changed since the version was made; pull the "
                "review again"
            )


def _listed(folder: Path, reviewed: set[str], cache: Path) -> Iterator[ListedImage]:
    columns = ["file_name", "path", "split", "sha256"]
    absent = {
        row["sha256"].hex()
        for row in tables.rows_of(folder / "images.parquet", columns)
        if not (folder / row["path"]).exists()
    }
    found = find_contents(cache, absent) if absent else {}
    if lost := absent - found.keys():
        row = next(
            row
            for row in tables.rows_of(folder / "images.parquet", columns)
            if row["sha256"].hex() in lost
        )
        raise DataError(
            f"{folder / row['path']}: not there, and {len(lost)} images in all that the reviewed "
            "version was made with. Restore them; or, where their folder was moved or renamed, "
            "let it be read once as it is now: stages=[prepare] with its dataset and dataset.path."
        )
    for row in tables.rows_of(folder / "images.parquet", columns):
        file = found.get(row["sha256"].hex(), folder / row["path"])
        moved = row["split"] == "pool" and row["file_name"] in reviewed
        stat = file.stat()
        split = "train" if moved else row["split"]
        yield ListedImage(
            row["file_name"], str(file.absolute()), split, stat.st_size, stat.st_mtime_ns
        )


def _check_unchanged(folder: Path, catalogue: Catalogue, path: Path) -> None:
    """Another image under an old name would spoil every comparison with the parent."""
    before = tables.rows_of(folder / "images.parquet", ["file_name", "sha256"])
    now = catalogue.rows("path, sha256")
    changed = [
        file
        for (file, sha), row in zip(now, before, strict=True)
        if sha is not None and sha != row["sha256"]
    ]
    if changed:
        raise DataError(
            f"dataset.path: {len(changed)} images changed since the version {path.name} was made, "
            f"for example {', '.join(changed[:3])}; restore them"
        )


def _label_as_before(
    folder: Path, reviewed: set[str], rechecked: set[str], catalogue: Catalogue
) -> dict[int, list[Annotation]]:
    """The parent's labels, bit by bit, so that its splits keep their fingerprints.

    Returns:
        Those of the images that were looked at again, which get their labels later.
    """
    rows = list(tables.rows_of(folder / "images.parquet", ["image_id", "file_name", "split"]))
    # Ids are the positions in the parent's table, in both.
    moved = {r["image_id"] for r in rows if r["split"] == "pool" and r["file_name"] in reviewed}
    again = {r["image_id"] for r in rows if r["file_name"] in rechecked}
    before: dict[int, list[Annotation]] = {}
    annotations = tables.rows_of(folder / "annotations.parquet")
    for image_id, group in groupby(annotations, key=lambda row: row["image_id"]):
        if image_id in moved:
            continue
        found = [_annotation(row) for row in group]
        if image_id in again:
            before[image_id] = found
        else:
            catalogue.set_labels(image_id, labels_of(found).pack(), relative=False)
    return before


def _annotation(row: dict[str, Any]) -> Annotation:
    polygons = [np.array(ring, np.float64).reshape(-1, 2) for ring in row["polygons"]]
    visible = row["visible_fraction"]
    return Annotation(
        row["class_id"],
        polygons,
        row["area"],
        (row["x"], row["y"], row["w"], row["h"]),
        row["iscrowd"],
        float("nan") if visible is None else visible,
        row["rle"] or b"",
    )


def _label_reviewed(path: Path, moved: set[str], catalogue: Catalogue, checks: Checks) -> None:
    """Annotations of an image stand together in the file.

    Args:
        moved: file names of the images that the labels belong to.
    """
    images, class_ids = _heads(path)
    found = (e for e in elements(path) if e.listed and e.key == "annotations")
    tally = Tally()
    for key, group in groupby(found, key=lambda element: element.value["image_id"]):
        raws = [RawAnnotation(element.line, element.value) for element in group]
        # Copies of one picture were reviewed as one, and it may be called otherwise by now.
        for image_id, width, height in _rows_of(images[key], moved, catalogue):
            read = read_annotations(raws, class_ids, width, height)
            catalogue.set_labels(image_id, read.labels.pack(), relative=False)
        checks.add(*findings(read.remarks, str(path)))
        tally = tally.plus(read.tally)
    check_doubtful(checks, str(path), tally)


def _label_rechecked(
    path: Path,
    names: set[str],
    before: dict[int, list[Annotation]],
    catalogue: Catalogue,
    checks: Checks,
) -> None:
    """Labels that were looked at again: what nobody drew anew keeps its outline, bit by bit.

    Args:
        names: file names of the images. before: the parent's labels of them, by their id.
    """
    images, class_ids = _heads(path)
    found = (e for e in elements(path) if e.listed and e.key == "annotations")
    tally = Tally()
    for key, group in groupby(found, key=lambda element: element.value["image_id"]):
        listed = list(group)
        drawn = [RawAnnotation(e.line, e.value) for e in listed if AS_BEFORE not in e.value]
        for image_id, width, height in _rows_of(images[key], names, catalogue):
            kept = [
                replace(before[image_id][e.value[AS_BEFORE]], class_id=e.value["category_id"])
                for e in listed
                if AS_BEFORE in e.value
            ]
            read = read_annotations(drawn, class_ids, width, height)
            labels = joined_labels(labels_of(kept), read.labels)
            catalogue.set_labels(image_id, labels.pack(), relative=False)
            checks.add(*findings(read.remarks, str(path)))
            tally = tally.plus(read.tally)
    check_doubtful(checks, str(path), tally)


def _heads(path: Path) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The images of a COCO file, by their id, and the class of each category."""
    images, class_ids = {}, {}
    for element in elements(path):
        if element.listed and element.key == "images":
            images[element.value["id"]] = element.value
        elif element.listed and element.key == "categories":
            class_ids[element.value["id"]] = element.value["id"]
    return images, class_ids


def _rows_of(
    image: dict[str, Any], moved: set[str], catalogue: Catalogue
) -> list[tuple[int, int, int]]:
    """Id and size of the images that a reviewed one is: by content, or, without, by name."""
    what = "image_id, width, height, file_name FROM images WHERE"
    if image.get("sha256"):
        content = bytes.fromhex(image["sha256"])
        rows = catalogue.db.execute(f"SELECT {what} sha256 = ?", (content,)).fetchall()
    else:
        rows = catalogue.db.execute(
            f"SELECT {what} file_name = ?", (image["file_name"],)
        ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows if row[3] in moved]
