"""Ground truth of one sequence, from the text files of its benchmark."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError, some
from segtrack.base.metrics import Report
from segtrack.dataset import VideoSequence, first_mask_frame, frames_of
from segtrack.formats import (
    DONT_CARE,
    IGNORE_CLASS,
    VISDRONE_CLASSES,
    KittiTable,
    MotsTable,
    read_kitti,
    read_mot,
    read_mots,
    read_visdrone,
    refuse_row,
    require_classes,
)
from segtrack.scoring.occlusion import KITTI_FIRST, VISDRONE_FIRST, levels_of, numbered_levels
from segtrack.scoring.protocols import CLASSLESS, KITTI_CLASSES, PERSON, box_protocol
from segtrack.scoring.truth import BoxTruth, MaskTruth, Truth

SITTING = "person sitting"
_VISDRONE_REGIONS = (0, 11)  # ignored regions and "others", which eval/dropObjects.m treats alike
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


def read_truth(sequence: VideoSequence, mask_first: int | None = None) -> Truth:
    """Parse a sequence's ground truth.

    Args:
        sequence: ``gt_format`` mot15, mot17, mot20, visdrone, kitti or kitti_mots; with ``mots``
            for masks.
        mask_first: number of the first frame in ``mots``: 0 KITTI-MOTS, 1 MOTSChallenge; None:
            as the numbers there and the sequence's name say.

    Raises:
        DataError: there is no ground truth, a row is malformed, of a frame that the sequence does
            not have or of a class that nothing names, an id comes twice in a frame, or masks of a
            frame overlap (TrackEval refuses these too); with path and line.
    """
    boxes = masks = None
    gt, gt_format = sequence.gt, sequence.gt_format
    if gt is not None and gt_format in ("mot15", "mot17", "mot20"):
        boxes = _mot_boxes(gt, gt_format, sequence)
    elif gt is not None and gt_format == "visdrone":
        boxes = _visdrone_boxes(gt, sequence)
    elif gt is not None and gt_format == "kitti":
        boxes = _kitti_boxes(gt, sequence)
    if sequence.mots is not None:
        masks = _read_masks(sequence.mots, sequence, mask_first)
    if boxes is None and masks is None:
        raise DataError(f"{sequence.name}: the sequence has no ground truth; add gt/gt.txt")
    return Truth(sequence.name, sequence.frame_count, sequence.width, sequence.height, boxes, masks)


def _in_order(
    numbers: np.ndarray, first: int, sequence: VideoSequence, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have an image, by frame, int64 (M,); and the frames of all rows, int64 (N,)."""
    images, count = sequence.image_numbers, sequence.frame_count
    frame = frames_of(numbers, first, images, count, path).frame
    order = np.argsort(frame, kind="stable")
    return order[frame[order] >= 0], frame


def _mot_boxes(path: Path, gt_format: str, sequence: VideoSequence) -> BoxTruth:
    table, names = read_mot(path, first=0), sequence.gt_classes
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
    if gt_format != "mot15":
        names = names or ((1, PERSON),)
        require_classes(path, class_id, names)
    order, frame = _in_order(table.frame, 1, sequence, path)
    return BoxTruth(
        box_protocol(gt_format, names),
        names,
        frame[order],
        table.track_id[order],
        class_id[order],
        table.bbox_xyxy[order],
        table.conf[order].astype(np.int64) != 0,  # cut, not rounded, as TrackEval reads it
        np.empty(0, np.int64),
        np.empty((0, 4)),
        None if table.visibility is None else levels_of(table.visibility[order]),
    )


def _visdrone_boxes(path: Path, sequence: VideoSequence) -> BoxTruth:
    table = read_visdrone(path, first=0)
    assert table.class_id is not None and table.occlusion is not None
    order, frame = _in_order(table.frame, 1, sequence, path)
    region = np.isin(table.class_id, _VISDRONE_REGIONS)
    rows, nowhere = order[~region[order]], order[region[order]]
    return BoxTruth(
        "visdrone",
        tuple((i, name) for i, name in VISDRONE_CLASSES if i not in _VISDRONE_REGIONS),
        frame[rows],
        table.track_id[rows],
        table.class_id[rows],
        table.bbox_xyxy[rows],
        table.conf[rows] != 0,
        frame[nowhere],
        table.bbox_xyxy[nowhere],
        numbered_levels(table.occlusion[rows], VISDRONE_FIRST),
    )


def _kitti_boxes(path: Path, sequence: VideoSequence) -> BoxTruth:
    table = read_kitti(path)
    class_id = kitti_classes(path, table)
    region = class_id == 0
    order, frame = _in_order(table.frame, 0, sequence, path)
    rows = order[~region[order] & (table.track_id[order] >= 0)]
    nowhere = order[region[order]]
    occluded, truncated = table.occluded[rows], table.truncated[rows]
    judged = (occluded <= _MAX_OCCLUDED) & (np.trunc(truncated) <= _MAX_TRUNCATED)
    return BoxTruth(
        "kitti",
        KITTI_CLASSES,
        frame[rows],
        table.track_id[rows],
        class_id[rows],
        table.bbox_xyxy[rows],
        judged,
        frame[nowhere],
        table.bbox_xyxy[nowhere],
        numbered_levels(occluded, KITTI_FIRST),
    )


def kitti_classes(path: Path, table: KittiTable) -> np.ndarray:
    """Class ids of ``KITTI_CLASSES``, int64 (N,); 0 of regions that nobody should care about.

    Raises:
        DataError: KITTI has no such type; with all that were found, and the first row.
    """
    ids = {name: i for i, name in KITTI_CLASSES}
    # The tracking labels say Person, those of single images Person_sitting.
    ids |= {"pedestrian": ids[PERSON], "person": ids[SITTING], DONT_CARE.lower(): 0}
    ids |= {"person_sitting": ids[SITTING], "car_2": ids["car"]}  # TrackEval knows car_2
    class_id = np.array([ids.get(kind.lower(), -1) for kind in table.kind], np.int64)
    if (class_id < 0).any():
        rows = np.flatnonzero(class_id < 0).tolist()
        names = some(sorted({repr(table.kind[row]) for row in rows}))
        refuse_row(
            path,
            rows[0],
            f"{names} is no type of KITTI, which has Car, Van, Truck, Pedestrian, Person_sitting, "
            "Cyclist, Tram, Misc and DontCare",
        )
    return class_id


def _read_masks(path: Path, sequence: VideoSequence, first: int | None) -> MaskTruth:
    table, names = read_mots(path, first or 0), sequence.mots_classes
    numbers = table.frame + (first or 0)
    if first is None:
        first = first_mask_frame(numbers, sequence.name, sequence.frame_count)
    require_classes(path, table.class_id, (*names, (IGNORE_CLASS, "ignore")), masks=True)
    order, frame = _in_order(numbers, first, sequence, path)
    table = replace(table, frame=frame)
    regions = {t: rle for t, rle in require_disjoint(path, table).items() if t >= 0}
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
