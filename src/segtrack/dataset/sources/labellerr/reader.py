"""Finished labels of a Labellerr project, joined with the images on this machine.

What is read is a kept export (``segtrack.dataset.kept_export``): COCO JSON with the classes of the
project's template, in its order. An export holds no images: each is found by the content that was
pushed as it, whatever it is called by now and wherever in the folder it lies, or else by its name.

Where the folder is a YOLO data set, its ``data.yaml`` goes on deciding what is ``train``, ``val``
and ``test``. What it has in ``test`` or ``pool`` and the export does not name keeps its own labels:
a test split that was never sent stays one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from segtrack.base.content_names import content_tag, without_tag
from segtrack.base.json_stream import elements
from segtrack.base.progress import progress
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.coco_values import id_key
from segtrack.dataset.files import content_of, findings
from segtrack.dataset.kept_export import KeptExport
from segtrack.dataset.labels import EMPTY, Labels
from segtrack.dataset.listing import BITS, Listing, is_text, picture_files
from segtrack.dataset.sources.coco.reader import CocoFile
from segtrack.dataset.sources.coco.tables import TABLES, read_json
from segtrack.dataset.sources.yolo.config import FILES, YoloConfig, read_config
from segtrack.dataset.sources.yolo.reader import images_of, label_path
from segtrack.dataset.walking import is_file

_SHOWN = 8
_LOCAL = """
CREATE TABLE local_files (
    path TEXT PRIMARY KEY, name TEXT, folded TEXT, splits INTEGER DEFAULT 0);
CREATE TABLE pushed (path TEXT PRIMARY KEY, sha256 TEXT, line INTEGER);
CREATE TABLE contents (sha256 TEXT, path TEXT PRIMARY KEY);
CREATE INDEX contents_by_digest ON contents (sha256, path);
CREATE INDEX local_by_name ON local_files (name);
CREATE INDEX local_by_folded ON local_files (folded);
"""


def own_config(folder: Path) -> YoloConfig | None:
    """``data.yaml`` of the folder, or None where it is no YOLO data set."""
    return read_config(folder) if any((folder / name).is_file() for name in FILES) else None


def list_labellerr(
    folder: Path,
    config: YoloConfig | None,
    export: KeptExport,
    keep_unlabelled: bool,
    catalogue: Catalogue,
    checks: Checks,
    cache: Path,
) -> list[CocoFile]:
    """Put the images of an export, as far as they are in ``folder``, into the catalogue.

    Args:
        folder: searched with all its subfolders.
        config: of the folder, see ``own_config``.
        keep_unlabelled: images that the export does not name go to the split ``pool``; those that
            ``config`` has in ``test`` or ``pool`` stay there in any case.
        cache: folder that remembers facts of unchanged files.

    Returns:
        The annotation file, for ``label_coco``.

    Raises:
        DataError: the export or the folder cannot be read.
    """
    db, path = catalogue.db, export.labels
    folder = Path(os.path.normpath(folder.absolute()))
    db.executescript(TABLES + _LOCAL + "BEGIN;")
    read_json(path, 0, catalogue, checks)
    for entry in filter(is_file, picture_files(folder)):
        if is_text(entry.path):  # other names cannot stand in an export
            row = (entry.path, entry.name, entry.name.casefold())
            db.execute("INSERT INTO local_files (path, name, folded) VALUES (?,?,?)", row)
    if config is not None:
        _declare(config, catalogue, checks)
    listing = Listing(catalogue, checks, folder)
    if _names_contents(path):
        paths = [row[0] for row in db.execute("SELECT path FROM local_files ORDER BY path")]
        known = progress(content_of(paths, cache), "compare", len(paths), "images")
        db.executemany("INSERT INTO contents VALUES (?,?)", ((sha, where) for where, sha in known))
    join = _Join(listing, folder, path)
    for element in elements(path):
        if element.listed and element.key == "images":
            join.add(element.value, element.line)
    joined = db.execute("SELECT COUNT(*) FROM coco_paths WHERE owner").fetchone()[0]
    if export.images and not joined:
        message = f"none of the export's {export.images} images is in {folder}"
        hint = "dataset.path must be the folder whose images were pushed to the project"
        checks.error("no_image_joined", str(path), message, hint)
    _unlabelled(listing, folder, keep_unlabelled)
    listing.finish(path)
    return [CocoFile(path, 0, export.class_of)]


def _names_contents(export: Path) -> bool:
    """Whether an export says of any image what it holds."""
    return any(
        element.value.get("sha256") or content_tag(str(element.value.get("file_name")))
        for element in elements(export)
        if element.listed and element.key == "images" and isinstance(element.value, dict)
    )


def _declare(config: YoloConfig, catalogue: Catalogue, checks: Checks) -> None:
    """Note the splits that ``data.yaml`` gives to the images of the folder."""
    checks.add(*findings(config.remarks, str(config.file)))
    update = "UPDATE local_files SET splits = splits | ? WHERE path = ?"
    for split, parts in config.splits.items():
        for part in parts:
            rows = ((BITS[split], path) for path, _ in images_of(part, config, checks))
            catalogue.db.executemany(update, rows)


def check_pushed(export: KeptExport, catalogue: Catalogue, checks: Checks) -> None:
    """Images that are not what was pushed; their facts are known by now.

    A name or a place says nothing of the content: another folder has a 000001.jpg too.
    """
    query = (
        "SELECT images.path, pushed.line FROM images JOIN pushed USING (path) "
        "WHERE SUBSTR(LOWER(HEX(images.sha256)), 1, LENGTH(pushed.sha256)) != pushed.sha256 "
        "ORDER BY image_id"
    )
    for path, line in catalogue.db.execute(query).fetchall():
        message = (
            "is not the picture that was pushed: the labels were made on another one "
            f"({export.labels}, line {line})"
        )
        hint = "restore the image, or name the folder that was pushed with dataset.path"
        checks.error("image_changed", path, message, hint)


def label_own(
    config: YoloConfig, names: Sequence[str], catalogue: Catalogue, checks: Checks
) -> None:
    """Bring the labels of images that the export does not name to the template's classes.

    Args:
        config: of the folder; its classes are found by their names.
        names: class names of the template.
    """
    ids = np.array([names.index(n) if n in names else -1 for n in config.names], np.int32)
    left: Counter[str] = Counter()
    own = "label_path IS NOT NULL AND labels IS NOT NULL"
    for image_id, blob in catalogue.rows("image_id, labels", own):
        labels = Labels.unpack(blob)
        new = ids[labels.class_id]
        left.update(config.names[i] for i in labels.class_id[new < 0].tolist())
        catalogue.set_labels(image_id, labels.take(new >= 0, new).pack(), relative=True)
    if left:
        shown = ", ".join(f"{name} ({count})" for name, count in left.most_common(_SHOWN))
        message = (
            f"{left.total()} labels are of classes that the template does not ask for: {shown}"
        )
        hint = "they are left out; rename the class here, or add the question on the platform"
        checks.warn("class_unknown", str(config.file), message, hint)


def label_rest(catalogue: Catalogue) -> None:
    """What neither the export nor a label file names has no labels."""
    rest = [image_id for (image_id,) in catalogue.rows("image_id", "labels IS NULL")]
    for image_id in rest:
        catalogue.set_labels(image_id, EMPTY.pack(), relative=False)


class _Join(NamedTuple):
    """Finds the local file of each exported image."""

    listing: Listing
    folder: Path
    export: Path

    def add(self, image: Any, line: int) -> None:
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            return  # read_json has reported it
        db, checks = self.listing.db, self.listing.checks
        name = image["file_name"]
        path = self._find(image, name, line)
        if path is None:
            return
        taken = db.execute("SELECT id FROM coco_paths WHERE path = ?", (path,)).fetchone()
        if taken is not None:
            message = f"image {image['id']}: {name} is {path}, which image {taken[0]} is already"
            hint = "the project has this image twice; its first labels are taken"
            checks.warn("image_twice", str(self.export), message, hint, line)
            return
        query = "SELECT splits FROM local_files WHERE path = ?"
        (declared,) = db.execute(query, (path,)).fetchone()
        # It was in the pool to be labelled, and now it is.
        if self.listing.add(path, Path(path).stat(), declared & ~BITS["pool"]):
            db.execute("INSERT INTO coco_paths VALUES (?,?,?,?)", (path, 0, id_key(image["id"]), 1))
            if expected := image.get("sha256") or self._tag(name, path):
                db.execute("INSERT INTO pushed VALUES (?,?,?)", (path, str(expected), line))

    def _tag(self, name: str, path: str) -> str | None:
        """What a name says of the content, unless it is the local file's own name."""
        last = PurePosixPath(name).name
        return None if last.casefold() == Path(path).name.casefold() else content_tag(last)

    def _find(self, image: dict[str, Any], name: str, line: int) -> str | None:
        db, checks = self.listing.db, self.listing.checks
        if (same := self._same_content(image, name)) is not None:
            return same
        pushed = image.get("local")
        if pushed and db.execute("SELECT 1 FROM local_files WHERE path = ?", (pushed,)).fetchone():
            return str(pushed)
        last = PurePosixPath(name).name
        for wanted in dict.fromkeys((last, without_tag(last))):
            for column, text in (("name", wanted), ("folded", wanted.casefold())):
                query = f"SELECT path, name FROM local_files WHERE {column} = ? ORDER BY path"
                found = db.execute(f"{query} LIMIT 2", (text,)).fetchall()
                if len(found) == 1:
                    if found[0][1] != wanted:
                        message = (
                            f"image {image['id']}: {name} is called {found[0][1]}; it is taken"
                        )
                        hint = "names on the platform and here differ in case only"
                        checks.warn("mended_name", str(self.export), message, hint, line)
                    return str(found[0][0])
                if found:
                    message = f"image {image['id']}: {name} may be {found[0][0]} or {found[1][0]}"
                    hint = "name a dataset.path that has it once"
                    checks.error("same_name", str(self.export), message, hint, line)
                    return None
        message = f"image {image['id']}: {name} is labelled, but not in {self.folder}"
        hint = "restore the image, or name the folder that has it with dataset.path"
        checks.warn("missing_image", str(self.export), message, hint, line)
        return None

    def _same_content(self, image: dict[str, Any], name: str) -> str | None:
        """The local file that holds what was pushed as the image; the first of copies."""
        if sha256 := image.get("sha256"):
            where, values = "sha256 = ?", (str(sha256),)
        elif tag := content_tag(PurePosixPath(name).name):
            where, values = "sha256 GLOB ?", (f"{tag}*",)
        else:
            return None
        query = f"SELECT path FROM contents WHERE {where} ORDER BY path LIMIT 1"
        row = self.listing.db.execute(query, values).fetchone()
        return str(row[0]) if row else None


def _unlabelled(listing: Listing, folder: Path, keep: bool) -> None:
    """What the export does not name: declared for ``test`` or ``pool``, or not finished yet."""
    db, kept = listing.db, BITS["test"] | BITS["pool"]
    rest = "FROM local_files WHERE path NOT IN (SELECT path FROM coco_paths)"
    declared = db.execute(f"SELECT path, splits {rest} AND splits & ? ORDER BY path", (kept,))
    for path, splits in declared.fetchall():
        _add_own(listing, path, splits & kept)
    rest += f" AND NOT splits & {kept}"
    same = "SELECT sha256 FROM contents JOIN coco_paths USING (path)"
    copies = f"path IN (SELECT path FROM contents WHERE sha256 IN ({same}))"
    count, first = db.execute(f"SELECT COUNT(*), MIN(path) {rest} AND {copies}").fetchone()
    if count:
        message = f"{count} images hold the same as labelled ones, for example {first}; left out"
        hint = "nothing needs to be done: each picture counts once"
        listing.checks.warn("copies", str(folder), message, hint)
        rest += f" AND NOT {copies}"
    count, first = db.execute(f"SELECT COUNT(*), MIN(path) {rest}").fetchone()
    if not count:
        return
    what = "they are in the split pool" if keep else "they are left out"
    message = f"{count} images of the folder are not in the export, for example {first}; {what}"
    hint = "label them on the platform, or choose with dataset.unlabelled"
    listing.checks.warn("unlabelled", str(folder), message, hint)
    if keep:
        for (path,) in db.execute(f"SELECT path {rest} ORDER BY path").fetchall():
            listing.add(path, Path(path).stat(), BITS["pool"])


def _add_own(listing: Listing, path: str, splits: int) -> None:
    """An image with its label file, if it has one."""
    label = Path(label_path(path))
    if not listing.add(path, Path(path).stat(), splits):
        return
    if label.is_file():
        stat = label.stat()
        row = (str(label), stat.st_size, stat.st_mtime_ns, path)
        update = "UPDATE listed SET label_path=?, label_size=?, label_mtime=? WHERE path=?"
        listing.db.execute(update, row)
    elif splits & BITS["test"]:
        hint = "taken as an image without objects; add an empty label file if that is so"
        listing.checks.warn("image_without_label", path, "has no label file", hint)
