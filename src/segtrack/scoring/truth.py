"""Ground truth of one sequence: parsed once, kept as arrays."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.dataset import Sequence
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

FILE = "truth.npz"
SITTING = "person sitting"
_MAX_OCCLUDED, _MAX_TRUNCATED = 2, 0  # KITTI's levels up to which an object is judged


@dataclass(frozen=True)
class BoxTruth:
    """Boxes, frames ascending.

    Attributes:
        protocol: key in ``protocols.PROTOCOLS``.
        names: of the class ids; none where the file has no classes.
        frame, track_id, class_id: int64 (N,); frames from 0.
        box: float64 (N, 4), corners in pixels.
        judged: bool (N,), False where the file says that a row is not to be judged.
        region_frame, region_box: int64 (R,) and float64 (R, 4), where nothing is judged.
    """

    protocol: str
    names: Names
    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    box: np.ndarray
    judged: np.ndarray
    region_frame: np.ndarray
    region_box: np.ndarray


@dataclass(frozen=True)
class MaskTruth:
    """Masks, frames ascending; no two of a frame share a pixel.

    Attributes:
        names: of the class ids.
        frame, track_id, class_id: int64 (N,); frames from 0.
        rle: N compressed COCO RLE of ``height`` x ``width``.
        regions: by frame the RLE of what is to be ignored, where there is any.
    """

    names: Names
    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    rle: tuple[bytes, ...]
    height: int
    width: int
    regions: dict[int, bytes]


@dataclass(frozen=True)
class Truth:
    """Ground truth of one sequence; ``boxes`` or ``masks`` may be missing.

    ``frame_count`` is what the sequence declares, or 0; ``width`` and ``height`` likewise.
    """

    name: str
    frame_count: int
    width: int
    height: int
    boxes: BoxTruth | None
    masks: MaskTruth | None

    @property
    def last_frame(self) -> int:
        """The last frame with an object, -1 without any."""
        parts = [part.frame for part in (self.boxes, self.masks) if part is not None]
        return max((int(frame[-1]) for frame in parts if len(frame)), default=-1)

    @staticmethod
    def load(folder: Path) -> Truth:
        """What ``save`` wrote.

        Raises:
            DataError: the folder holds no ground truth.
        """
        path = folder / FILE
        try:
            with np.load(path) as file:
                arrays = dict(file)
            facts = json.loads(str(arrays["facts"]))
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: not readable as ground truth ({error})") from error
        return Truth(
            facts["name"],
            facts["frame_count"],
            facts["width"],
            facts["height"],
            _boxes(facts["box"], arrays) if facts["box"] else None,
            _masks(facts["mask"], arrays) if facts["mask"] else None,
        )

    def save(self, folder: Path) -> None:
        """Write ``truth.npz`` into ``folder``."""
        facts: dict[str, Any] = {
            "name": self.name,
            "frame_count": self.frame_count,
            "width": self.width,
            "height": self.height,
            "box": None,
            "mask": None,
        }
        arrays: dict[str, np.ndarray] = {}
        if self.boxes is not None:
            facts["box"] = {"protocol": self.boxes.protocol, "names": self.boxes.names}
            arrays |= {f"box_{key}": getattr(self.boxes, key) for key in _BOX_ARRAYS}
        if self.masks is not None:
            size = {"height": self.masks.height, "width": self.masks.width}
            facts["mask"] = {"names": self.masks.names, **size}
            arrays |= {f"mask_{key}": getattr(self.masks, key) for key in _MASK_ARRAYS}
            arrays |= _packed("mask_rle", list(self.masks.rle))
            arrays["mask_region_frame"] = np.array(list(self.masks.regions), np.int64)
            arrays |= _packed("mask_region_rle", list(self.masks.regions.values()))
        np.savez(folder / FILE, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


_MASK_ARRAYS = ("frame", "track_id", "class_id")
_BOX_ARRAYS = (*_MASK_ARRAYS, "box", "judged", "region_frame", "region_box")


def build_truth(sequence: Sequence, folder: Path, report: Report) -> None:
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


def read_truth(sequence: Sequence, first_mask_frame: int = 0) -> Truth:
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


def _packed(key: str, texts: list[bytes]) -> dict[str, np.ndarray]:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return {key: np.frombuffer(b"".join(texts), np.uint8), f"{key}_ends": ends}


def _unpacked(key: str, arrays: dict[str, np.ndarray]) -> tuple[bytes, ...]:
    text, ends = arrays[key].tobytes(), arrays[f"{key}_ends"].tolist()
    return tuple(text[a:b] for a, b in zip([0, *ends][:-1], ends, strict=True))


def _names(rows: list[list[Any]]) -> Names:
    return tuple((int(i), str(name)) for i, name in rows)


def _boxes(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> BoxTruth:
    parts = {key: arrays[f"box_{key}"] for key in _BOX_ARRAYS}
    return BoxTruth(facts["protocol"], _names(facts["names"]), **parts)


def _masks(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> MaskTruth:
    regions = _unpacked("mask_region_rle", arrays)
    return MaskTruth(
        _names(facts["names"]),
        arrays["mask_frame"],
        arrays["mask_track_id"],
        arrays["mask_class_id"],
        _unpacked("mask_rle", arrays),
        facts["height"],
        facts["width"],
        dict(zip(arrays["mask_region_frame"].tolist(), regions, strict=True)),
    )
