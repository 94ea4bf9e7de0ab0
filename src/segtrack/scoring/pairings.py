"""Ground truth and tracks of one class side by side, after the benchmark's preprocessing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segtrack.scoring.counting import Pairing, starts
from segtrack.scoring.kernels import EPS, box_overlaps, matched_at_half
from segtrack.scoring.protocols import PROTOCOLS, BenchmarkRules, Judged
from segtrack.scoring.truth import BoxTruth, MaskTruth


@dataclass(frozen=True)
class TrackBoxes:
    """A tracker's boxes of one sequence, frames ascending.

    Attributes:
        frame, track_id, class_id: int64 (M,); frames from 0, ids unique within a frame.
        box: float64 (M, 4), corners in pixels.
    """

    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    box: np.ndarray


@dataclass(frozen=True)
class TrackMasks:
    """A tracker's masks of one sequence, frames ascending; no two of a frame share a pixel.

    Attributes:
        frame, track_id, class_id: int64 (M,); frames from 0, ids unique within a frame.
        rle: M compressed COCO RLE of ``height`` x ``width``.
    """

    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    rle: tuple[bytes, ...]
    height: int
    width: int


def box_pairing(truth: BoxTruth, tracks: TrackBoxes, one: Judged, frame_count: int) -> Pairing:
    """Boxes of one class by IoU."""
    rules = PROTOCOLS[truth.protocol]
    own = one.is_gt(truth.class_id)
    ignored = np.isin(truth.class_id, one.ignored_ids)
    gt = np.ones(len(own), bool) if rules.whole_frame else own | ignored
    mine = np.isin(tracks.class_id, one.track_ids)
    gt_start = starts(truth.frame[gt], frame_count)
    track_start = starts(tracks.frame[mine], frame_count)
    box = tracks.box[mine]
    sim = box_overlaps(truth.box[gt], gt_start, box, track_start, False)
    everything = Pairing(gt_start, track_start, truth.track_id[gt], tracks.track_id[mine], sim)
    excuses = ignored | (own & ~truth.judged) if rules.unjudged_excuses else ignored
    match = _matches(everything, rules) if _needs_matching(truth, rules, excuses) else None
    removed = np.zeros(len(box), bool)
    if match is not None:
        hit = match >= 0
        removed[hit] = excuses[gt][match[hit]]
        if rules.min_height is not None:
            small = box[:, 3] - box[:, 1] <= rules.min_height + EPS
            removed |= ~hit & (small | _in_regions(truth, box, track_start, frame_count))
    return everything.kept((own & truth.judged)[gt], ~removed)


def mask_pairing(truth: MaskTruth, tracks: TrackMasks, one: Judged, frame_count: int) -> Pairing:
    """Masks of one class by IoU of their pixels."""
    from pycocotools import mask as coco

    size = [truth.height, truth.width]
    gt = np.flatnonzero(one.is_gt(truth.class_id))
    mine = np.flatnonzero(np.isin(tracks.class_id, one.track_ids))
    gt_start = starts(truth.frame[gt], frame_count)
    track_start = starts(tracks.frame[mine], frame_count)
    gt_rle = [{"size": size, "counts": truth.rle[row]} for row in gt.tolist()]
    rle = [{"size": size, "counts": tracks.rle[row]} for row in mine.tolist()]
    sims = [np.empty(0)]
    for t in range(frame_count):
        ours = rle[track_start[t] : track_start[t + 1]]
        theirs = gt_rle[gt_start[t] : gt_start[t + 1]]
        if ours and theirs:
            sims.append(np.asarray(coco.iou(theirs, ours, [0] * len(ours))).ravel())
    everything = Pairing(
        gt_start, track_start, truth.track_id[gt], tracks.track_id[mine], np.concatenate(sims)
    )
    match = _matches(everything, PROTOCOLS["mots"])
    removed = np.zeros(len(mine), bool)
    for t, region in truth.regions.items():
        rows = np.arange(*track_start[t : t + 2]) if t < frame_count else np.empty(0, np.int64)
        rows = rows[match[rows] < 0]
        if len(rows):
            ours = [rle[row] for row in rows.tolist()]
            inside = np.asarray(coco.iou(ours, [{"size": size, "counts": region}], [1]))
            removed[rows] = inside[:, 0] > 0.5 + EPS
    return everything.kept(np.ones(len(gt), bool), ~removed)


def _needs_matching(truth: BoxTruth, rules: BenchmarkRules, excuses: np.ndarray) -> bool:
    return bool(excuses.any()) or len(truth.region_frame) > 0 or rules.min_height is not None


def _matches(pairing: Pairing, rules: BenchmarkRules) -> np.ndarray:
    return matched_at_half(
        pairing.sim, pairing.gt_start, pairing.track_start, float(rules.below_half)
    )


def _in_regions(
    truth: BoxTruth, box: np.ndarray, track_start: np.ndarray, frame_count: int
) -> np.ndarray:
    """bool (M,): more than half of a box lies in one region."""
    region_start = starts(truth.region_frame, frame_count)
    share = box_overlaps(box, track_start, truth.region_box, region_start, True)
    # The flat matrices have as many values for each box as its frame has regions.
    regions = np.repeat(np.diff(region_start), np.diff(track_start))
    row = np.repeat(np.arange(len(box)), regions)
    inside = np.zeros(len(box), bool)
    inside[row[share > 0.5 + EPS]] = True
    return inside
