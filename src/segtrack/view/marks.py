"""What ground truth says of a video's tracks: objects beside them, and marks on the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segtrack.base import rle
from segtrack.view.outlines import outlines

if TYPE_CHECKING:
    from segtrack.runs import KeptVideo
    from segtrack.scoring import Truth

KINDS = ("switch", "fragment", "flip", "miss", "false")
"""Marks: an id switch, an object found again, a row of another class, a miss, a false positive."""


@dataclass(frozen=True)
class Objects:
    """Judged objects of the ground truth, frames ascending.

    Attributes:
        frame, gt_id: int64 (N,).
        class_name: of each.
        track: int64 (N,), the track that CLEAR matched, -1 for a miss.
        old: int64 (N,), the track that it had before an id switch, else -1.
        fragment: bool (N,), found again after frames in which it was not.
        bbox_xyxy: float64 (N, 4), px.
        rle: masks, or None.
    """

    frame: np.ndarray
    gt_id: np.ndarray
    class_name: np.ndarray
    track: np.ndarray
    old: np.ndarray
    fragment: np.ndarray
    bbox_xyxy: np.ndarray
    rle: list[bytes | None]


@dataclass(frozen=True)
class Judged:
    """A video's tracks against its ground truth.

    Attributes:
        objects: of the ground truth.
        false_frame, false_track: int64 (F,), rows of tracks that match nothing, frames ascending.
        false_class: of each.
        flips: frame, track and the class that was detected, of rows of another class than their
            track's.
        height: of the video, px.
    """

    objects: Objects
    false_frame: np.ndarray
    false_track: np.ndarray
    false_class: np.ndarray
    flips: Sequence[tuple[int, int, str]]
    height: int

    def frames(self, first: int, end: int) -> dict[str, Any]:
        """Objects of frames ``first`` to ``end`` - 1, and which tracks match nothing there."""
        found = self.objects
        objects: dict[str, list[list[Any]]] = {}
        for i in range(*np.searchsorted(found.frame, [first, end]).tolist()):
            mask = found.rle[i]
            objects.setdefault(str(found.frame[i]), []).append(
                [
                    int(found.gt_id[i]),
                    str(found.class_name[i]),
                    *found.bbox_xyxy[i].round(2).tolist(),
                    int(found.track[i]),
                    outlines(mask, self.height) if mask is not None else None,
                ]
            )
        false: dict[str, list[int]] = {}
        for i in range(*np.searchsorted(self.false_frame, [first, end]).tolist()):
            false.setdefault(str(self.false_frame[i]), []).append(int(self.false_track[i]))
        return {"objects": objects, "false": false}

    def marks(self) -> dict[str, Any]:
        """Marks as rows of kind, first and last frame, track, object, other track and class, by
        frame; -1 for none. Misses in a row are one mark, and so are false positives."""
        o = self.objects
        rows: list[list[Any]] = []
        for kind, which in (("switch", o.old >= 0), ("fragment", o.fragment)):
            for i in np.flatnonzero(which).tolist():
                ids = (int(o.track[i]), int(o.gt_id[i]), int(o.old[i]))
                rows.append([kind, int(o.frame[i]), int(o.frame[i]), *ids, str(o.class_name[i])])
        missed = np.flatnonzero(o.track < 0)
        for first, last, i in stretches(o.gt_id[missed], o.frame[missed]):
            one = missed[i]
            rows.append(["miss", first, last, -1, int(o.gt_id[one]), -1, str(o.class_name[one])])
        for first, last, i in stretches(self.false_track, self.false_frame):
            name = str(self.false_class[i])
            rows.append(["false", first, last, int(self.false_track[i]), -1, -1, name])
        rows += [["flip", frame, frame, track, -1, -1, name] for frame, track, name in self.flips]
        rows.sort(key=lambda row: (row[1], KINDS.index(row[0]), row[3], row[4]))
        return {"marks": rows}


def stretches(identity: np.ndarray, frame: np.ndarray) -> list[tuple[int, int, int]]:
    """Successive frames of each identity: first frame, last frame, position of the first row."""
    if not len(frame):
        return []
    order = np.lexsort((frame, identity))
    who, when = identity[order], frame[order]
    new = (np.diff(who, prepend=who[0] - 1) != 0) | (np.diff(when, prepend=0) != 1)
    begins = np.flatnonzero(new)
    ends = np.append(begins[1:], len(when)) - 1
    columns = (when[begins], when[ends], order[begins])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def judged_of(kept: KeptVideo) -> Judged | None:
    """What a run kept of a video's ground truth; None where it has none.

    Boxes are judged where there are such, and masks shown where there are such.

    Raises:
        DataError: what it kept cannot be read.
    """
    truth, matches = kept.truth, kept.matches
    if truth is None or not matches:
        return None
    kind = "box" if any(kind == "box" for kind, _ in matches) else "mask"
    parts = [(name, one) for (of, name), one in matches.items() if of == kind]
    names = np.concatenate([np.full(len(one.frame), name, object) for name, one in parts])
    columns = [
        np.concatenate([getattr(one, column) for _, one in parts])
        for column in ("frame", "gt_id", "track_id", "old_track", "fragment")
    ]
    order = np.argsort(columns[0], kind="stable")
    frame, gt_id, track, old, fragment = (column[order] for column in columns)
    names, real = names[order], gt_id >= 0
    pairs = list(zip(frame[real].tolist(), gt_id[real].tolist(), strict=True))
    shapes = _shapes(truth, pairs)
    facts = (frame[real], gt_id[real], names[real], track[real], old[real], fragment[real])
    false = (frame[~real], track[~real], names[~real])
    return Judged(Objects(*facts, *shapes), *false, kept.flips, int(kept.head["height"]))


def _shapes(
    truth: Truth, pairs: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, list[bytes | None]]:
    """Boxes and masks of objects that are named by frame and id."""
    boxes: dict[tuple[int, int], Any] = {}
    masks: dict[tuple[int, int], bytes] = {}
    for part in (truth.boxes, truth.masks):
        if part is not None:
            place = zip(part.frame.tolist(), part.track_id.tolist(), strict=True)
            if part is truth.masks:
                masks = dict(zip(place, truth.masks.rle, strict=True))
            elif truth.boxes is not None:
                boxes = dict(zip(place, truth.boxes.box, strict=True))
    found = np.zeros((len(pairs), 4))
    for row, pair in enumerate(pairs):
        if pair in boxes:
            found[row] = boxes[pair]
        elif pair in masks and truth.masks is not None:
            found[row] = rle.mask_box(rle.run_lengths(masks[pair]), truth.masks.height)
    return found, [masks.get(pair) for pair in pairs]
