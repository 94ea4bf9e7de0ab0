"""Which detection belongs to which track: overlap, assignment, and ByteTrack's three rounds.

The reference computes IoU and costs in float32, so this does: the same numbers lie on the same side
of a threshold.
"""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.tracker.bytetrack.lifecycle import (
    CLASS,
    DETECTION,
    DROPPED,
    FIRST,
    LAST,
    LOST,
    STATUS,
    TRACKED,
    UNCONFIRMED,
)

SECOND_LIMIT, UNCONFIRMED_LIMIT = 0.5, 0.7  # costs; the reference has no knob for them
DUPLICATE_COST = 0.15


@compiled
def _iou(a: np.ndarray, b: np.ndarray) -> np.float32:
    """Of two boxes, in the reference's float32 operations with its 1e-7 in the denominator."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return np.float32(0)
    shared = width * height
    union = (b[2] - b[0]) * (b[3] - b[1]) + (a[2] - a[0]) * (a[3] - a[1]) - shared
    return np.float32(shared / (union + np.float32(1e-7)))


@compiled
def overlaps(
    a: np.ndarray, b: np.ndarray, a_class: np.ndarray, b_class: np.ndarray, class_aware: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of boxes that share some area, as a sparse matrix by rows.

    Args:
        a: float32 (N, 4).
        b: float32 (M, 4), x1 ascending: only boxes that can reach a box's x-range are looked at.
        a_class, b_class: int64; with ``class_aware``, pairs of two classes are left out.

    Returns:
        int64 (N + 1,) where each row starts, and per pair its position in ``b`` and float32 IoU.
    """
    start = np.zeros(len(a) + 1, np.int64)
    index = np.empty(4 * len(a) + 16, np.int64)
    iou = np.empty(len(index), np.float32)
    widest = 0.0
    for j in range(len(b)):
        widest = max(widest, np.float64(b[j, 2]) - np.float64(b[j, 0]))
    count = 0
    for i in range(len(a)):
        x1, x2 = a[i, 0], a[i, 2]
        first, last = 0, len(b)
        while first < last:
            middle = (first + last) // 2
            if np.float64(b[middle, 0]) < np.float64(x1) - widest:
                first = middle + 1
            else:
                last = middle
        for j in range(first, len(b)):
            if b[j, 0] >= x2:
                break
            if class_aware and a_class[i] != b_class[j]:
                continue
            shared = _iou(a[i], b[j])
            if not shared > 0:
                continue
            if count == len(index):
                index = np.concatenate((index, np.empty_like(index)))
                iou = np.concatenate((iou, np.empty_like(iou)))
            index[count], iou[count] = j, shared
            count += 1
        start[i + 1] = count
    return start, index[:count], iou[:count]


@compiled
def match(
    start: np.ndarray,
    index: np.ndarray,
    cost: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    limit: float,
) -> np.ndarray:
    """The assignment of least cost, where a row that stays alone costs ``limit``.

    The same as ``lap.lapjv(cost, extend_cost=True, cost_limit=limit)`` on the full matrix. Rows are
    added one at a time along a shortest augmenting path over reduced costs (Jonker and Volgenant,
    1987; Crouse, 2016). A path never leaves the connected part that its row belongs to, which is
    one pair mostly.

    Args:
        start, index: sparse matrix as from ``overlaps``; what is not in it costs too much.
        cost: float32, per pair; those of ``limit`` and above are never taken.
        rows, columns: bool, which take part.

    Returns:
        int64 (rows,), the column of each row or -1.
    """
    column_of, row_of = np.full(len(rows), -1), np.full(len(columns), -1)
    row_price, column_price = np.zeros(len(rows)), np.zeros(len(columns))
    distance = np.full(len(columns), np.inf)
    came_from = np.empty(len(columns), np.int64)
    scanned = np.zeros(len(columns), np.bool_)
    seen = np.empty(len(columns), np.int64)
    for added in range(len(rows)):
        if not rows[added]:
            continue
        seen_count, length, row, nearest = 0, 0.0, added, -1
        alone_length, alone_row = np.inf, -1  # the cheapest row to leave without a column
        while True:
            base = length - row_price[row]
            if base + limit < alone_length:
                alone_length, alone_row = base + limit, row
            for pair in range(start[row], start[row + 1]):
                j = index[pair]
                if not columns[j] or scanned[j] or not cost[pair] < limit:
                    continue
                through = base + cost[pair] - column_price[j]
                if through < distance[j]:
                    if distance[j] == np.inf:
                        seen[seen_count] = j
                        seen_count += 1
                    distance[j] = through
                    came_from[j] = row
            nearest, length = -1, alone_length
            for k in range(seen_count):
                if not scanned[seen[k]] and distance[seen[k]] < length:
                    nearest, length = seen[k], distance[seen[k]]
            if nearest < 0 or row_of[nearest] < 0:
                break
            scanned[nearest] = True
            row = row_of[nearest]
        row_price[added] += length
        for k in range(seen_count):
            j = seen[k]
            if scanned[j]:
                column_price[j] -= length - distance[j]
                row_price[row_of[j]] += length - distance[j]
            scanned[j] = False
            distance[j] = np.inf
        # Hand columns on along the path, from its end to the row that was added.
        j, row = nearest, alone_row
        if nearest < 0:
            j = column_of[row]
            column_of[row] = -1
        while j >= 0 and (nearest >= 0 or row != added):
            row = came_from[j]
            before = column_of[row]
            column_of[row], row_of[j] = j, row
            j = before
    return column_of


@compiled
def cascade(
    book: np.ndarray,
    count: int,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    score: np.ndarray,
    track_thresh: np.float32,
    match_thresh: float,
    fuse_score: bool,
) -> np.ndarray:
    """ByteTrack's three rounds of matching.

    Args:
        pairs: rows, detections and similarities of the pairs that may match, from ``overlaps``.
        score: float32, of the detections.

    Returns:
        int64 (count,), each track's detection or -1.
    """
    start, index, similarity = pairs
    one = np.float32(1)
    plain, fused = np.empty_like(similarity), np.empty_like(similarity)
    for k in range(len(similarity)):
        plain[k] = fused[k] = one - similarity[k]
        if fuse_score:
            fused[k] = one - (one - plain[k]) * score[index[k]]

    # First: tracked and lost tracks with detections of high score.
    rows, columns = np.empty(count, np.bool_), np.empty(len(score), np.bool_)
    for i in range(count):
        rows[i] = book[i, STATUS] != UNCONFIRMED
    for j in range(len(score)):
        columns[j] = score[j] >= track_thresh
    taken = match(start, index, fused, rows, columns, match_thresh)
    # Second: what is left of the tracked ones with those of low score, by IoU alone.
    for i in range(count):
        rows[i] = taken[i] < 0 and book[i, STATUS] == TRACKED
    for j in range(len(score)):
        columns[j] = not columns[j]
    second = match(start, index, plain, rows, columns, SECOND_LIMIT)
    # Third: tracks that were seen once with what is left of the high ones.
    free = columns
    for j in range(len(score)):
        free[j] = not columns[j]
    for i in range(count):
        rows[i] = book[i, STATUS] == UNCONFIRMED
        if taken[i] >= 0:
            free[taken[i]] = False
    third = match(start, index, fused, rows, free, UNCONFIRMED_LIMIT)
    for i in range(count):
        taken[i] = max(taken[i], second[i], third[i])
    return taken


@compiled
def duplicates(book: np.ndarray, boxes: np.ndarray, class_aware: bool) -> None:
    """Of a seen and a lost track in one place, drop the one that was followed for less long.

    Args:
        boxes: float32 (N, 4), of the first N rows of ``book``.
    """
    lost = np.empty(len(boxes), np.int64)
    lost_count = 0
    for i in range(len(boxes)):
        if book[i, STATUS] == LOST:
            lost[lost_count] = i
            lost_count += 1
    for i in range(len(boxes)):
        if book[i, DETECTION] < 0:
            continue
        for k in range(lost_count):
            j = lost[k]
            # Most pairs end here, so that all of them can be looked at in a large crowd too.
            if boxes[j, 0] >= boxes[i, 2] or boxes[j, 2] <= boxes[i, 0]:
                continue
            if class_aware and book[i, CLASS] != book[j, CLASS]:
                continue
            if np.float32(1) - _iou(boxes[i], boxes[j]) < np.float32(DUPLICATE_COST):
                longer = book[i, LAST] - book[i, FIRST] > book[j, LAST] - book[j, FIRST]
                book[j if longer else i, STATUS] = DROPPED
