"""The inner loops of scoring, compiled. A frame's similarities are a row-major matrix (ground truth
by tracks) in one long array; ``*_start`` (T + 1,) say where each frame's part begins."""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled

EPS = float(np.finfo("float").eps)  # TrackEval's tolerance of thresholds
_SAME_TRACK = 1000.0  # CLEAR keeps last frame's pairs before it looks at overlap


@compiled
def matrix_starts(gt_start: np.ndarray, track_start: np.ndarray) -> np.ndarray:
    """Where each frame's similarity matrix begins."""
    start = np.zeros(len(gt_start), np.int64)
    for t in range(len(gt_start) - 1):
        size = (gt_start[t + 1] - gt_start[t]) * (track_start[t + 1] - track_start[t])
        start[t + 1] = start[t] + size
    return start


@compiled
def box_overlaps(
    a: np.ndarray, a_start: np.ndarray, b: np.ndarray, b_start: np.ndarray, of_first: bool
) -> np.ndarray:
    """IoU of the boxes (N, 4) and (M, 4) of each frame, corners in pixels.

    Args:
        a, a_start, b, b_start: boxes and where each frame's begin.
        of_first: intersection over the area of ``a`` instead of over the union.

    Returns:
        The frames' matrices one after the other; 0 where a box has no area.
    """
    start = matrix_starts(a_start, b_start)
    result = np.zeros(start[-1], np.float64)
    for t in range(len(a_start) - 1):
        place = start[t]
        for i in range(a_start[t], a_start[t + 1]):
            area_a = (a[i, 2] - a[i, 0]) * (a[i, 3] - a[i, 1])
            for j in range(b_start[t], b_start[t + 1]):
                width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
                height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
                if width > 0 and height > 0:
                    common = width * height
                    area_b = (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1])
                    union = area_a + area_b - common
                    if of_first and area_a > EPS:
                        result[place] = common / area_a
                    elif not of_first and area_a > EPS and area_b > EPS and union > EPS:
                        result[place] = common / union
                place += 1
    return result


@compiled
def assign(score: np.ndarray) -> np.ndarray:
    """The column of each row in the assignment with the highest sum; -1 for rows without one.

    Shortest augmenting paths, row by row: Crouse, "On implementing 2D rectangular assignment
    algorithms" (2016). Where several columns are equally near, a free one is taken, and among
    those the first that is looked at; columns are looked at from the last to the first. That is
    scipy's order, so that ties end as in TrackEval, which calls ``linear_sum_assignment``.
    """
    turned = score.shape[0] > score.shape[1]
    cost = -score.T.copy() if turned else -score
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    column_of, row_of = np.full(rows, -1), np.full(columns, -1)
    before = np.full(columns, -1)  # the row from which a column was reached
    distance = np.empty(columns)
    open_columns = np.empty(columns, np.int64)
    seen_row, seen_column = np.zeros(rows, np.bool_), np.zeros(columns, np.bool_)
    for first in range(rows):
        distance[:] = np.inf
        seen_row[:] = False
        seen_column[:] = False
        for k in range(columns):
            open_columns[k] = columns - 1 - k
        left, row, free, length = columns, first, -1, 0.0
        while free < 0:
            seen_row[row] = True
            best, nearest = -1, np.inf
            for k in range(left):
                j = open_columns[k]
                through = length + cost[row, j] - row_price[row] - column_price[j]
                if through < distance[j]:
                    distance[j] = through
                    before[j] = row
                if distance[j] < nearest or (distance[j] == nearest and row_of[j] < 0):
                    nearest = distance[j]
                    best = k
            length = nearest
            j = open_columns[best]
            seen_column[j] = True
            left -= 1
            open_columns[best] = open_columns[left]
            if row_of[j] < 0:
                free = j
            else:
                row = row_of[j]
        row_price[first] += length
        for i in range(rows):
            if seen_row[i] and i != first:
                row_price[i] += length - distance[column_of[i]]
        for j in range(columns):
            if seen_column[j]:
                column_price[j] -= length - distance[j]
        j = free
        while True:
            i = before[j]
            row_of[j] = i
            column_of[i], j = j, column_of[i]
            if i == first:
                break
    return row_of if turned else column_of


@compiled
def matched_at_half(
    sim: np.ndarray, gt_start: np.ndarray, track_start: np.ndarray, below: float
) -> np.ndarray:
    """The ground-truth row that each track row matches at a similarity of .5, or -1.

    Args:
        sim, gt_start, track_start: as above.
        below: what a smaller similarity counts for in the assignment: 0 for boxes, -10000 in the
            MOTS benchmarks (there the number of matches comes before their overlap).
    """
    start = matrix_starts(gt_start, track_start)
    result = np.full(track_start[-1], -1)
    for t in range(len(gt_start) - 1):
        rows, columns = gt_start[t + 1] - gt_start[t], track_start[t + 1] - track_start[t]
        if rows == 0 or columns == 0:
            continue
        score = sim[start[t] : start[t + 1]].copy().reshape(rows, columns)
        for i in range(rows):
            for j in range(columns):
                if score[i, j] < 0.5 - EPS:
                    score[i, j] = below
        column_of = assign(score)
        for i in range(rows):
            if column_of[i] >= 0 and score[i, column_of[i]] > EPS:
                result[track_start[t] + column_of[i]] = gt_start[t] + i
    return result


@compiled
def kept_matrices(
    sim: np.ndarray,
    gt_start: np.ndarray,
    track_start: np.ndarray,
    keep_gt: np.ndarray,
    keep_track: np.ndarray,
) -> np.ndarray:
    """The similarities of the rows (bool N) and columns (bool M) that are kept."""
    result = np.empty(len(sim), np.float64)
    place = filled = 0
    for t in range(len(gt_start) - 1):
        for i in range(gt_start[t], gt_start[t + 1]):
            for j in range(track_start[t], track_start[t + 1]):
                if keep_gt[i] and keep_track[j]:
                    result[filled] = sim[place]
                    filled += 1
                place += 1
    return result[:filled].copy()


@compiled
def hota_matches(
    sim: np.ndarray,
    gt_start: np.ndarray,
    track_start: np.ndarray,
    gt_id: np.ndarray,
    track_id: np.ndarray,
    gt_ids: int,
    track_ids: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HOTA's one assignment per frame, and how often ids overlap for Identity.

    Args:
        sim, gt_start, track_start: as above.
        gt_id (N,), track_id (M,): below ``gt_ids`` and ``track_ids``.

    Returns:
        For each ground-truth row the track row assigned to it (-1: none) and their similarity;
        int64 (gt_ids, track_ids) frames in which two ids have a similarity of .5.
    """
    start = matrix_starts(gt_start, track_start)
    aligned = np.zeros((gt_ids, track_ids))
    together = np.zeros((gt_ids, track_ids), np.int64)
    gt_frames, track_frames = np.zeros(gt_ids), np.zeros(track_ids)
    for i in range(len(gt_id)):
        gt_frames[gt_id[i]] += 1
    for j in range(len(track_id)):
        track_frames[track_id[j]] += 1
    for t in range(len(gt_start) - 1):
        g, k = gt_start[t], track_start[t]
        rows, columns = gt_start[t + 1] - g, track_start[t + 1] - k
        part = sim[start[t] : start[t + 1]].reshape(rows, columns)
        row_sum, column_sum = np.zeros(rows), np.zeros(columns)
        for i in range(rows):
            for j in range(columns):
                row_sum[i] += part[i, j]
                column_sum[j] += part[i, j]
        for i in range(rows):
            for j in range(columns):
                value = part[i, j]
                union = column_sum[j] + row_sum[i] - value
                if union > EPS:
                    aligned[gt_id[g + i], track_id[k + j]] += value / union
                if value >= 0.5:
                    together[gt_id[g + i], track_id[k + j]] += 1
    track_of = np.full(len(gt_id), -1)
    similarity = np.zeros(len(gt_id))
    for t in range(len(gt_start) - 1):
        g, k = gt_start[t], track_start[t]
        rows, columns = gt_start[t + 1] - g, track_start[t + 1] - k
        if rows == 0 or columns == 0:
            continue
        part = sim[start[t] : start[t + 1]].reshape(rows, columns)
        score = np.empty((rows, columns))
        for i in range(rows):
            for j in range(columns):
                a, b = gt_id[g + i], track_id[k + j]
                union = gt_frames[a] + track_frames[b] - aligned[a, b]
                score[i, j] = aligned[a, b] / union * part[i, j]
        column_of = assign(score)
        for i in range(rows):
            if column_of[i] >= 0:
                track_of[g + i] = k + column_of[i]
                similarity[g + i] = part[i, column_of[i]]
    return track_of, similarity, together


@compiled
def clear_matches(
    sim: np.ndarray,
    gt_start: np.ndarray,
    track_start: np.ndarray,
    gt_id: np.ndarray,
    track_id: np.ndarray,
    gt_ids: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """CLEAR's matches at a similarity of .5, last frame's pairs first.

    Returns:
        For each ground-truth row the similarity of its match (-1: none) and, where the match is an
        id switch, the track id before it and the one now (-1 elsewhere); int64 (gt_ids,) how often
        each id began to be tracked.
    """
    start = matrix_starts(gt_start, track_start)
    similarity = np.full(len(gt_id), -1.0)
    old, new = np.full(len(gt_id), -1), np.full(len(gt_id), -1)
    begun = np.zeros(gt_ids, np.int64)
    last, last_frame, now = np.full(gt_ids, -1), np.full(gt_ids, -1), np.full(gt_ids, -1)
    for t in range(len(gt_start) - 1):
        g, k = gt_start[t], track_start[t]
        rows, columns = gt_start[t + 1] - g, track_start[t + 1] - k
        if rows == 0 or columns == 0:
            continue  # what was tracked in the last frame is kept, as in TrackEval
        part = sim[start[t] : start[t + 1]].reshape(rows, columns)
        score = np.zeros((rows, columns))
        for i in range(rows):
            for j in range(columns):
                if part[i, j] >= 0.5 - EPS:
                    same = last_frame[gt_id[g + i]] == track_id[k + j]
                    score[i, j] = part[i, j] + (_SAME_TRACK if same else 0.0)
        column_of = assign(score)
        now[:] = -1
        for i in range(rows):
            j = column_of[i]
            if j < 0 or not score[i, j] > EPS:
                continue
            one, track = gt_id[g + i], track_id[k + j]
            similarity[g + i] = part[i, j]
            if last[one] >= 0 and last[one] != track:
                old[g + i], new[g + i] = last[one], track
            if last_frame[one] < 0:
                begun[one] += 1
            last[one] = now[one] = track
        last_frame[:] = now
    return similarity, old, new, begun
