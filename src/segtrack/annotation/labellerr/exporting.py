"""Exports of a project, kept in a form that is the same as long as the labels are.

An export of the platform has no classes where nothing is labelled yet, numbers them as it likes,
and carries its own id and date. What is kept is COCO JSON with the classes of the template in the
template's order, and ``export.json`` beside it with what else there is to know.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from segtrack.annotation.labellerr.checks import export_classes, named_project
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.push import PushedFile, pushed_files
from segtrack.annotation.labellerr.session import Session
from segtrack.base.atomic import alone_with, settle
from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.json_stream import elements
from segtrack.dataset import KeptExport

Find = Callable[[str], PushedFile | None]
_ABANDONED = 24 * 3600  # s; a younger one may be of an export that runs now


def export_labels(session: Session, project_id: str, root: Path) -> KeptExport:
    """Export a project's finished files and keep them in ``root/PROJECT/DIGEST``.

    Images that were pushed from here are named by their local files.

    Raises:
        SettingsError: there is no such project.
        PlatformError: the platform refused, failed, did not end in time, or has nothing to export.
        DataError: the export is no COCO JSON, or has classes that the template has not.
    """
    platform, settings = session.platform, session.settings
    project = named_project(platform, "dataset.project_id", project_id)
    questions = platform.template(project.template_id).questions
    report = platform.start_export(project_id, "segtrack", list(settings.statuses))
    platform.wait_export(project_id, report, settings.timeout)
    home = root / _safe(project_id)
    home.mkdir(parents=True, exist_ok=True)
    _clear(home)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
    try:
        raw = platform.download_export(project_id, report, partial / "raw.json")
        with pushed_files(session.ledger, platform.account) as find:
            counts = _convert(raw, partial / KeptExport.LABELS, questions, find)
        raw.unlink()
        names = [q.name.strip() for q in questions]
        # Names too: an export of nothing has the same labels under every template.
        text = json.dumps([file_digest(partial / KeptExport.LABELS), names])
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        facts = {"project_id": project_id, "digest": digest, "names": names, **counts}
        (partial / KeptExport.FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        final = home / digest
        with alone_with(home):
            if final.exists():
                os.utime(final)  # the newest one is what ``latest_export`` gives
            else:
                settle(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return KeptExport.load(final)


def latest_export(root: Path, project_id: str) -> KeptExport | None:
    """The newest export of a project that was kept, or None."""
    kept = [p.parent for p in (root / _safe(project_id)).glob(f"[!.]*/{KeptExport.FACTS}")]
    newest = max(kept, key=lambda folder: folder.stat().st_mtime_ns, default=None)
    return KeptExport.load(newest) if newest else None


def _clear(home: Path) -> None:
    """Remove what killed exports left: the platform's file names the people who annotated."""
    for left in home.glob(".partial-*"):
        with contextlib.suppress(FileNotFoundError):  # another process may be at it
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _safe(project_id: str) -> str:
    """An id is text that someone else chose; it must not lead out of the folder."""
    plain = project_id.replace("-", "").replace("_", "").isalnum()
    return project_id if plain else hashlib.sha256(project_id.encode()).hexdigest()[:32]


def _convert(raw: Path, target: Path, questions: Sequence[Question], find: Find) -> dict[str, int]:
    """Write the export in its kept form; returns how many images and annotations it has."""
    categories: list[dict[str, Any]] = []
    found: set[str] = set()
    try:
        for element in elements(raw):
            found.add(element.key)
            if element.listed and element.key == "categories":
                categories.append(element.value)
        missing = {"images", "annotations"} - found
        if missing:
            raise ValueError(f"it has no {' and no '.join(sorted(missing))}")
        classes = export_classes(categories, questions)
        counts = {}
        with target.open("w", encoding="utf-8") as file:
            rows = [{"id": i, "name": q.name.strip()} for i, q in enumerate(questions)]
            file.write('{"categories": ' + json.dumps(rows))
            counts["images"] = _write(file, "images", _images(raw, find))
            counts["annotations"] = _write(file, "annotations", _annotations(raw, classes))
            file.write("\n}\n")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"the export of the platform is not COCO JSON as this project knows it: {error}"
        ) from error
    return counts


def _images(raw: Path, find: Find) -> Iterator[dict[str, Any]]:
    for element in elements(raw):
        if not element.listed or element.key != "images":
            continue
        value = element.value
        row = {key: value[key] for key in ("id", "file_name", "width", "height") if key in value}
        pushed = find(str(value.get("labellerr_file_id", "")))
        if pushed is not None:
            row["local"] = str(pushed.path)
            if pushed.sha256:
                row["sha256"] = pushed.sha256
        yield row


def _annotations(raw: Path, classes: dict[int, int]) -> Iterator[dict[str, Any]]:
    # Ids of answers and areas are left out: the first change, the second the polygons say.
    kept = ("id", "image_id", "segmentation", "bbox", "iscrowd")
    for element in elements(raw):
        if element.listed and element.key == "annotations":
            value = element.value
            row = {key: value[key] for key in kept if key in value}
            yield {**row, "category_id": classes.get(value["category_id"], value["category_id"])}


def _write(file: TextIO, key: str, rows: Iterable[dict[str, Any]]) -> int:
    file.write(f',\n"{key}": [')
    count = 0
    for row in rows:
        file.write((",\n" if count else "\n") + json.dumps(row))
        count += 1
    file.write("]")
    return count
