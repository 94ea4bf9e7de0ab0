"""When a track begins, is confirmed, is lost, is found again and ends.

The rules, their order and their off-by-ones are those of the reference implementation
(``yolox/tracker/byte_tracker.py``) in ultralytics' form (``trackers/byte_tracker.py``).

Tracks are rows of an array ``book``, int64 (capacity, 8), in the order of their birth.
"""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled

# Columns of ``book``: FIRST and LAST frame with a detection (frames from 1), the detection taken
# in this frame or -1, and the row that the track had in the frame before or -1.
STATUS, TRACK_ID, CLASS, FIRST, LAST, GIVEN_UP, DETECTION, ROW_BEFORE = range(8)
BOOK_COLUMNS = 8

UNCONFIRMED, TRACKED, LOST, DROPPED = range(4)  # STATUS


@compiled
def usable(box: np.ndarray, score: np.ndarray, low_thresh: np.float32) -> np.ndarray:
    """Positions of finite boxes with a width and a height, and a finite score above the lowest."""
    kept = np.empty(len(score), np.int64)
    count = 0
    for i in range(len(score)):
        x1, y1, x2, y2 = box[i]
        whole = np.isfinite(x1) and np.isfinite(y1) and np.isfinite(x2) and np.isfinite(y2)
        whole = whole and np.isfinite(score[i])
        if whole and x2 - x1 > 0 and y2 - y1 > 0 and score[i] > low_thresh:
            kept[count] = i
            count += 1
    return kept[:count]


@compiled
def advance(
    book: np.ndarray,
    count: int,
    taken: np.ndarray,
    score: np.ndarray,
    class_id: np.ndarray,
    order: np.ndarray,
    new_track_thresh: np.float32,
    buffer: int,
    frame: int,
) -> int:
    """Write down what this frame means for every track, and begin new ones.

    Args:
        book: with room for ``count`` tracks and a new one per detection.
        taken: int64 (count,), each track's detection or -1.
        score, class_id: float32 and int64 (N,), of the detections.
        order: int64 (N,), in which detections begin tracks.
        new_track_thresh: the score from which a detection that no track took begins one.
        buffer: frames that a lost track waits.
        frame: from 1.

    Returns:
        The new ``count``.
    """
    free = np.ones(len(score), np.bool_)
    for i in range(count):
        book[i, DETECTION], book[i, ROW_BEFORE] = taken[i], i
        if taken[i] >= 0:
            free[taken[i]] = False
            book[i, STATUS], book[i, LAST] = TRACKED, frame
        elif book[i, STATUS] == UNCONFIRMED or book[i, GIVEN_UP]:
            # A track is kept in the frame in which it is given up, so that it may be found again in
            # the next; when it is not, or is lost a second time later, it goes at once.
            book[i, STATUS] = DROPPED
        elif book[i, STATUS] == TRACKED:
            book[i, STATUS] = LOST
        elif frame - book[i, LAST] > buffer:
            book[i, GIVEN_UP] = 1
    for j in order:
        if free[j] and not score[j] < new_track_thresh:
            # The first frame's tracks are trusted at once.
            book[count, STATUS] = TRACKED if frame == 1 else UNCONFIRMED
            book[count, CLASS], book[count, DETECTION] = class_id[j], j
            book[count, FIRST], book[count, LAST] = frame, frame
            book[count, TRACK_ID], book[count, GIVEN_UP] = 0, 0
            book[count, ROW_BEFORE] = -1
            count += 1
    return count


@compiled
def close_ranks(state: np.ndarray, book: np.ndarray, count: int, next_id: int) -> tuple[int, int]:
    """Remove dropped tracks, and give an id to those that are shown for the first time.

    Returns:
        The new ``count`` and ``next_id``.
    """
    kept = 0
    for i in range(count):
        if book[i, STATUS] == DROPPED:
            continue
        if book[i, STATUS] == TRACKED and book[i, TRACK_ID] == 0:
            book[i, TRACK_ID] = next_id
            next_id += 1
        if kept < i:
            for k in range(state.shape[1]):
                state[kept, k] = state[i, k]
            for k in range(BOOK_COLUMNS):
                book[kept, k] = book[i, k]
        kept += 1
    return kept, next_id
