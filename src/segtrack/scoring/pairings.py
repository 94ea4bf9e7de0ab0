"""Ground truth and tracks of one class side by side, after the benchmark's preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    if rules.cut_regions:
        return _cut_pairing(truth, tracks, gt & truth.judged, mine, frame_count)
    pairs = box_overlaps(truth.box[gt], gt_start, box, track_start, False)
    ids = truth.track_id[gt], tracks.track_id[mine]
    everything = Pairing(gt_start, track_start, *ids, np.flatnonzero(gt), pairs)
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


def _cut_pairing(
    truth: BoxTruth, tracks: TrackBoxes, gt: np.ndarray, mine: np.ndarray, frame_count: int
) -> Pairing:
    """Boxes by IoU, without those that lie in regions with half of their pixels or more."""
    gt = gt & (covered(truth.box, truth.frame, truth) < 0.5)
    mine = mine & (covered(tracks.box, tracks.frame, truth) < 0.5)
    gt_start = starts(truth.frame[gt], frame_count)
    track_start = starts(tracks.frame[mine], frame_count)
    pairs = box_overlaps(truth.box[gt], gt_start, tracks.box[mine], track_start, False)
    ids = truth.track_id[gt], tracks.track_id[mine]
    return Pairing(gt_start, track_start, *ids, np.flatnonzero(gt), pairs)


def covered(box: np.ndarray, frame: np.ndarray, truth: BoxTruth) -> np.ndarray:
    """float64 (N,): share of each box's pixels that lie in a region of its frame.

    Pixels are those of VisDrone's eval/dropObjects.m: corners and sizes are rounded and at least 1,
    a region covers the pixels from its corner on and one more, a box those behind its corner. The
    image's border, which the toolkit cuts regions at, is left out: annotations lie inside.
    """
    share = np.zeros(len(box))
    for t in np.intersect1d(frame, truth.region_frame).tolist():
        rows = np.flatnonzero(frame == t)
        regions = _whole(truth.region_box[truth.region_frame == t])
        boxes = _whole(box[rows])
        low = np.minimum(regions[:, :2].min(0), boxes[:, :2].min(0))
        high = np.maximum(
            (regions[:, :2] + regions[:, 2:]).max(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
        )
        map_ = np.zeros((high - low + 1)[::-1], bool)
        for x, y, w, h in (regions - [*low, 0, 0]).tolist():
            map_[y : y + h + 1, x : x + w + 1] = True
        sums = np.cumsum(np.cumsum(map_, axis=0, dtype=np.int64), axis=1)
        x, y, w, h = (boxes - [*low, 0, 0]).T
        inside = sums[y, x] + sums[y + h, x + w] - sums[y, x + w] - sums[y + h, x]
        share[rows] = inside / (w * h)
    return share


def _whole(box: np.ndarray) -> np.ndarray:
    """int64 (N, 4): x, y, width, height as the toolkit rounds them, halves away from zero."""
    sized = np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1)
    rounded = np.sign(sized) * np.floor(np.abs(sized) + 0.5)
    whole: np.ndarray = np.maximum(1, rounded).astype(np.int64)
    return whole


def mask_pairing(truth: MaskTruth, tracks: TrackMasks, one: Judged, frame_count: int) -> Pairing:
    """Masks of one class by IoU of their pixels."""
    from pycocotools import mask as coco

    size = [truth.height, truth.width]
    gt = np.flatnonzero(one.is_gt(truth.class_id))
    mine = np.flatnonzero(np.isin(tracks.class_id, one.track_ids))
    gt_start = starts(truth.frame[gt], frame_count)
    track_start = starts(tracks.frame[mine], frame_count)

    def masks(rle: tuple[bytes, ...], rows: np.ndarray) -> list[dict[str, Any]]:
        return [{"size": size, "counts": rle[row]} for row in rows.tolist()]

    shared, columns, sims = [np.zeros(1, np.int64)], [np.empty(0, np.int32)], [np.empty(0)]
    for t in range(frame_count):
        theirs = masks(truth.rle, gt[gt_start[t] : gt_start[t + 1]])
        ours = masks(tracks.rle, mine[track_start[t] : track_start[t + 1]])
        iou = np.zeros((len(theirs), len(ours)))
        if ours and theirs:
            iou = np.asarray(coco.iou(theirs, ours, [0] * len(ours)))
        row, column = np.nonzero(iou)
        shared.append(np.bincount(row, minlength=len(theirs)))
        columns.append((column + track_start[t]).astype(np.int32))
        sims.append(iou[row, column])
    pairs = np.cumsum(np.concatenate(shared)), np.concatenate(columns), np.concatenate(sims)
    ids = truth.track_id[gt], tracks.track_id[mine]
    everything = Pairing(gt_start, track_start, *ids, gt, pairs)
    match = _matches(everything, PROTOCOLS["mots"])
    removed = np.zeros(len(mine), bool)
    for t, region in truth.regions.items():
        rows = np.arange(*track_start[t : t + 2]) if t < frame_count else np.empty(0, np.int64)
        rows = rows[match[rows] < 0]
        if len(rows):
            ours = masks(tracks.rle, mine[rows])
            inside = np.asarray(coco.iou(ours, [{"size": size, "counts": region}], [1]))
            removed[rows] = inside[:, 0] > 0.5 + EPS
    return everything.kept(np.ones(len(gt), bool), ~removed)


def _needs_matching(truth: BoxTruth, rules: BenchmarkRules, excuses: np.ndarray) -> bool:
    return bool(excuses.any()) or len(truth.region_frame) > 0 or rules.min_height is not None


def _matches(pairing: Pairing, rules: BenchmarkRules) -> np.ndarray:
    return matched_at_half(
        *pairing.pairs, pairing.gt_start, pairing.track_start, float(rules.below_half)
    )


def _in_regions(
    truth: BoxTruth, box: np.ndarray, track_start: np.ndarray, frame_count: int
) -> np.ndarray:
    """bool (M,): more than half of a box lies in one region."""
    region_start = starts(truth.region_frame, frame_count)
    first, _, share = box_overlaps(box, track_start, truth.region_box, region_start, True)
    inside = np.zeros(len(box), bool)
    inside[np.repeat(np.arange(len(box)), np.diff(first))[share > 0.5 + EPS]] = True
    return inside
