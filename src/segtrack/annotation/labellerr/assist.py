"""Proposals for annotators: predicted masks as polygons, on files that nobody works on yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from segtrack.annotation.labellerr.checks import FileNames
from segtrack.annotation.labellerr.coco import AnnotatedImage, annotations_of, bucket_of
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.ledger import Ledger
from segtrack.annotation.labellerr.preannotations import Preannotated, preannotate
from segtrack.annotation.labellerr.session import Session
from segtrack.base.atomic import alone_with
from segtrack.base.labellerr_api import NOT_ASSIGNED
from segtrack.dataset import ImageRow
from segtrack.model import Predictions


def propose(
    session: Session,
    project_id: str,
    images: Sequence[ImageRow],
    predictions: Predictions,
    classes: Sequence[str],
    folder: Path,
    code: str,
) -> Preannotated:
    """Send predictions to a project as pre-annotations, once for each file.

    A file whose status says that people have it is left alone, and so is one that has proposals
    from an earlier call, of whatever model: the platform might keep both. What a call that failed
    in between left to do is done by the next one with the same predictions, band by band.

    Args:
        images: in the project; by ascending ids, which are the predictions' frames.
        folder: for the files that are sent; another process that uses it is waited for.
        code: stands for the predictions and for how they are sent.

    Raises:
        DataError: classes and template do not fit, or an image is not in the project.
        PlatformError: the platform refused, or left something out.
    """
    with alone_with(folder):
        return _propose(session, project_id, images, predictions, classes, folder, code)


def _propose(
    session: Session,
    project_id: str,
    images: Sequence[ImageRow],
    predictions: Predictions,
    classes: Sequence[str],
    folder: Path,
    code: str,
) -> Preannotated:
    platform, ledger, settings = session.platform, session.ledger, session.settings
    status = {file.file_name: file.status for file in platform.project_files(project_id)}
    known = FileNames(status)
    with Ledger(ledger, platform.account) as book:
        before, begun = book.proposed(project_id), book.applied(project_id)
    files = check_files((row.path for row in images), {row.path: row.sha256 for row in images})
    name_of = {file.path: known.find(file.name) or file.name for file in files}
    images = list({name_of[row.path]: row for row in reversed(images)}.values())[::-1]
    free, left = [], {"are worked on": 0, "have proposals already": 0}
    for row in images:
        if status.get(name_of[row.path], NOT_ASSIGNED) != NOT_ASSIGNED:
            left["are worked on"] += 1
        elif name_of[row.path] in before or begun.get(name_of[row.path], (code,))[0] != code:
            left["have proposals already"] += 1
        else:
            free.append(row)
    for why, count in left.items():
        if count:
            session.say(f"{count} of {len(images)} images {why}: left as they are")
    partly = sum(name_of[row.path] in begun for row in free)
    if partly:
        session.say(f"{partly} images have some of these proposals already: only the rest is sent")
    sent: list[str] = []

    def noted() -> Iterator[AnnotatedImage]:
        names = predictions.info.names
        for row, frame in predictions.by_image(free):
            size = (row.width, row.height)
            found = annotations_of(frame, size, names, settings) if frame else ()
            if objects := tuple(annotation for annotation, _ in found):
                name = name_of[row.path]
                sent.append(name)
                there = begun.get(name, (code, set()))[1]
                rest = tuple(a for a in objects if bucket_of(a, settings.conf_bucket) not in there)
                yield AnnotatedImage(name, *size, rest)

    def applied(bucket: str | None, names: Sequence[str]) -> None:
        with Ledger(ledger, platform.account) as book:
            book.mark_applied(project_id, code, bucket, names)

    done = preannotate(
        platform,
        project_id,
        noted(),
        classes,
        folder,
        ledger,
        settings.conf_bucket,
        settings.timeout,
        session.say,
        applied,
    )
    with Ledger(ledger, platform.account) as book:
        book.mark_proposed(project_id, sent)
    return done
