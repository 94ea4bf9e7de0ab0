"""What became of labels that people looked at again, and of what was suspected of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from segtrack.annotation.matching import Agreement, Shape, compare
from segtrack.annotation.rechecks import SentLabel, SentSuspect
from segtrack.annotation.sent import SentImage
from segtrack.base.polygons import mask_iou
from segtrack.base.shares import share_interval

SAME_PLACE = 0.5  # IoU from which labels of two classes, or a label and a place, are one object
MOVED = 0.2  # IoU of a label of its class that was drawn anew, far beside where it was
SUSPECTS, OTHERS, ALL = "suspects", "not_suspect", "all"
Outcome = Literal["kept", "corrected", "class_changed", "deleted", "added"]
OUTCOMES: tuple[Outcome, ...] = ("kept", "corrected", "class_changed", "deleted", "added")


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


class Judged(NamedTuple):
    """One image: its changes, the labels before and after, and its rows of ``objects.csv``."""

    image: SentImage
    sent: list[SentLabel]
    labels: list[Shape]
    changes: list[Change]
    rows: list[dict[str, Any]]


def judge(
    image: SentImage, sent: list[SentLabel], suspects: list[SentSuspect], labels: list[Shape]
) -> Judged:
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
    return Judged(image, sent, labels, found, rows)


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
