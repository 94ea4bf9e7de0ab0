"""What becomes of objects that are hidden: how many are found, and who is still the same after it.

How much of an object is seen is what its ground truth says: MOT16's and later ones' visibility, the
simulator's visible fraction, KITTI's and VisDrone's levels. MOT15's files and masks say nothing.

An OCCLUSION is a gap between two successive frames in which an identity is seen. It is seen where
it is not hidden (``HIDDEN``); in the frames between it is hidden or has no row at all, so that one
who leaves the image and comes back counts too, where the benchmark keeps the identity. Both ends
are rows that are judged. Its length is the number of frames between. The identity is KEPT where
the track that CLEAR matched to it last before (at the gap's first end or in the ``WINDOW`` - 1
frames before that) is the one matched to it first after (at the other end or in as many frames
after), SWITCHED where these are two tracks, and LOST where before or after no track was matched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segtrack.base.sizes import COMMON, SIZE_EDGES, SIZES

FRACTION_EDGES = (0.75, 0.5, 0.25)
LEVELS = (
    *("visible 75-100%", "visible 50-75%", "visible 25-50%", "visible 0-25%"),
    *("fully visible", "partly occluded", "largely occluded"),  # KITTI, devkit's readme.txt
    *("no occlusion", "occluded 1-50%", "occluded 50-100%"),  # VisDrone, toolkit's README
)
"""What a row's level stands for; -1 where the ground truth does not say."""
SCALES = ((0, 4), (4, 7), (7, 10))  # levels that belong together, first to last (excluded)
KITTI_FIRST, VISDRONE_FIRST = 4, 7
HIDDEN = (3, 6, 9)
"""Levels at which an identity is hidden: less than a quarter, or half, of it is seen."""
GAPS = ("1-5", "6-15", "16-30", "31+")
"""Lengths of occlusions, in frames."""
GAP_EDGES = (6, 16, 31)
WINDOW = 15
"""Frames before and after an occlusion in which a match is looked for."""
ENOUGH = 20  # objects that a recall is made of

GAP_PARTS = ("Occlusions", "Kept", "Switched")
OCCLUSION_FIELDS = (
    *(f"{part}_{gap}" for part in GAP_PARTS for gap in GAPS),
    *(f"{part}_{level}_{size}" for part in ("Seen", "Found") for level in LEVELS for size in SIZES),
)
_GAP_SIZE = len(GAP_PARTS) * len(GAPS)
_PARTS = {"Kept": np.ones(len(GAPS))} | {
    f"Kept {gap}": row for gap, row in zip(GAPS, np.eye(len(GAPS)), strict=True)
}


def levels_of(visibility: np.ndarray) -> np.ndarray:
    """Levels, int64 (N,), of visible fractions (N,); what lies outside 0 to 1 is unknown."""
    level = np.searchsorted(-np.array(FRACTION_EDGES), -visibility, side="left")
    return np.where((visibility >= 0) & (visibility <= 1), level, -1)


def numbered_levels(occlusion: np.ndarray, first: int) -> np.ndarray:
    """Levels, int64 (N,), of KITTI's or VisDrone's numbers (N,); other than 0, 1, 2 is unknown."""
    return np.where(np.isin(occlusion, (0, 1, 2)), first + occlusion, -1).astype(np.int64)


def count_occlusions(
    frame: np.ndarray,
    identity: np.ndarray,
    level: np.ndarray,
    area: np.ndarray,
    judged: np.ndarray,
    followed: np.ndarray,
) -> np.ndarray:
    """Counts of one sequence and class.

    Args:
        frame, identity: int64 (N,), all rows of the ground truth, frames ascending.
        level: int64 (N,), place in ``LEVELS`` or -1.
        area: float (N,), px².
        judged: bool (N,), rows of the class that are judged.
        followed: int64 (N,), the track that CLEAR matched to a row, -1 without one.

    Returns:
        float64, in the order of ``OCCLUSION_FIELDS``.
    """
    sized = len(LEVELS), len(SIZES)
    known = judged & (level >= 0)
    cell = level * len(SIZES) + np.searchsorted(SIZE_EDGES, area, side="right")
    seen = np.bincount(cell[known], minlength=sized[0] * sized[1])
    found = np.bincount(cell[known & (followed >= 0)], minlength=sized[0] * sized[1])
    gaps = _gaps(frame, identity, level, judged, followed)
    return np.concatenate([gaps.ravel(), seen, found]).astype(np.float64)


def _gaps(
    frame: np.ndarray,
    identity: np.ndarray,
    level: np.ndarray,
    judged: np.ndarray,
    followed: np.ndarray,
) -> np.ndarray:
    """int64 (3, 4): occlusions by length, those that identities were kept and switched after."""
    rows = np.flatnonzero(np.isin(identity, identity[judged]))
    rows = rows[np.lexsort((frame[rows], identity[rows]))]
    frame, identity, judged, followed = frame[rows], identity[rows], judged[rows], followed[rows]
    # A row that is not judged and says nothing is as good as none. One that is plainly there, but
    # too small or cut by the border, is no occlusion, and none begins or ends with it.
    known = level[rows]
    seen = np.flatnonzero(np.where(known < 0, judged, ~np.isin(known, HIDDEN)))
    a, b = seen[:-1], seen[1:]
    length = frame[b] - frame[a] - 1
    gap = (identity[a] == identity[b]) & (length > 0) & judged[a] & judged[b]
    a, b, length = a[gap], b[gap], length[gap]
    matched, place = followed >= 0, np.arange(len(rows))
    last = np.maximum.accumulate(np.where(matched, place, -1))[a]
    following = np.where(matched, place, len(rows))[::-1]
    first = np.minimum.accumulate(following)[::-1][b]
    has_before = (last >= 0) & (identity[last] == identity[a]) & (frame[a] - frame[last] < WINDOW)
    inside = np.minimum(first, len(rows) - 1)
    has_after = (first < len(rows)) & (identity[inside] == identity[b])
    has_after &= frame[inside] - frame[b] < WINDOW
    both = has_before & has_after
    same = followed[last] == followed[inside]
    bins = np.searchsorted(GAP_EDGES, length, side="right")
    parts = (np.ones(len(bins), bool), both & same, both & ~same)
    return np.stack([np.bincount(bins[part], minlength=len(GAPS)) for part in parts])


def kept_shares(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Share of occlusions after which the identity was kept, over all and by length.

    Args:
        counts: (..., fields), whose last are ``OCCLUSION_FIELDS``.

    Returns:
        ``Kept``, ``Kept 1-5`` ... (...); NaN where there is no such occlusion.
    """
    total, kept, _ = np.moveaxis(_gap_table(counts), -2, 0)
    return {name: _share(kept @ part, total @ part) for name, part in _PARTS.items()}


def occlusions(counts: np.ndarray) -> dict[str, np.ndarray]:
    """How many there are, under the names of ``kept_shares``, (...)."""
    total = _gap_table(counts)[..., 0, :]
    return {name: total @ part for name, part in _PARTS.items()}


def occlusion_tables(counts: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    """``occlusions`` of ``gap_rows`` and ``visibility`` of ``visibility_rows``."""
    return {"occlusions": gap_rows(counts), "visibility": visibility_rows(counts)}


def gap_rows(counts: np.ndarray) -> list[dict[str, Any]]:
    """A row for each length of occlusions, in frames, and one for all; counts, and shares in 0..1.

    Args:
        counts: (fields,), whose last are ``OCCLUSION_FIELDS``.
    """
    table = _gap_table(counts)
    rows = []
    for gap, (total, kept, switched) in zip(
        (*GAPS, "all"), [*table.T, table.sum(axis=1)], strict=True
    ):
        values = (int(total), int(kept), int(switched), int(total - kept - switched))
        row = dict(zip(("occlusions", "kept", "switched", "lost"), values, strict=True))
        rows.append({"gap": gap, **row, "kept_share": kept / total if total else None})
    return rows


def visibility_rows(counts: np.ndarray) -> list[dict[str, Any]]:
    """Recall by how much of an object is seen; none where the ground truth does not say.

    Hidden objects may differ in size from the others, and in the simulator those of which less than
    a quarter is seen are judged only if they are large. So each size stands by itself, and
    ``size_matched`` is the recall that a level would have with the sizes of all levels together.
    It is None, and ``comparable`` says why, where a size that is not rare has too few objects here.

    Args:
        counts: (fields,), whose last are ``OCCLUSION_FIELDS``.

    Returns:
        A row per level with ``visibility``, ``objects``, ``found``, ``recall``, ``size_matched``,
        ``comparable`` and, for each of ``SIZES``, ``objects_small``, ``recall_small`` ...
    """
    table = counts[..., _GAP_SIZE - len(OCCLUSION_FIELDS) :].reshape(2, len(LEVELS), len(SIZES))
    rows = []
    for begin, end in SCALES:
        of_size = table[0, begin:end].sum(axis=0)
        if not of_size.any():
            continue
        weight = np.where(of_size >= COMMON * of_size.sum(), of_size, 0)
        for level in range(begin, end):
            objects, found = table[:, level]
            recall = _share(found, objects)
            few = [
                f"{int(n)} {size}"
                for size, n, w in zip(SIZES, objects, weight, strict=True)
                if w and n < ENOUGH
            ]
            matched = None if few else float(np.nansum(weight * recall) / weight.sum())
            row = {
                "visibility": LEVELS[level],
                "objects": int(objects.sum()),
                "found": int(found.sum()),
                "recall": _number(_share(found.sum(), objects.sum())),
                "size_matched": matched,
                "comparable": f"no: {', '.join(few)} objects" if few else "yes",
            }
            for size, n, value in zip(SIZES, objects, recall, strict=True):
                row |= {f"objects_{size}": int(n), f"recall_{size}": _number(value)}
            rows.append(row)
    return rows


def _gap_table(counts: np.ndarray) -> np.ndarray:
    """(..., 3, 4)."""
    first = counts.shape[-1] - len(OCCLUSION_FIELDS)
    part = counts[..., first : first + _GAP_SIZE]
    return part.reshape(*counts.shape[:-1], len(GAP_PARTS), len(GAPS))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.where(whole > 0, part / np.maximum(whole, 1e-300), np.nan)
    return share


def _number(value: np.ndarray) -> float | None:
    return None if np.isnan(value) else float(value)
