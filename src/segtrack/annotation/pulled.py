"""Reviewed labels back from the platform, held against the predictions that were sent.

review.json          what the review came to
labels.coco.json     the reviewed labels, file names and classes as in the data set
outcomes.csv .html   per class and confidence band; objects.csv each object
images.csv .html     the images by disagreement
acceptance.png .csv  acceptance over confidence
gallery.jpg          the images with the most disagreement, prediction beside review
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.annotation import review_figures as figures
from segtrack.annotation.matching import (
    KINDS,
    Agreement,
    Outcome,
    Shape,
    compare,
    disagreement,
)
from segtrack.annotation.port import AnnotationPlatform, KnownLabels, Say
from segtrack.annotation.returned import Returned
from segtrack.annotation.review_report import (
    report_numbers,
    write_labels,
    write_objects,
    write_report,
)
from segtrack.annotation.sent import Reviewed, SentImage, sent_images, sent_to
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.metrics import Report
from segtrack.base.polygons import mask_iou
from segtrack.base.words import counted

FILE, LABELS = "review.json", "labels.coco.json"
GALLERY = 12
_LISTED = 20


@dataclass(frozen=True)
class Review:
    """A folder that ``pull`` made.

    Attributes:
        images: that were reviewed. pending: sent, but without one of the statuses yet.
        unknown: file names of the export that were not sent by this review (the first ones).
        remarks: a line for each label that could not be used as it is (the first ones).
        accepted, corrected, deleted, added: objects.
        precision, recall: of the model against the review at mask IoU 0.5, None where undefined.
        calibration: from which score on predictions may be accepted unseen, in words.
        auto_accept: that score, None where there is none.
        labels_sha256: of ``labels.coco.json``.
    """

    folder: Path
    project_id: str
    names: tuple[str, ...]
    weights_sha256: str
    images: int
    pending: int
    unknown: tuple[str, ...]
    remarks: tuple[str, ...]
    accepted: int
    corrected: int
    deleted: int
    added: int
    precision: float | None
    recall: float | None
    calibration: str
    auto_accept: float | None
    labels_sha256: str

    @staticmethod
    def load(folder: Path) -> Review:
        """Open ``folder``.

        Raises:
            DataError: it holds no review.
        """
        try:
            raw: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
            raw.update({key: tuple(raw[key]) for key in ("names", "unknown", "remarks")})
            return Review(folder=folder, **raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{folder / FILE}: no review was pulled to here ({error}); add pull to stages"
            ) from error

    @property
    def labels(self) -> Path:
        """COCO JSON of the reviewed labels; file names as in the data set, ids are class ids."""
        return self.folder / LABELS


def pull(
    platform: AnnotationPlatform,
    sent: Reviewed,
    folder: Path,
    report: Report,
    *,
    truth: KnownLabels | None = None,
    agreement: Agreement | None = None,
    gallery: int = GALLERY,
    say: Say = print,
    places: Mapping[str, Path] | None = None,
) -> Review:
    """Take back what was reviewed, hold it against what was sent, and write labels and report.

    Args:
        folder: replaced by the new result once that is whole.
        report: gets ``review/...`` numbers.
        truth: by the project's file names, where it is known: the report then says how corrections
            changed the IoU with it.
        gallery: images on the sheet, at most.
        places: of images by their digest, where they may lie elsewhere by now.

    Raises:
        DataError: what comes back is damaged or has other classes, or none of its images was sent
            by this review.
        NothingToExport: nothing is reviewed yet.
        PlatformError: the platform refused or failed.
    """
    with (
        whole_folder(folder) as partial,
        closing(sent.open()) as db,
        platform.pull(sent, partial) as back,
    ):
        where = places or {}
        images = [
            image._replace(path=str(where.get(image.sha256, image.path)))
            for image in sent_images(db)
        ]
        done = [image for image in images if image.name in back.names]
        if not done:
            raise DataError(
                f"project {sent.project_id}: none of the {len(back.unknown)} exported images "
                f"was sent by the review in {sent.folder}; send them with stages=[review], or "
                "name the right project."
            )
        work = _Work(sent.names, db, back, agreement or Agreement(), truth or {})
        write_labels(partial / LABELS, done, sent.names, work.labels)
        found = work.outcomes()
        work.ranking.sort(key=lambda row: (-row["disagreement"], row["file_name"]))
        rows = figures.outcome_rows(found)
        best = write_report(partial, found, rows, work.ranking)
        write_objects(partial / "objects.csv", work.rows)
        top = [r for r in work.ranking[:gallery] if r["disagreement"] > 0]
        figures.write_gallery(_pairs(top, done, db, back), sent.names, partial / "gallery.jpg")
        total = rows[-1]
        review = Review(
            folder,
            sent.project_id,
            sent.names,
            sent.weights_sha256,
            len(done),
            len(images) - len(done),
            tuple(back.unknown[:_LISTED]),
            tuple(back.remarks[:_LISTED]),
            total["accepted"],
            total["corrected"],
            total["deleted"],
            total["added"],
            total["precision"],
            total["recall"],
            figures.statement(best, int((~np.isnan(found.score)).sum())),
            best.score if best else None,
            file_digest(partial / LABELS),
        )
        record = {key: value for key, value in asdict(review).items() if key != "folder"}
        (partial / FILE).write_text(json.dumps(record, indent=1), encoding="utf-8")
    report_numbers(report, review.images, review.pending, rows, best)
    _say(say, review, len(back.unknown), len(back.remarks))
    return review


class _Work:
    """Compares image by image and keeps what the tables need.

    Attributes:
        rows: a tuple per object: file name, class, kind, score, IoU, IoU with the truth before and
            after.
        ranking: a row per image.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        db: sqlite3.Connection,
        back: Returned,
        agreement: Agreement,
        truth: KnownLabels,
    ) -> None:
        self.names, self.db, self.back, self.truth = names, db, back, truth
        self.agreement = agreement
        self.rows: list[tuple[Any, ...]] = []
        self.ranking: list[dict[str, Any]] = []

    def labels(self, image: SentImage) -> list[Shape]:
        """The reviewed labels of an image, after comparing them with what was sent."""
        sent, labels = sent_to(self.db, image.name), self.back.labels(image.name)
        size = (image.width, image.height)
        found = compare(sent, labels, size, self.agreement)
        for one in found:
            pair = (sent[one.sent], labels[one.label]) if one.kind == "corrected" else None
            before, after = self._against_truth(image, pair) if pair else (np.nan, np.nan)
            score = np.nan if one.score is None else one.score
            row = (image.file_name, one.class_name, one.kind, score, one.iou, before, after)
            self.rows.append(row)
        self.ranking.append(_ranked(image, found))
        return labels

    def outcomes(self) -> figures.Outcomes:
        """All objects so far."""
        index = {name: i for i, name in enumerate(self.names)}
        score, *ious = np.array([row[3:] for row in self.rows], np.float64).reshape(-1, 4).T
        iou, before, after = ious
        image = np.unique([row[0] for row in self.rows], return_inverse=True)[1]
        return figures.Outcomes(
            self.names,
            np.array([index[row[1]] for row in self.rows], np.int64),
            np.array([KINDS.index(row[2]) for row in self.rows], np.int64),
            score,
            iou,
            before,
            after,
            image,
        )

    def _against_truth(self, image: SentImage, pair: tuple[Shape, Shape]) -> tuple[float, float]:
        """IoU of a prediction and of its label with the true object that the label fits best."""
        known = [p for name, p in self.truth.get(image.name, ()) if name == pair[0].class_name]
        if not known:
            return np.nan, np.nan
        iou = mask_iou([shape.polygon for shape in pair], known, (image.width, image.height))
        best = int(iou[1].argmax())
        return float(iou[0, best]), float(iou[1, best])


def _ranked(image: SentImage, found: Sequence[Outcome]) -> dict[str, Any]:
    counts = {str(kind): sum(one.kind == kind for one in found) for kind in KINDS}
    return {"file_name": image.file_name, "disagreement": disagreement(found), **counts}


def _pairs(
    top: Sequence[dict[str, Any]],
    images: Sequence[SentImage],
    db: sqlite3.Connection,
    back: Returned,
) -> Iterator[figures.Pair]:
    by_name = {image.file_name: image for image in images}
    for row in top:
        image = by_name[row["file_name"]]
        title = f"{image.file_name}, disagreement {row['disagreement']:.2f}"
        sent, labels = sent_to(db, image.name), back.labels(image.name)
        yield figures.Pair(Path(image.path), title, sent, labels)


def _say(say: Say, review: Review, unknown: int, remarks: int) -> None:
    say(
        f"review: {counted(review.images, 'images')} back, {review.pending} pending; "
        f"{review.accepted} accepted, {review.corrected} corrected, {review.deleted} deleted, "
        f"{review.added} added"
    )
    say(review.calibration)
    if unknown:
        listed = ", ".join(review.unknown[:5])
        say(f"warning: {unknown} exported images were not sent by this review, e.g. {listed}")
    if remarks:
        say(f"warning: {remarks} labels need a look, e.g. {review.remarks[0]}")
