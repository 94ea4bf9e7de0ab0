"""Ground truth of one sequence, from the text files of its benchmark."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.dataset import VideoSequence
from segtrack.formats import (
    DONT_CARE,
    IGNORE_CLASS,
    MotsTable,
    read_kitti,
    read_mot,
    read_mots,
    refuse_row,
)
from segtrack.scoring.protocols import CLASSLESS, KITTI_CLASSES, PERSON, Names, box_protocol
from segtrack.scoring.truth import BoxTruth, MaskTruth, Truth

SITTING = "person sitting"
_MAX_OCCLUDED, _MAX_TRUNCATED = 2, 0  # KITTI's levels up to which an object is judged


def build_truth(sequence: VideoSequence, folder: Path, report: Report) -> None:
    """Parse a sequence's ground truth into ``folder``; read it with ``Truth.load``.

    Args:
        sequence: with ``gt``, ``mots`` or both.
        folder: gets ``truth.npz``.
        report: gets ``speed/truth_ms``.

    Raises:
        DataError: the sequence has no ground truth, or a row of it is malformed.
    """
    begin = time.perf_counter()
    read_truth(sequence).save(folder)
    report("speed/truth_ms", 1000 * (time.perf_counter() - begin))


def read_truth(sequence: VideoSequence, first_mask_frame: int = 0) -> Truth:
    """Parse a sequence's ground truth.

    Args:
        sequence: ``gt_format`` mot15, mot17, kitti or kitti_mots; with ``mots`` for masks.
        first_mask_frame: number of the first frame in ``mots``: 0 KITTI-MOTS, 1 MOTSChallenge.

    Raises:
        DataError: there is no ground truth, a row is malformed, an id comes twice in a frame, or
            masks of a frame overlap (TrackEval refuses these too); with path and line.
    """
    boxes = masks = None
    if sequence.gt is not None and sequence.gt_format in ("mot15", "mot17"):
        boxes = _mot_boxes(sequence.gt, sequence.gt_format, sequence.gt_classes)
    elif sequence.gt is not None and sequence.gt_format == "kitti":
        boxes = _kitti_boxes(sequence.gt)
    if sequence.mots is not None:
        masks = _read_masks(sequence.mots, sequence.mots_classes, first_mask_frame)
    if boxes is None and masks is None:
        raise DataError(f"{sequence.name}: the sequence has no ground truth; add gt/gt.txt")
    return Truth(sequence.name, sequence.frame_count, sequence.width, sequence.height, boxes, masks)


def _mot_boxes(path: Path, gt_format: str, names: Names) -> BoxTruth:
    table = read_mot(path)
    if gt_format == "mot15":
        names = names[:1]
        class_id = np.full(len(table.frame), names[0][0] if names else CLASSLESS, np.int64)
    elif table.class_id is not None:
        class_id = table.class_id
    elif len(table.frame):
        refuse_row(
            path, 0, "no column for the class (frame,id,x,y,w,h,conf,class,visibility expected)"
        )
    else:
        class_id = np.empty(0, np.int64)
    if gt_format == "mot17" and not names:
        names = ((1, PERSON),)
    order = np.argsort(table.frame, kind="stable")
    return BoxTruth(
        box_protocol(gt_format, names),
        names,
        table.frame[order],
        table.track_id[order],
        class_id[order],
        table.bbox_xyxy[order],
        table.conf[order].astype(np.int64) != 0,  # cut, not rounded, as TrackEval reads it
        np.empty(0, np.int64),
        np.empty((0, 4)),
    )


def _kitti_boxes(path: Path) -> BoxTruth:
    table = read_kitti(path)
    ids = {name: i for i, name in KITTI_CLASSES}
    # The tracking labels say Person, those of single images Person_sitting.
    ids |= {"pedestrian": ids[PERSON], "person": ids[SITTING]}
    ids |= {"person_sitting": ids[SITTING]}
    class_id = np.array([ids.get(kind.lower(), 0) for kind in table.kind], np.int64)
    region = np.array([kind == DONT_CARE for kind in table.kind], bool)
    unknown = (class_id == 0) & ~region
    if unknown.any():
        row = int(np.argmax(unknown))
        refuse_row(path, row, f"{table.kind[row]!r} is no type of KITTI")
    order = np.argsort(table.frame, kind="stable")
    rows = order[~region[order] & (table.track_id[order] >= 0)]
    nowhere = order[region[order]]
    occluded, truncated = table.occluded[rows], table.truncated[rows]
    judged = (occluded <= _MAX_OCCLUDED) & (np.trunc(truncated) <= _MAX_TRUNCATED)
    return BoxTruth(
        "kitti",
        KITTI_CLASSES,
        table.frame[rows],
        table.track_id[rows],
        class_id[rows],
        table.bbox_xyxy[rows],
        judged,
        table.frame[nowhere],
        table.bbox_xyxy[nowhere],
    )


def _read_masks(path: Path, names: Names, first_frame: int) -> MaskTruth:
    table = read_mots(path, first_frame)
    regions = require_disjoint(path, table)
    order = np.argsort(table.frame, kind="stable")
    rows = order[table.class_id[order] != IGNORE_CLASS]
    return MaskTruth(
        tuple((i, name) for i, name in names if i != IGNORE_CLASS),
        table.frame[rows],
        table.track_id[rows],
        table.class_id[rows],
        tuple(table.rle[row] for row in rows.tolist()),
        table.height,
        table.width,
        regions,
    )


def require_disjoint(path: Path, table: MotsTable) -> dict[int, bytes]:
    """Check that no two masks of a frame share a pixel.

    Returns:
        By frame the union of its ignore regions.

    Raises:
        DataError: two masks overlap; with path and line.
    """
    from pycocotools import mask as coco

    regions: dict[int, bytes] = {}
    if not len(table.frame):
        return regions
    size = [table.height, table.width]
    order = np.argsort(table.frame, kind="stable")
    frames, first = np.unique(table.frame[order], return_index=True)
    for frame, rows in zip(frames.tolist(), np.split(order, first[1:]), strict=True):
        masks = {row: {"size": size, "counts": table.rle[row]} for row in rows.tolist()}
        ignored = [row for row in masks if table.class_id[row] == IGNORE_CLASS]
        parts = {row: mask for row, mask in masks.items() if row not in ignored}
        if ignored:
            region = coco.merge([masks[row] for row in ignored])
            regions[frame] = region["counts"]
            parts[ignored[0]] = region  # regions may overlap each other
        listed = list(parts.values())
        if coco.area(coco.merge(listed)) == coco.area(listed).sum():
            continue
        common = np.triu(coco.iou(listed, listed, [0] * len(listed)), 1) > 0
        one, other = (list(parts)[i] for i in np.argwhere(common)[0])
        refuse_row(
            path,
            max(one, other),
            f"the mask of id {table.track_id[max(one, other)]} overlaps that of id "
            f"{table.track_id[min(one, other)]} in the same frame; masks of a frame are disjoint",
        )
    return regions
