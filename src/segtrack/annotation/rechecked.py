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
from typing import Any, Literal, NamedTuple

import numpy as np

from segtrack.annotation.matching import Agreement, Shape, compare
from segtrack.annotation.port import AnnotationPlatform, Say
from segtrack.annotation.rechecks import (
    Here,
    Row,
    SentLabel,
    SentSuspect,
    contents_of,
    here,
    labels_of,
    suspects_of,
)
from segtrack.annotation.review_figures import Pair, write_gallery
from segtrack.annotation.sent import Reviewed, SentImage, sent_images
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.metrics import Report
from segtrack.base.polygons import mask_iou
from segtrack.base.shares import share_interval
from segtrack.dataset import AS_BEFORE, Dataset, signed_area
from segtrack.report import table_csv, table_html, write_csv

FILE, LABELS = "recheck.json", "labels.coco.json"
SAME_PLACE = 0.5  # IoU from which labels of two classes, or a label and a place, are one object
MOVED = 0.2  # IoU of a label of its class that was drawn anew, far beside where it was
GALLERY = 12
SUSPECTS, OTHERS, ALL = "suspects", "not_suspect", "all"
_OBJECT = ("file_name", "kind", "suspicion", "class", "outcome", "new_class", "iou", "reason")

Outcome = Literal["kept", "corrected", "class_changed", "deleted", "added"]
OUTCOMES: tuple[Outcome, ...] = ("kept", "corrected", "class_changed", "deleted", "added")


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


class Change(NamedTuple):
    """What became of a label: positions of what was sent and of what came back, -1 for none;
    ``iou`` of both masks, NaN where there is one."""

    outcome: Outcome
    sent: int
    label: int
    iou: float


def changes(
    sent: Sequence[Shape],
    labels: Sequence[Shape],
    size: tuple[int, int],
    agreement: Agreement | None = None,
) -> list[Change]:
    """Of each label of one image that was sent, in their order, then of what was added.

    As ``matching.compare``; but what was deleted, and added at the same place with another class,
    is one object whose class was changed, and what was added a little beside it one that was drawn
    anew.
    """
    found = compare(sent, labels, size, agreement)
    gone = [one.sent for one in found if one.kind == "deleted"]
    new = [one.label for one in found if one.kind == "added"]
    iou = mask_iou([sent[i].polygon for i in gone], [labels[j].polygon for j in new], size)
    same = np.array([[sent[i].class_name == labels[j].class_name for j in new] for i in gone])
    iou *= iou >= np.where(same.reshape(iou.shape), MOVED, SAME_PLACE)
    replaced = {gone[a]: (new[b], value) for a, b, value in _pairs(iou, MOVED)}
    taken = {label for label, _ in replaced.values()}
    named: dict[str, Outcome] = {"accepted": "kept", "corrected": "corrected", "added": "added"}
    done = []
    for one in found:
        if one.kind == "deleted" and one.sent in replaced:
            label, value = replaced[one.sent]
            moved = sent[one.sent].class_name == labels[label].class_name
            how: Outcome = "corrected" if moved else "class_changed"
            done.append(Change(how, one.sent, label, value))
        elif one.kind == "deleted":
            done.append(Change("deleted", one.sent, -1, float("nan")))
        elif one.kind != "added" or one.label not in taken:
            done.append(Change(named[one.kind], one.sent, one.label, one.iou))
    return done


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
            _judge(
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


def kind_rows(rows: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each kind of suspicion, for all of them (``suspects``), for the labels that nobody
    suspected (``not_suspect``) and for all objects (``all``).

    Columns: ``kind``, ``objects``, how many of them met each outcome, ``wrong``, ``wrong_share``
    and its 95 % interval ``low`` to ``high``. Of suspects the share is the precision of the list,
    of the others the errors that it did not name. What was added without having been suspected
    counts in ``added`` alone.

    Args:
        rows: of ``objects.csv``.
    """
    unit = {name: i for i, name in enumerate(dict.fromkeys(row["file_name"] for row in rows))}
    named = [row for row in rows if row["kind"]]
    groups = {kind: [row for row in named if row["kind"] == kind] for kind in kinds}
    groups |= {SUSPECTS: named, OTHERS: [row for row in rows if not row["kind"]]}
    found = []
    for kind, group in (*groups.items(), (ALL, [row for row in rows if row["label"]])):
        there = [row for row in group if row["outcome"] != "added" or row["kind"]]
        counts = {str(one): sum(row["outcome"] == one for row in group) for one in OUTCOMES}
        wrong = np.array([row["wrong"] for row in there], bool)
        low, high = share_interval(wrong, np.array([unit[r["file_name"]] for r in there], np.int64))
        row: dict[str, Any] = {"kind": kind, "objects": len(there), **counts}
        row |= {"wrong": int(wrong.sum()), "wrong_share": None, "low": None, "high": None}
        if there:
            row |= {"wrong_share": float(wrong.mean()), "low": low, "high": high}
        found.append(row)
    return found


class _Judged(NamedTuple):
    """One image: its changes, the labels before and after, and its rows of ``objects.csv``."""

    image: SentImage
    sent: list[SentLabel]
    labels: list[Shape]
    changes: list[Change]
    rows: list[dict[str, Any]]


def _judge(
    image: SentImage, sent: list[SentLabel], suspects: list[SentSuspect], labels: list[Shape]
) -> _Judged:
    size = (image.width, image.height)
    before = [one.shape for one in sent]
    found = changes(before, labels, size)
    place = {one.position: i for i, one in enumerate(sent)}
    why = {place[one.position]: one for one in suspects if one.position in place}
    missing = [one for one in suspects if one.position is None]
    drawn = _drawn(found, before, labels, missing, size)
    outcomes = _either_of_two(found, before, why, size)
    of_added = {i: missing[k] for k, i in drawn.items() if found[i].outcome == "added"}
    rows = []
    for i, one in enumerate(found):
        reason = why.get(one.sent) if one.sent >= 0 else of_added.get(i)
        shape = before[one.sent] if one.sent >= 0 else labels[one.label]
        new = labels[one.label].class_name if one.outcome == "class_changed" else ""
        rows.append(_row(image, reason, shape.class_name, outcomes[i], new, one.iou))
    for k, reason in enumerate(missing):
        at = drawn.get(k)
        if at is None or found[at].outcome != "added":  # a label beside it may be what it was
            outcome: Outcome = "kept" if at is None else found[at].outcome
            rows.append({**_row(image, reason, "", outcome, "", float("nan")), "label": False})
    return _Judged(image, sent, labels, found, rows)


def _row(
    image: SentImage,
    why: SentSuspect | None,
    class_name: str,
    outcome: Outcome,
    new_class: str,
    iou: float,
) -> dict[str, Any]:
    return {
        "file_name": image.file_name,
        "kind": why.kind if why else "",
        "suspicion": why.suspicion if why else None,
        "class": class_name,
        "outcome": outcome,
        "new_class": new_class,
        "iou": None if np.isnan(iou) else iou,
        "wrong": outcome != "kept",
        "reason": why.reason if why else "",
        "label": True,
    }


def _drawn(
    found: Sequence[Change],
    before: Sequence[Shape],
    labels: Sequence[Shape],
    missing: Sequence[SentSuspect],
    size: tuple[int, int],
) -> dict[int, int]:
    """Of each place where nothing was labelled, which change put a label there.

    A label that was drawn there has an IoU of ``Agreement.match_iou``; one that was there, and
    covers the place only now, of ``SAME_PLACE``.
    """
    new = [i for i, one in enumerate(found) if one.label >= 0 and one.outcome != "kept"]
    places = [one.outline for one in missing]
    iou = mask_iou(places, [labels[found[i].label].polygon for i in new], size)
    for b, i in enumerate(new):
        if found[i].outcome == "added":
            iou[:, b] *= iou[:, b] >= Agreement.match_iou
        else:
            was = mask_iou(places, [before[found[i].sent].polygon], size)[:, 0]
            iou[:, b] *= (iou[:, b] >= SAME_PLACE) & (was < SAME_PLACE)
    return {a: new[b] for a, b, _ in _pairs(iou, 1e-9)}


def _either_of_two(
    found: Sequence[Change],
    before: Sequence[Shape],
    why: Mapping[int, SentSuspect],
    size: tuple[int, int],
) -> list[Outcome]:
    """The outcomes; where of two labels of one object the other one was deleted, the suspicion of
    this one was right too, and it counts as the one that went."""
    outcomes = [one.outcome for one in found]
    at = {one.sent: i for i, one in enumerate(found)}
    for sent, reason in why.items():
        if reason.kind != "duplicate" or found[at[sent]].outcome != "kept":
            continue
        gone = [i for i in at if i >= 0 and i not in why and found[at[i]].outcome == "deleted"]
        iou = mask_iou([before[sent].polygon], [before[i].polygon for i in gone], size)
        if gone and iou.max() >= SAME_PLACE:
            other = at[gone[int(iou[0].argmax())]]
            outcomes[at[sent]], outcomes[other] = outcomes[other], outcomes[at[sent]]
    return outcomes


def _pairs(iou: np.ndarray, least: float) -> Iterator[tuple[int, int, float]]:
    """Positions one to one, the highest IoU first."""
    rows, columns = set(range(iou.shape[0])), set(range(iou.shape[1]))
    for a, b in zip(*np.unravel_index(np.argsort(-iou, axis=None), iou.shape), strict=True):
        if iou[a, b] < least:
            return
        if a in rows and b in columns:
            rows.remove(a)
            columns.remove(b)
            yield int(a), int(b), float(iou[a, b])


def _coco(
    known: Sequence[tuple[_Judged, Here | None]], names: Sequence[str]
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


def _labels_after(one: _Judged, found: Here, names: Sequence[str]) -> Iterator[Row]:
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


def _most_changed(judged: Sequence[_Judged]) -> Iterator[Pair]:
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


def sentence(table: Sequence[Mapping[str, Any]]) -> str:
    """How many of the suspects people found to be wrong, by ``kind_rows``."""
    by_kind = {row["kind"]: row for row in table}
    whole, others = by_kind[SUSPECTS], by_kind[OTHERS]
    parts = [
        f"{row['kind'].replace('_', ' ')} {row['wrong']} of {row['objects']}"
        for row in table
        if row["kind"] not in (SUSPECTS, OTHERS, ALL) and row["objects"]
    ]
    share = (
        f" ({whole['wrong_share']:.0%}, 95% interval {whole['low']:.0%} to {whole['high']:.0%})"
        if whole["objects"]
        else ""
    )
    of_kinds = f": {', '.join(parts)}" if parts else ""
    return (
        f"people found {whole['wrong']} of {whole['objects']} suspects wrong{share}{of_kinds}; "
        f"they changed {others['wrong']} of {others['objects']} other labels there, and drew "
        f"{others['added']} objects that nobody suspected"
    )


def _say(
    say: Say,
    done: Rechecked,
    table: Sequence[Mapping[str, Any]],
    remarks: Sequence[str],
) -> None:
    counts = ", ".join(f"{getattr(done, one)} {one.replace('_', ' ')}" for one in OUTCOMES)
    say(f"{done.images} images back, {done.pending} pending; labels: {counts}")
    say(f"{sentence(table)}")
    if done.others:
        say(
            f"warning: {done.others} of these images are others here by now, or have other labels "
            "than were sent: left as they are here"
        )
    if remarks:
        say(f"warning: {len(remarks)} labels need a look, e.g. {remarks[0]}")
