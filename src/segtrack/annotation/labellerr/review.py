"""Predictions to people: the pool split with its predicted polygons in a Test Project.

review.json   the project and what was sent
review.db     images and sent objects, so that the reviewed labels can be held against them
sent/         the COCO files
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from pycocotools import mask as coco_mask

from segtrack.annotation.labellerr.checks import match_file_names, named_project
from segtrack.annotation.labellerr.coco import AnnotatedImage, Preannotation, annotations_of
from segtrack.annotation.labellerr.files import check_files, contents_code
from segtrack.annotation.labellerr.port import Platform, class_questions
from segtrack.annotation.labellerr.preannotations import preannotate
from segtrack.annotation.labellerr.push import remember_questions
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.uploader import upload
from segtrack.annotation.sent import (
    FILE,
    OBJECTS,
    SCHEMA,
    SENT,
    Reviewed,
    SentImage,
    pack_ring,
)
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError, some
from segtrack.base.files import file_digest
from segtrack.base.metrics import Report
from segtrack.base.words import counted
from segtrack.dataset import ImageRow
from segtrack.model import FrameDetections, Predictions
from segtrack.report import PALETTE
from segtrack.settings import LabellerrSettings


def review(
    session: Session,
    images: Iterable[ImageRow],
    predictions: Predictions,
    names: Sequence[str],
    *,
    project_name: str,
    dataset_name: str,
    folder: Path,
    report: Report,
) -> Reviewed:
    """Send images and their predictions to a Test Project and verify that all were taken.

    The same call again creates and sends nothing twice. Objects have one ring each, pieces and
    holes joined by slits. ``test_project_id`` of the settings is a Test Project that is there, with
    its own template; None makes one, or finds it.

    Args:
        images: of the ``pool`` split; their ids are the frames of ``predictions``.
        names: class names by class id; become the template's questions.
        project_name: of the Test Project that is made, or found, and of its template.
        dataset_name: under which the images are sent, with a code that stands for them.
        folder: replaced by the new result once that is whole.

    Raises:
        DataError: there are no images, two have the same name, or classes and template do not fit,
            found before anything is sent; a prediction has no mask.
        SettingsError: there is no project of this id.
        PlatformError: the platform refused or failed; the same call goes on where it ended.
    """
    platform, ledger, settings = session.platform, session.ledger, session.settings
    project_id, say, timeout = settings.test_project_id, session.say, settings.timeout
    rows = list(images)
    if not rows:
        raise DataError(
            "stage review: the data set has no pool images to send; give it some "
            "(dataset.splits.pool, or a pool folder), or leave review out of stages."
        )
    files = check_files((row.path for row in rows), {row.path: row.sha256 for row in rows})
    project = None
    if project_id:
        project = named_project(platform, "labellerr.test_project_id", project_id, names)
    # Another pool is another data set: a project has all files of its data sets.
    label = f"{dataset_name} {contents_code(files)}"
    uploaded = upload(platform, files, label, ledger, settings.workers, timeout, say=say)
    ids = tuple(record.dataset_id for record in uploaded.datasets)
    if project is None:
        template = platform.ensure_template(project_name, class_questions(names, PALETTE))
        project = platform.ensure_project(project_name, ids, template.template_id)
    else:
        platform.attach(project.project_id, ids)
    questions = platform.template(project.template_id).questions
    remember_questions(ledger, platform.account, project.project_id, questions)
    with whole_folder(folder) as partial:
        name_of = {file.path: file.name for file in uploaded.files}
        rows = _each_once(rows, name_of)
        work = _Work(predictions, name_of, settings)
        with closing(sqlite3.connect(partial / OBJECTS)) as db:
            db.executescript(SCHEMA)
            rows.sort(key=lambda row: row.image_id)
            sent = preannotate(
                platform,
                project.project_id,
                work.annotated(rows, db),
                names,
                partial / SENT,
                ledger,
                settings.conf_bucket,
                timeout,
                say,
            )
            _renamed(db, sent.renamed)
            _add_file_ids(db, platform, project.project_id)
            db.execute("CREATE INDEX by_name ON objects (name)")
            db.commit()
        done = Reviewed(
            folder,
            project.project_id,
            project.name,
            ids,
            tuple(names),
            len(rows),
            work.objects,
            settings.conf,
            settings.simplify_px,
            predictions.info.weights_sha256,
            file_digest(partial / OBJECTS),
        )
        record = {key: value for key, value in asdict(done).items() if key != "folder"}
        (partial / FILE).write_text(json.dumps(record, indent=1), encoding="utf-8")
    report("review/sent_images", len(rows))
    report("review/sent_objects", work.objects)
    if work.objects:
        report("review/polygon_iou", work.overlap / work.objects)
    say(
        f"review: {counted(len(rows), 'images')}, {counted(work.objects, 'objects')} in project "
        f"{project.project_id}"
    )
    return done


def known_as(platform: Platform, project_id: str, images: Sequence[ImageRow]) -> list[SentImage]:
    """What a project calls images that were pushed to it; see ``AnnotationPlatform.known_as``."""
    files = check_files((row.path for row in images), {row.path: row.sha256 for row in images})
    name_of = {file.path: file.name for file in files}
    there = {f.file_name: f.file_id for f in platform.project_files(project_id)}
    rows = _each_once(images, name_of)
    found = _found(project_id, [name_of[row.path] for row in rows], there)
    sent = []
    for row in rows:
        name = found[name_of[row.path]]
        place = (name, row.file_name, row.image_id, str(row.path))
        sent.append(SentImage(*place, row.width, row.height, there[name], row.sha256))
    return sent


@dataclass
class _Work:
    """Predictions on their way to the platform, image by image.

    Attributes:
        name_of: the platform's name of each file.
        objects: so far. overlap: sum of their mask IoU with what was predicted.
    """

    predictions: Predictions
    name_of: Mapping[Path, str]
    settings: LabellerrSettings
    objects: int = 0
    overlap: float = 0.0

    def annotated(
        self, rows: Iterable[ImageRow], db: sqlite3.Connection
    ) -> Iterator[AnnotatedImage]:
        """Each image with its polygons, which are noted in ``db`` as well."""
        for row, frame in self.predictions.by_image(rows):
            name = self.name_of[row.path]
            found = tuple(self._polygons(row, frame)) if frame is not None else ()
            place = (name, row.file_name, row.image_id, str(row.path))
            image = SentImage(*place, row.width, row.height, "", row.sha256)
            db.execute("INSERT INTO images VALUES (?,?,?,?,?,?,?,?)", image)
            db.executemany(
                "INSERT INTO objects VALUES (?,?,?,?)",
                [(name, a.class_name, a.score, pack_ring(a.polygons[0])) for a in found],
            )
            self.objects += len(found)
            yield AnnotatedImage(name, row.width, row.height, found)

    def _polygons(self, row: ImageRow, frame: FrameDetections) -> Iterator[Preannotation]:
        names = self.predictions.info.names
        if None in frame.take(frame.score >= self.settings.conf).rle:
            raise DataError(
                f"{row.file_name}: an object was predicted as a box without mask; Labellerr wants "
                "polygons: take a -seg model."
            )
        size = (row.width, row.height)
        for one, mask in annotations_of(frame, size, names, self.settings):
            ring = one.polygons[0].reshape(-1).tolist()
            again = coco_mask.frPyObjects([ring], row.height, row.width)
            self.overlap += float(coco_mask.iou(again, [mask], [0])[0, 0])
            yield one


def _each_once(rows: Iterable[ImageRow], name_of: Mapping[Path, str]) -> list[ImageRow]:
    """Of copies of one picture, which are one file of the platform, the first."""
    return list({name_of[row.path]: row for row in reversed(list(rows))}.values())


def _renamed(db: sqlite3.Connection, renamed: dict[str, str]) -> None:
    """What the project calls files whose case differs."""
    pairs = [(new, old) for old, new in renamed.items()]
    for table in ("images", "objects"):
        db.executemany(f"UPDATE {table} SET name = ? WHERE name = ?", pairs)


def _add_file_ids(db: sqlite3.Connection, platform: Platform, project_id: str) -> None:
    there = {f.file_name: f.file_id for f in platform.project_files(project_id)}
    names = [name for (name,) in db.execute("SELECT name FROM images")]
    found = _found(project_id, names, there)
    ids = [(there[new], old) for old, new in found.items()]
    db.executemany("UPDATE images SET file_id = ? WHERE name = ?", ids)


def _found(project_id: str, names: Sequence[str], there: Mapping[str, str]) -> dict[str, str]:
    """What the project calls files."""
    found, missing = match_file_names(names, there)
    if missing:
        raise DataError(
            f"project {project_id} is without {len(missing)} of the images that were sent, for "
            f"example {some(missing, 5)}: is the data set still attached to it?"
        )
    return found
