"""The inner loops of scoring, compiled.

Only pairs that overlap are kept, as a sparse matrix of ground-truth rows by track rows: in a crowd
of hundreds nearly all pairs of a frame have nothing in common. The pairs of ground-truth row ``i``
are ``first[i]`` to ``first[i + 1]`` of ``column``, its track rows ascending, and ``sim``.
``*_start`` (T + 1,) say where each frame's rows begin.
"""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled

EPS = float(np.finfo("float").eps)  # TrackEval's tolerance of thresholds
_SAME_TRACK = 1000.0  # CLEAR keeps last frame's pairs before it looks at overlap
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""``first`` int64 (N + 1,), ``column`` int32 (P,), ``sim`` float64 (P,) above 0."""


@compiled
def _overlap(a: np.ndarray, b: np.ndarray, of_first: bool) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if not (width > 0 and height > 0):
        return 0.0
    common = width * height
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    union = area_a + area_b - common
    if of_first:
        return common / area_a if area_a > EPS else 0.0
    return common / union if area_a > EPS and area_b > EPS and union > EPS else 0.0


@compiled
def box_overlaps(
    a: np.ndarray, a_start: np.ndarray, b: np.ndarray, b_start: np.ndarray, of_first: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """IoU of the boxes (N, 4) and (M, 4) of each frame, corners in pixels.

    Args:
        a, a_start, b, b_start: boxes and where each frame's begin.
        of_first: intersection over the area of ``a`` instead of over the union.

    Returns:
        The pairs above 0, which is what boxes without area have.
    """
    first = np.zeros(len(a) + 1, np.int64)
    for t in range(len(a_start) - 1):
        for i in range(a_start[t], a_start[t + 1]):
            first[i + 1] = first[i]
            for j in range(b_start[t], b_start[t + 1]):
                first[i + 1] += _overlap(a[i], b[j], of_first) > 0
    first[a_start[-1] :] = first[a_start[-1]]  # rows of no frame have no pairs
    column, sim = np.empty(first[-1], np.int32), np.empty(first[-1], np.float64)
    place = 0
    for t in range(len(a_start) - 1):
        for i in range(a_start[t], a_start[t + 1]):
            for j in range(b_start[t], b_start[t + 1]):
                value = _overlap(a[i], b[j], of_first)
                if value > 0:
                    column[place], sim[place] = j, value
                    place += 1
    return first, column, sim


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
    first: np.ndarray,
    column: np.ndarray,
    sim: np.ndarray,
    gt_start: np.ndarray,
    track_start: np.ndarray,
    below: float,
) -> np.ndarray:
    """The ground-truth row that each track row matches at a similarity of .5, or -1.

    Args:
        first, column, sim, gt_start, track_start: as above.
        below: what a smaller similarity counts for in the assignment: 0 for boxes, -10000 in the
            MOTS benchmarks (there the number of matches comes before their overlap).
    """
    result = np.full(track_start[-1], -1)
    for t in range(len(gt_start) - 1):
        g, k = gt_start[t], track_start[t]
        rows, columns = gt_start[t + 1] - g, track_start[t + 1] - k
        if rows == 0 or columns == 0:
            continue
        score = np.full((rows, columns), below)
        for i in range(rows):
            for p in range(first[g + i], first[g + i + 1]):
                if sim[p] >= 0.5 - EPS:
                    score[i, column[p] - k] = sim[p]
        column_of = assign(score)
        for i in range(rows):
            if column_of[i] >= 0 and score[i, column_of[i]] > EPS:
                result[k + column_of[i]] = g + i
    return result


@compiled
def kept_pairs(
    first: np.ndarray,
    column: np.ndarray,
    sim: np.ndarray,
    keep_gt: np.ndarray,
    keep_track: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of the rows (bool N) and columns (bool M) that are kept, numbered among those."""
    number = np.cumsum(keep_track) - 1
    kept_first = np.zeros(np.sum(keep_gt) + 1, np.int64)
    row = 0
    for i in range(len(keep_gt)):
        if keep_gt[i]:
            row += 1
            kept_first[row] = kept_first[row - 1]
            for p in range(first[i], first[i + 1]):
                kept_first[row] += keep_track[column[p]]
    kept_column = np.empty(kept_first[-1], np.int32)
    kept_sim = np.empty(kept_first[-1], np.float64)
    place = 0
    for i in range(len(keep_gt)):
        if keep_gt[i]:
            for p in range(first[i], first[i + 1]):
                if keep_track[column[p]]:
                    kept_column[place], kept_sim[place] = number[column[p]], sim[p]
                    place += 1
    return kept_first, kept_column, kept_sim


@compiled
def id_pairs(
    first: np.ndarray,
    column: np.ndarray,
    gt_id: np.ndarray,
    rows: np.ndarray,
    track_id: np.ndarray,
    gt_ids: int,
    track_ids: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which ids overlap at all.

    Args:
        rows: int64, the places in ``gt_id`` of each id, ids and places ascending; sorted by the
            caller, since a sort takes seconds to be compiled.

    Returns:
        int32 (P,), the number of each pair's ids; int64 (gt_ids + 1,) where the numbers of each
        ground-truth id begin; int32 (ids that overlap,), the track id of each number.
    """
    number = np.empty(len(column), np.int32)
    id_first = np.zeros(gt_ids + 1, np.int64)
    tracks = np.empty(len(column), np.int32)
    known = np.full(track_ids, -1)  # the last number that a track id was given
    place = count = 0
    for one in range(gt_ids):
        id_first[one] = count
        while place < len(rows) and gt_id[rows[place]] == one:
            for p in range(first[rows[place]], first[rows[place] + 1]):
                track = track_id[column[p]]
                if known[track] < id_first[one]:
                    known[track] = count
                    tracks[count] = track
                    count += 1
                number[p] = known[track]
            place += 1
    id_first[gt_ids] = count
    return number, id_first, tracks[:count].copy()


@compiled
def hota_matches(
    first: np.ndarray,
    column: np.ndarray,
    sim: np.ndarray,
    gt_start: np.ndarray,
    track_start: np.ndarray,
    gt_id: np.ndarray,
    track_id: np.ndarray,
    number: np.ndarray,
    numbers: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HOTA's one assignment per frame, and how often ids overlap for Identity.

    Args:
        first, column, sim, gt_start, track_start: as above.
        gt_id (N,), track_id (M,): from 0 on.
        number (P,), numbers: of ``id_pairs``, and how many there are.

    Returns:
        For each ground-truth row the track row assigned to it (-1: none) and their similarity;
        int64 (numbers,) frames in which two ids have a similarity of .5.
    """
    aligned = np.zeros(numbers)
    together = np.zeros(numbers, np.int64)
    gt_frames, track_frames = np.bincount(gt_id), np.bincount(track_id)
    column_sum = np.zeros(len(track_id))
    for t in range(len(gt_start) - 1):
        for p in range(first[gt_start[t]], first[gt_start[t + 1]]):
            column_sum[column[p]] += sim[p]
        for i in range(gt_start[t], gt_start[t + 1]):
            row_sum = 0.0
            for p in range(first[i], first[i + 1]):
                row_sum += sim[p]
            for p in range(first[i], first[i + 1]):
                union = column_sum[column[p]] + row_sum - sim[p]
                if union > EPS:
                    aligned[number[p]] += sim[p] / union
                if sim[p] >= 0.5:
                    together[number[p]] += 1
    track_of = np.full(len(gt_id), -1)
    similarity = np.zeros(len(gt_id))
    for t in range(len(gt_start) - 1):
        g, k = gt_start[t], track_start[t]
        rows, columns = gt_start[t + 1] - g, track_start[t + 1] - k
        if rows == 0 or columns == 0:
            continue
        score = np.zeros((rows, columns))
        for i in range(rows):
            for p in range(first[g + i], first[g + i + 1]):
                common = aligned[number[p]]
                union = gt_frames[gt_id[g + i]] + track_frames[track_id[column[p]]] - common
                score[i, column[p] - k] = common / union * sim[p]
        column_of = assign(score)
        for i in range(rows):
            if column_of[i] >= 0:
                track_of[g + i] = k + column_of[i]
                for p in range(first[g + i], first[g + i + 1]):
                    if column[p] == track_of[g + i]:
                        similarity[g + i] = sim[p]
    return track_of, similarity, together


@compiled
def clear_matches(
    first: np.ndarray,
    column: np.ndarray,
    sim: np.ndarray,
    gt_start: np.ndarray,
    track_start: np.ndarray,
    gt_id: np.ndarray,
    track_id: np.ndarray,
    gt_ids: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """CLEAR's matches at a similarity of .5, last frame's pairs first.

    Returns:
        For each ground-truth row the similarity of its match and its track id (-1: none), where the
        match is an id switch the track id before it (-1 elsewhere); int64 (gt_ids,) how often each
        id began to be tracked.
    """
    similarity = np.full(len(gt_id), -1.0)
    followed, old = np.full(len(gt_id), -1), np.full(len(gt_id), -1)
    begun = np.zeros(gt_ids, np.int64)
    last, last_frame = np.full(gt_ids, -1), np.full(gt_ids, -2)
    before = -1  # the last frame with both; what was tracked there is kept, as in TrackEval
    for t in range(len(gt_start) - 1):
        g, k = gt_start[t], track_start[t]
        rows, columns = gt_start[t + 1] - g, track_start[t + 1] - k
        if rows == 0 or columns == 0:
            continue
        score = np.zeros((rows, columns))
        for i in range(rows):
            one = gt_id[g + i]
            for p in range(first[g + i], first[g + i + 1]):
                if sim[p] >= 0.5 - EPS:
                    same = last_frame[one] == before and last[one] == track_id[column[p]]
                    score[i, column[p] - k] = sim[p] + (_SAME_TRACK if same else 0.0)
        column_of = assign(score)
        for i in range(rows):
            j = column_of[i]
            if j < 0 or not score[i, j] > EPS:
                continue
            one, track = gt_id[g + i], track_id[k + j]
            for p in range(first[g + i], first[g + i + 1]):
                if column[p] == k + j:
                    similarity[g + i] = sim[p]
            if last[one] >= 0 and last[one] != track:
                old[g + i] = last[one]
            if last_frame[one] != before:
                begun[one] += 1
            followed[g + i], last[one], last_frame[one] = track, track, t
        before = t
    return similarity, followed, old, begun
