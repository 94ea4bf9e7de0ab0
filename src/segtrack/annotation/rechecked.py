"""Labels that were looked at again, back from the platform: what people changed, and how often a
suspicion was right.

recheck.json         what it came to
labels.coco.json     all labels of the images that came back; those with ``as_before`` have the
                     outline of the label at that place of their image, bit by bit
kinds.csv .html      what became of suspects, by kind of suspicion, and of the other labels
objects.csv          each object
gallery.jpg          the images with the most changes, labels before beside labels after
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from segtrack.annotation.matching import Agreement, Shape
from segtrack.annotation.port import AnnotationPlatform, Say
from segtrack.annotation.recheck_changes import (
    ALL,
    OUTCOMES,
    Judged,
    judge,
    kind_rows,
    sentence,
)
from segtrack.annotation.rechecks import (
    Here,
    Row,
    contents_of,
    here,
    labels_of,
    suspects_of,
)
from segtrack.annotation.review_figures import Pair, write_gallery
from segtrack.annotation.sent import Reviewed, sent_images
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.metrics import Report
from segtrack.base.words import counted
from segtrack.dataset import AS_BEFORE, Dataset, signed_area
from segtrack.report import table_csv, table_html, write_csv

FILE, LABELS = "recheck.json", "labels.coco.json"
GALLERY = 12
_OBJECT = ("file_name", "kind", "suspicion", "class", "outcome", "new_class", "iou", "reason")


@dataclass(frozen=True)
class Rechecked:
    """A folder that ``pull_recheck`` made.

    Attributes:
        images: that people looked at. pending: sent, but without one of the statuses yet.
        suspects: places that were named to them there. wrong: of those how many they changed.
        kept, corrected, class_changed, deleted, added: objects, named or not.
        file_names: images of the data set whose labels are those of ``labels``; empty where people
            changed nothing.
        others: images that came back, but are others here by now, or have other labels.
        labels_sha256: of ``labels.coco.json``.
    """

    folder: Path
    project_id: str
    names: tuple[str, ...]
    images: int
    pending: int
    suspects: int
    wrong: int
    kept: int
    corrected: int
    class_changed: int
    deleted: int
    added: int
    file_names: tuple[str, ...]
    others: int
    labels_sha256: str

    @property
    def labels(self) -> Path:
        """COCO JSON; ids are class ids, images have ``sha256``."""
        return self.folder / LABELS


def pull_recheck(
    platform: AnnotationPlatform,
    sent: Reviewed,
    dataset: Dataset,
    folder: Path,
    kinds: Sequence[str],
    report: Report,
    say: Say = print,
) -> Rechecked:
    """Take back what people made of labels, say how often suspicions were right, write the labels.

    Args:
        sent: what ``last_recheck`` found.
        dataset: whose labels they are; images that are labelled otherwise by now are left as they
            are there.
        folder: replaced by the new result once that is whole.
        kinds: of suspicion, in the order of tables.
        report: gets ``recheck/...`` numbers.

    Raises:
        DataError: what comes back is damaged, has other classes, or none of it was sent.
        NothingToExport: nothing is reviewed yet.
        PlatformError: the platform refused or failed.
    """
    with (
        whole_folder(folder) as partial,
        closing(sent.open()) as db,
        platform.pull(sent, partial) as back,
    ):
        images = list(sent_images(db))
        done = [image for image in images if image.name in back.names]
        if not done:
            raise DataError(
                f"project {sent.project_id}: none of the {len(back.unknown)} exported images was "
                f"sent by the recheck in {sent.folder}; send them with stages=[recheck]."
            )
        contents = contents_of(db)
        there = here(dataset, {image.sha256 for image in done})
        judged = [
            judge(
                image,
                labels_of(db, image.name),
                suspects_of(db, image.name),
                back.labels(image.name),
            )
            for image in done
        ]
        rows = [row for one in judged for row in one.rows]
        table = kind_rows(rows, kinds)
        known = [(one, there.get(contents[one.image.name])) for one in judged]
        changed = any(one.outcome != "kept" for each in judged for one in each.changes)
        with (partial / LABELS).open("w", encoding="utf-8") as file:
            json.dump(_coco(known, dataset.names), file)
        (partial / "kinds.csv").write_text(table_csv(table), encoding="utf-8")
        title = "Labels looked at again, by kind of suspicion"
        (partial / "kinds.html").write_text(table_html(table, title), encoding="utf-8")
        with (partial / "objects.csv").open("w", encoding="utf-8", newline="") as text:
            write_csv(text, _OBJECT, ([row[name] for name in _OBJECT] for row in rows))
        pairs = islice(_most_changed(judged), GALLERY)
        write_gallery(pairs, dataset.names, partial / "gallery.jpg", ("before", "after"))
        whole = table[-1]
        named = [row for row in rows if row["kind"]]
        done_here = [found.file_names for _, found in known if found is not None]
        result = Rechecked(
            folder,
            sent.project_id,
            dataset.names,
            len(done),
            len(images) - len(done),
            len(named),
            sum(row["wrong"] for row in named),
            whole["kept"],
            whole["corrected"],
            whole["class_changed"],
            whole["deleted"],
            whole["added"],
            tuple(sorted(name for names in done_here for name in names)) if changed else (),
            len(known) - len(done_here),
            file_digest(partial / LABELS),
        )
        record = {key: value for key, value in asdict(result).items() if key != "folder"}
        (partial / FILE).write_text(json.dumps(record, indent=1), encoding="utf-8")
    _report(report, result, table)
    _say(say, result, table, back.remarks)
    return result


def _coco(
    known: Sequence[tuple[Judged, Here | None]], names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """All labels of the images that are in the data set as they were sent.

    What nobody touched, and what was not sent (crowds, masks without an outline), is the data set's
    own; of a label whose class alone was changed the outline is.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for one, found in known:
        if found is None:
            continue
        image = one.image
        size = {"width": image.width, "height": image.height}
        row = {"id": image.image_id, "file_name": image.file_name, **size, "sha256": image.sha256}
        images.append(row)
        for label in _labels_after(one, found, names):
            number = {"id": len(annotations), "image_id": image.image_id}
            annotations.append({**number, **label})
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    return {"categories": categories, "images": images, "annotations": annotations}


def _labels_after(one: Judged, found: Here, names: Sequence[str]) -> Iterator[Row]:
    change = {one.sent[c.sent].position: c for c in one.changes if c.sent >= 0}
    for position, before in enumerate(found.labels):
        what = change.get(position)
        if what is not None and what.outcome == "deleted":
            continue
        after = one.labels[what.label] if what is not None else None
        same = what is None or what.outcome == "kept"
        if what is not None and what.outcome == "class_changed":
            same = what.iou >= Agreement.same_iou
        if after is not None and not same:
            yield _label(after, names)
            continue
        keys = ("category_id", "segmentation", "bbox", "area", "iscrowd")
        label = {key: before[key] for key in keys}
        if after is not None:
            label["category_id"] = names.index(after.class_name)
        yield {**label, AS_BEFORE: position}
    for added in (c for c in one.changes if c.outcome == "added"):
        yield _label(one.labels[added.label], names)


def _label(shape: Shape, names: Sequence[str]) -> Row:
    low, high = shape.polygon.min(0), shape.polygon.max(0)
    return {
        "category_id": names.index(shape.class_name),
        "segmentation": [shape.polygon.reshape(-1).tolist()],
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": abs(signed_area(shape.polygon)),
        "iscrowd": 0,
    }


def _most_changed(judged: Sequence[Judged]) -> Iterator[Pair]:
    count = {one.image.name: sum(c.outcome != "kept" for c in one.changes) for one in judged}
    for one in sorted(judged, key=lambda one: (-count[one.image.name], one.image.file_name)):
        if count[one.image.name]:
            title = f"{one.image.file_name}, {count[one.image.name]} changes"
            sent = [replace(label.shape, score=None) for label in one.sent]
            yield Pair(Path(one.image.path), title, sent, one.labels)


def _report(report: Report, done: Rechecked, table: Sequence[Mapping[str, Any]]) -> None:
    """``recheck/...``: totals, and ``recheck/KIND/...``; undefined values are left out."""
    report("recheck/images", done.images)
    report("recheck/pending", done.pending)
    for row in table:
        group = "" if row["kind"] == ALL else f"{row['kind']}/"
        for key in ("objects", *OUTCOMES, "wrong", "wrong_share"):
            if row[key] is not None:
                report(f"recheck/{group}{key}", row[key])


def _say(
    say: Say,
    done: Rechecked,
    table: Sequence[Mapping[str, Any]],
    remarks: Sequence[str],
) -> None:
    counts = ", ".join(f"{getattr(done, one)} {one.replace('_', ' ')}" for one in OUTCOMES)
    say(f"{counted(done.images, 'images')} back, {done.pending} pending; labels: {counts}")
    say(f"{sentence(table)}")
    if done.others:
        say(
            f"warning: {done.others} of these images are others here by now, or have other labels "
            "than were sent: left as they are here"
        )
    if remarks:
        say(f"warning: {len(remarks)} labels need a look, e.g. {remarks[0]}")
