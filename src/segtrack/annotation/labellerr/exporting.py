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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segtrack.annotation.labellerr import merged
from segtrack.annotation.labellerr.checks import (
    changed_questions,
    export_classes,
    named_project,
)
from segtrack.annotation.labellerr.port import Question, nothing_finished
from segtrack.annotation.labellerr.push import PushedFile, pushed_files, pushed_questions
from segtrack.annotation.labellerr.session import Session
from segtrack.base.atomic import alone_with, settle
from segtrack.base.errors import DataError, NothingToExport, PlatformError
from segtrack.base.files import file_digest
from segtrack.base.json_stream import elements
from segtrack.base.labellerr_api import STATUSES
from segtrack.dataset import KeptExport

Find = Callable[[str], PushedFile | None]
_ABANDONED = 24 * 3600  # s; a younger one may be of an export that runs now


def export_labels(session: Session, project_id: str, root: Path) -> KeptExport:
    """Export a project's finished files and keep them in ``root/PROJECT/DIGEST``.

    Images that were pushed from here have the digest of what was sent.

    Args:
        project_id: or the project's name.

    Raises:
        SettingsError: there is no such project.
        PlatformError: the platform refused, failed, did not end in time, or has nothing to export.
        DataError: the export is no COCO JSON, or has classes that the template has not.
    """
    platform, settings = session.platform, session.settings
    wanted, project = project_id, named_project(platform, "dataset.project_id", project_id)
    project_id = project.project_id
    questions = platform.template(project.template_id).questions
    for change in changed_questions(
        pushed_questions(session.ledger, platform.account, project_id), questions
    ):
        session.say(f"warning: {change}")
    home = root / _safe(wanted)
    home.mkdir(parents=True, exist_ok=True)
    _clear(home)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
    try:
        base = partial / merged.FILE
        if (before := latest_export(root, wanted)) and (before.folder / merged.FILE).is_file():
            shutil.copyfile(before.folder / merged.FILE, base)
        base.touch()
        asked: dict[str, Any] = {"project": project_id, "statuses": sorted(settings.statuses)}
        asked["questions"] = [[q.question_id, q.name] for q in questions]
        with contextlib.closing(merged.Merged(base, asked)) as labels:
            _bring_up_to_date(session, project_id, labels, questions, partial / "raw.json")
            with pushed_files(session.ledger, platform.account) as find:
                counts = _write(partial / KeptExport.LABELS, labels, questions, find)
        names = [q.name.strip() for q in questions]
        # Names too: an export of nothing has the same labels under every template.
        text = json.dumps([file_digest(partial / KeptExport.LABELS), names])
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        facts = {"project_id": project_id, "digest": digest, "names": names, **counts}
        (partial / KeptExport.FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        final = home / digest
        with alone_with(home):
            if final.exists():
                (partial / merged.FILE).replace(final / merged.FILE)  # it goes on from a later time
                os.utime(final)  # the newest one is what ``latest_export`` gives
            else:
                settle(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return KeptExport.load(final)


def _bring_up_to_date(
    session: Session,
    project_id: str,
    labels: merged.Merged,
    questions: Sequence[Question],
    raw: Path,
) -> None:
    """Take in what changed since the last export, or everything.

    What the platform says of every file's status must agree with the outcome, else everything is
    asked for: it may count other things as updates than we think.
    """
    platform, finished = session.platform, list(session.settings.statuses)
    if since := labels.since:
        try:
            _take(session, project_id, labels, questions, raw, list(STATUSES), since)
        except NothingToExport:
            pass  # nothing changed
        except PlatformError as error:
            if error.status is None or not 400 <= error.status < 500:
                raise
            labels.clear()  # the platform does not know such exports
        there = {f.file_id: f.status for f in platform.project_files(project_id)}
        if labels.statuses() == {k: status for k, status in there.items() if status in finished}:
            if not labels.statuses():
                raise nothing_finished(project_id, finished)
            return
        labels.clear()
    _take(session, project_id, labels, questions, raw, finished, 0)


def _take(
    session: Session,
    project_id: str,
    labels: merged.Merged,
    questions: Sequence[Question],
    raw: Path,
    statuses: list[str],
    since: int,
) -> None:
    platform, settings = session.platform, session.settings
    report = platform.start_export(project_id, "segtrack", statuses, updated_after=since)
    platform.wait_export(project_id, report, settings.timeout)
    platform.download_export(project_id, report, raw)
    try:
        labels.take(raw, settings.statuses, _classes(raw, questions))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"the export of the platform is not COCO JSON as this project knows it: {error}"
        ) from error
    finally:
        raw.unlink()  # it names the people who annotated


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


def _classes(raw: Path, questions: Sequence[Question]) -> dict[int, int]:
    """Class of each category id of an export."""
    categories: list[dict[str, Any]] = []
    found: set[str] = set()
    for element in elements(raw):
        found.add(element.key)
        if element.listed and element.key == "categories":
            categories.append(element.value)
    if missing := {"images", "annotations"} - found:
        raise ValueError(f"it has no {' and no '.join(sorted(missing))}")
    return export_classes(categories, questions)


def _write(
    target: Path, labels: merged.Merged, questions: Sequence[Question], find: Find
) -> dict[str, int]:
    """Write the labels in their kept form; returns how many images and annotations there are."""
    counts = {}
    with target.open("w", encoding="utf-8") as file:
        rows = [{"id": i, "name": q.name.strip()} for i, q in enumerate(questions)]
        file.write('{"categories": ' + json.dumps(rows))
        counts["images"] = merged.write_list(file, "images", _images(labels, find))
        counts["annotations"] = merged.write_list(file, "annotations", labels.labels())
        file.write("\n}\n")
    return counts


def _images(labels: merged.Merged, find: Find) -> Iterator[dict[str, Any]]:
    for number, file_id, row in labels.images():
        pushed = find(file_id)
        more = {}
        if pushed is not None and pushed.sha256:
            more["sha256"] = pushed.sha256  # by which it is found, wherever it lies by now
        elif pushed is not None:
            more["local"] = str(pushed.path)
        yield {"id": number, **row, **more}
