"""From similarities to counts: HOTA, CLEAR and Identity of one sequence, class and kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack  # type: ignore[import-untyped]
from scipy.sparse.csgraph import (  # type: ignore[import-untyped]
    min_weight_full_bipartite_matching,
)

from segtrack.scoring.counts import ALPHAS, counts_of
from segtrack.scoring.kernels import (
    EPS,
    Pairs,
    clear_matches,
    hota_matches,
    id_pairs,
    kept_pairs,
)
from segtrack.scoring.matches import NONE, ClearMatches
from segtrack.scoring.occlusion import OCCLUSION_FIELDS, count_occlusions
from segtrack.scoring.truth import BoxTruth, MaskTruth


@dataclass(frozen=True)
class Pairing:
    """Ground truth and tracks of one class, frame by frame.

    Attributes:
        gt_start, track_start: int64 (T + 1,), where each frame's rows begin.
        gt_id, track_id: int64 (N,) and (M,), unique within a frame.
        gt_row: int64 (N,), the row of the whole ground truth that each of these is.
        pairs: which rows of the two overlap and by how much, see ``kernels``.
    """

    gt_start: np.ndarray
    track_start: np.ndarray
    gt_id: np.ndarray
    track_id: np.ndarray
    gt_row: np.ndarray
    pairs: Pairs

    def kept(self, gt: np.ndarray, tracks: np.ndarray) -> Pairing:
        """Only the rows where ``gt`` (bool N) and ``tracks`` (bool M)."""
        if gt.all() and tracks.all():
            return self
        return Pairing(
            np.concatenate([[0], np.cumsum(gt)])[self.gt_start],
            np.concatenate([[0], np.cumsum(tracks)])[self.track_start],
            self.gt_id[gt],
            self.track_id[tracks],
            self.gt_row[gt],
            kept_pairs(*self.pairs, gt, tracks),
        )


def starts(frame: np.ndarray, frame_count: int) -> np.ndarray:
    """Where each frame's rows begin, int64 (frame_count + 1,); ``frame`` ascends."""
    return np.searchsorted(frame, np.arange(frame_count + 1)).astype(np.int64)


def count(
    pairing: Pairing, truth: BoxTruth | MaskTruth | None = None
) -> tuple[np.ndarray, ClearMatches]:
    """Counts (D,) of the three families, and what CLEAR matched.

    Frag is TrackEval's: an object found again after frames in which it was not, also where the
    ground truth leaves it out meanwhile. motmetrics counts fewer: gaps in which it is missed.

    Args:
        pairing: of one class.
        truth: whose rows ``pairing.gt_row`` numbers: occlusions are counted too.
    """
    gt_names, gt_id = np.unique(pairing.gt_id, return_inverse=True)
    track_names, track_id = np.unique(pairing.track_id, return_inverse=True)
    gt_frames = np.bincount(gt_id, minlength=len(gt_names))
    track_frames = np.bincount(track_id, minlength=len(track_names))
    frames = (*pairing.pairs, pairing.gt_start, pairing.track_start, gt_id, track_id)
    of_ids = np.argsort(gt_id, kind="stable")
    number, id_first, overlapping = id_pairs(
        *pairing.pairs[:2], gt_id, of_ids, track_id, len(gt_names), len(track_names)
    )
    track_of, similarity, together = hota_matches(*frames, number, len(overlapping))
    matched = np.flatnonzero(similarity > 0)
    hota = _hota(
        gt_id[matched], track_id[track_of[matched]], similarity[matched], gt_frames, track_frames
    )
    idtp = _common_frames(together, id_first, overlapping, len(track_names))
    clear_sim, followed, old, begun = clear_matches(*frames, len(gt_names))
    hit = clear_sim >= 0
    found = np.bincount(gt_id[hit], minlength=len(gt_names))
    # Quotients, not products: TrackEval compares hits / frames with .8 and .2.
    share = found / np.maximum(gt_frames, 1)
    most, some = int((share > 0.8).sum()), int((share >= 0.2).sum())
    plain = {
        "IDTP": idtp,
        "IDFN": len(gt_id) - idtp,
        "IDFP": len(track_id) - idtp,
        "CLR_TP": int(hit.sum()),
        "CLR_FN": len(gt_id) - int(hit.sum()),
        "CLR_FP": len(track_id) - int(hit.sum()),
        "IDSW": int((old >= 0).sum()),
        "MT": most,
        "PT": some - most,
        "ML": len(gt_names) - some,
        "Frag": int(np.maximum(begun - 1, 0).sum()),
        "MOTP_sum": float(clear_sim[hit].sum()),
        "GT_IDs": len(gt_names),
        "Frames": len(pairing.gt_start) - 1,
        **_occlusions(pairing, followed, truth),
    }
    names = (gt_names, gt_id), (track_names, track_id)
    return counts_of(hota, plain), _matches(pairing, *names, clear_sim, followed, old)


def _matches(
    pairing: Pairing,
    gt: tuple[np.ndarray, np.ndarray],
    tracks: tuple[np.ndarray, np.ndarray],
    similarity: np.ndarray,
    followed: np.ndarray,
    old: np.ndarray,
) -> ClearMatches:
    """The outcome of ``clear_matches`` as rows.

    Args:
        gt, tracks: names of the ids, and the place of each row's among them.
    """
    gt_rows, track_rows = np.diff(pairing.gt_start), np.diff(pairing.track_start)
    of_gt, of_track = (np.repeat(np.arange(len(n)), n) for n in (gt_rows, track_rows))
    hit = np.flatnonzero(similarity >= 0)
    many = max(len(tracks[0]), 1)
    free = ~np.isin(of_track * many + tracks[1], of_gt[hit] * many + followed[hit])
    # An object is lost where a frame with both objects and tracks lies between two of its matches.
    both = np.cumsum((gt_rows > 0) & (track_rows > 0))
    by_id = hit[np.lexsort((of_gt[hit], gt[1][hit]))]
    again = (np.diff(gt[1][by_id]) == 0) & (np.diff(both[of_gt[by_id]]) > 1)
    fragment = np.zeros(len(of_gt), bool)
    fragment[by_id[1:][again]] = True
    none = np.full(int(free.sum()), NONE)

    def names(places: np.ndarray) -> np.ndarray:
        known = np.append(tracks[0], NONE)  # -1, none, is the last one
        return np.asarray(known[places])

    frame = np.concatenate([of_gt, of_track[free]])
    columns = (
        frame,
        np.concatenate([gt[0][gt[1]], none]),
        np.concatenate([names(followed), tracks[0][tracks[1][free]]]),
        np.concatenate([np.where(similarity < 0, np.nan, similarity), np.full(len(none), np.nan)]),
        np.concatenate([names(old), none]),
        np.concatenate([fragment, np.zeros(len(none), bool)]),
    )
    order = np.argsort(frame, kind="stable")
    return ClearMatches(*(column[order] for column in columns))


def _occlusions(
    pairing: Pairing, followed: np.ndarray, truth: BoxTruth | MaskTruth | None
) -> dict[str, float]:
    """Of all rows of the ground truth: the class's own are judged, others tell who was hidden."""
    if truth is None:
        return dict.fromkeys(OCCLUSION_FIELDS, 0.0)
    judged, track = np.zeros(len(truth.frame), bool), np.full(len(truth.frame), -1)
    judged[pairing.gt_row], track[pairing.gt_row] = True, followed
    level, area = np.full(len(track), -1), np.zeros(len(track))
    if isinstance(truth, BoxTruth) and truth.level is not None:
        level, area = truth.level, np.prod(truth.box[:, 2:] - truth.box[:, :2], axis=1)
    counts = count_occlusions(truth.frame, truth.track_id, level, area, judged, track)
    return dict(zip(OCCLUSION_FIELDS, counts.tolist(), strict=True))


def _hota(
    gt_id: np.ndarray,
    track_id: np.ndarray,
    similarity: np.ndarray,
    gt_frames: np.ndarray,
    track_frames: np.ndarray,
) -> np.ndarray:
    """(7, 19) of the matches (K,): a match counts at every threshold up to its similarity."""
    levels = len(ALPHAS) + 1
    level = np.searchsorted(ALPHAS - EPS, similarity, side="right")  # thresholds that it reaches
    pairs, pair = np.unique(gt_id * max(len(track_frames), 1) + track_id, return_inverse=True)
    reached = np.bincount(pair * levels + level, minlength=len(pairs) * levels)
    tpa = _from_above(reached.reshape(len(pairs), levels))
    of_gt = gt_frames[pairs // max(len(track_frames), 1)][:, np.newaxis]
    of_track = track_frames[pairs % max(len(track_frames), 1)][:, np.newaxis]
    tp = tpa.sum(axis=0)
    return np.stack(
        [
            tp,
            gt_frames.sum() - tp,
            track_frames.sum() - tp,
            (tpa * (tpa / np.maximum(1, of_gt + of_track - tpa))).sum(axis=0),
            (tpa * (tpa / of_gt)).sum(axis=0),
            (tpa * (tpa / of_track)).sum(axis=0),
            _from_above(np.bincount(level, weights=similarity, minlength=levels)),
        ]
    ).astype(np.float64)


def _from_above(by_level: np.ndarray) -> np.ndarray:
    """Sums over the levels above each threshold: (..., 20) to (..., 19)."""
    sums: np.ndarray = np.cumsum(by_level[..., ::-1], axis=-1)[..., ::-1][..., 1:]
    return sums


def _common_frames(
    together: np.ndarray, id_first: np.ndarray, track_id: np.ndarray, track_ids: int
) -> int:
    """IDTP. The assignment of ids with the fewest errors is the one with the most common frames,
    since every id left over costs its own frames whatever else is assigned.

    Args:
        together: int64 (I,), common frames of ids that overlap.
        id_first, track_id, track_ids: which ids those are, as in ``id_pairs``.
    """
    if not together.any():
        return 0
    gt_ids, most = len(id_first) - 1, together.max() + 1
    cost = csr_array((most - together, track_id, id_first), shape=(gt_ids, track_ids))
    # The sparse solver has to give every row a column: to be left over is one of its own. Costs are
    # whole numbers, whose sums are exact, and above 0, as it asks for.
    cost = hstack([cost, most * eye_array(gt_ids, dtype=np.int64)], format="csr")
    return int(gt_ids * most - cost[min_weight_full_bipartite_matching(cost)].sum())
