"""Sends answers to a project: checked before, each file once, and verified file by file after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segtrack.annotation.labellerr.checks import FileNames, check_coco, match_questions
from segtrack.annotation.labellerr.coco import AnnotatedImage, CocoFile, write_coco
from segtrack.annotation.labellerr.ledger import Ledger
from segtrack.annotation.labellerr.port import Job, Platform
from segtrack.annotation.labellerr.push import pushed_questions
from segtrack.base.errors import DataError, PlatformError, some
from segtrack.base.files import file_digest
from segtrack.base.labellerr_api import NOT_ASSIGNED
from segtrack.base.words import counted

Say = Callable[[str], None]


@dataclass(frozen=True)
class Preannotated:
    """What became of pre-annotations.

    Attributes:
        jobs: all completed, with nothing left out.
        images: that have at least one object; one with objects in two bands counts twice.
        objects: that were sent.
        left_out: a line per object that has no area inside of its image.
        renamed: name of the project's file for each image whose name differs in case.
    """

    jobs: tuple[Job, ...]
    images: int
    objects: int
    left_out: tuple[str, ...]
    renamed: dict[str, str]


def preannotate(
    platform: Platform,
    project_id: str,
    images: Iterable[AnnotatedImage],
    classes: Sequence[str],
    folder: Path,
    ledger: Path,
    buckets: bool = False,
    timeout: float | None = None,
    say: Say = print,
    applied: Callable[[str | None, Sequence[str]], None] = lambda bucket, names: None,
) -> Preannotated:
    """Write images as COCO files, send them to a project and wait until they are applied.

    The same call again sends nothing that was applied, and goes on waiting for what was sent.

    Args:
        classes: names that the annotations use, in their order.
        folder: for the files that are sent.
        ledger: folder that remembers what was sent.
        buckets: send low, medium and high confidences apart, so that people can filter by them.
        timeout: seconds for one job.
        applied: is told the band of each file that the platform has applied, and its images.

    Raises:
        DataError: classes and template do not fit, an image is not in the project or was worked
            on by people, an object has no polygon; found before anything is sent.
        PlatformError: the platform refused, or left something out.
    """
    template = platform.template(platform.project(project_id).template_id)
    before = pushed_questions(ledger, platform.account, project_id)
    names = match_questions(classes, template.questions, before)
    there = {f.file_name: f.status for f in platform.project_files(project_id)}
    known = FileNames(there)
    renamed: dict[str, str] = {}
    worked_on: list[str] = []
    missing: list[str] = []

    def named() -> Iterable[AnnotatedImage]:
        for image in images:
            name = known.find(image.file_name)
            if name is None:
                missing.append(image.file_name)
                continue
            if name != image.file_name:
                renamed[image.file_name] = name
            if image.annotations and there[name] != NOT_ASSIGNED:
                worked_on.append(name)
            yield AnnotatedImage(name, image.width, image.height, image.annotations)

    written = write_coco(named(), names, folder, buckets)
    if missing:
        raise DataError(
            f"{len(missing)} images are not in project {project_id}, for example "
            f"{some(missing)}: send them first (stages=[push]), or name the project "
            "that has them."
        )
    for file in written.files:
        check_coco(file.path, template.questions, there)
    if worked_on and not _begun(platform, project_id, written.files, ledger):
        raise DataError(
            f"project {project_id}: somebody has worked on {len(worked_on)} of the images, for "
            f"example {some(worked_on)}; new pre-annotations would replace what was "
            "done. Leave labellerr.test_project_id out, so that a project of its own is made."
        )
    given = {name: before for before, name in renamed.items()}
    jobs = []
    for number, file in enumerate(written.files, 1):
        band = f", {file.bucket} confidence" if file.bucket else ""
        say(
            f"pre-annotations {number} of {len(written.files)}: "
            f"{counted(file.images, 'images')}, {counted(file.objects, 'objects')}{band}"
        )
        jobs.append(send_file(platform, project_id, file.path, ledger, file.bucket, timeout, say))
        applied(file.bucket, [given.get(name, name) for name in file.names])
    return Preannotated(
        tuple(jobs),
        sum(f.images for f in written.files),
        sum(f.objects for f in written.files),
        written.left_out,
        renamed,
    )


def _begun(platform: Platform, project_id: str, files: Sequence[CocoFile], ledger: Path) -> bool:
    """Whether one of the files was sent before: then the same call goes on."""
    with Ledger(ledger, platform.account) as book:
        return any(book.job(project_id, file_digest(f.path), f.bucket) for f in files)


def send_file(
    platform: Platform,
    project_id: str,
    path: Path,
    ledger: Path,
    bucket: str | None = None,
    timeout: float | None = None,
    say: Say = print,
    format: str = "coco_json",
) -> Job:
    """Send one file of answers and wait until it is applied; one that was applied is not sent.

    Raises:
        PlatformError: the platform refused it, left something out or did not end in time.
    """
    digest = file_digest(path)
    with Ledger(ledger, platform.account) as book, book.locked():
        known = book.job(project_id, digest, bucket)
        if known is not None and known[1]:
            say(f"{path.name} was applied before, by job {known[0]}")
            return Job(known[0], "completed")
        job_id = known[0] if known else None
        if job_id is None:
            identity = book.call(project_id, digest, bucket)
            job_id = platform.send_preannotations(project_id, path, format, bucket, identity)
            book.set_job(project_id, digest, bucket, job_id, done=False)
        try:
            job = platform.wait_job(project_id, job_id, timeout)
        except PlatformError as error:
            # It ended badly or is unknown: mended, the file is to be sent again. A job that only
            # takes long is waited for by the next call.
            if not error.unfinished and not error.ambiguous:
                book.drop_job(project_id, digest, bucket)
            raise
        book.set_job(project_id, digest, bucket, job_id, done=True)
        return job
