"""Where the tracks of two runs on the same video differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from segtrack.view.marks import stretches
from segtrack.view.objects import ObjectIndex, Rows

SAME = 0.5  # IoU from which two boxes of a class are of one object


def differences(a: ObjectIndex, b: ObjectIndex) -> list[list[Any]]:
    """Of two that have been read: marks as rows of first frame, last frame, side (0 or 1),
    track and what differs, by frame.

    An object of one run is the other's where class and box agree (IoU from .5 on, the assignment
    with the highest sum). What has no such partner is in one run alone; and where a track goes on
    as another track of the other run than before, the two disagree on who is who.
    """
    sides = (a.known(), b.known())
    pairs = _pairs(sides[0], sides[1], _common(a, b))
    marks: list[list[Any]] = []
    for side, rows in enumerate(sides):
        other = "AB"[1 - side]
        alone = np.setdiff1d(np.arange(len(rows)), pairs[:, side])
        for first, last, i in stretches(rows.track_id[alone], rows.frame[alone]):
            track = int(rows.track_id[alone[i]])
            marks.append([first, last, side, track, f"track {track} of {'AB'[side]} alone"])
        mine, theirs = (sides[s].track_id[pairs[:, s]] for s in (side, 1 - side))
        frame = rows.frame[pairs[:, side]]
        order = np.lexsort((frame, mine))
        mine, theirs, frame = mine[order], theirs[order], frame[order]
        change = np.flatnonzero((np.diff(mine) == 0) & (np.diff(theirs) != 0)) + 1
        for i in change.tolist():
            text = f"track {mine[i]} of {'AB'[side]}, {theirs[i - 1]} of {other}, is now"
            text = f"{text} {theirs[i]} of {other}"
            marks.append([int(frame[i]), int(frame[i]), side, int(mine[i]), text])
    return sorted(marks, key=lambda row: (row[0], row[2], row[3]))


def _common(a: ObjectIndex, b: ObjectIndex) -> tuple[dict[int, int], dict[int, int]]:
    """The classes of both by numbers of their own: names that are the same have the same."""
    names = sorted({*a.names.values(), *b.names.values()})
    number = {name: place for place, name in enumerate(names)}
    own, other = ({k: number[name] for k, name in one.names.items()} for one in (a, b))
    return own, other


def _pairs(a: Rows, b: Rows, classes: tuple[dict[int, int], dict[int, int]]) -> np.ndarray:
    """int64 (P, 2): rows of both that are one object."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    kinds = [
        np.array([of[k] for k in rows.class_id.tolist()], np.int64)
        for rows, of in zip((a, b), classes, strict=True)
    ]
    frames = np.intersect1d(a.frame, b.frame)
    begins, ends = (
        [np.searchsorted(r.frame, frames, s) for r in (a, b)] for s in ("left", "right")
    )
    found: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    for i in range(len(frames)):
        (a0, b0), (a1, b1) = (begins[0][i], begins[1][i]), (ends[0][i], ends[1][i])
        iou = box_iou(a.bbox_xyxy[a0:a1], b.bbox_xyxy[b0:b1])
        iou[(iou < SAME) | (kinds[0][a0:a1, None] != kinds[1][None, b0:b1])] = 0
        rows, columns = linear_sum_assignment(iou, maximize=True)
        kept = iou[rows, columns] > 0
        found.append(np.stack([a0 + rows[kept], b0 + columns[kept]], axis=1))
    return np.concatenate(found)


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of boxes (N, 4) and (M, 4), corners in px: float64 (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2]).astype(np.float64)
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = [np.clip(one[:, 2:] - one[:, :2], 0, None).astype(np.float64).prod(1) for one in (a, b)]
    union = area[0][:, None] + area[1][None] - shared
    return np.asarray(shared / np.where(union > 0, union, 1))
