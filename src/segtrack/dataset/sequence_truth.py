"""What a sequence's text files are, said before anything is computed for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segtrack.base.errors import DataError
from segtrack.dataset.frame_numbers import frames_of
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.telling import Warn
from segtrack.formats import (
    MOT_CLASSES,
    VISDRONE_CLASSES,
    first_row,
    is_visdrone,
    read_kitti,
    read_mot,
    read_visdrone,
    require_classes,
)

LABELS = "labels.txt"  # CVAT's export in MOT format: names of the class ids from 1 on
FIRST = {"mot15": 1, "mot17": 1, "mot20": 1, "visdrone": 1, "kitti": 0, "kitti_mots": 0}
_MOT20 = re.compile(r"^MOT20(\D|$)", re.IGNORECASE)
_WITH_CLASSES = re.compile(r"^MOT(16|17|20)(\D|$)", re.IGNORECASE)


class TruthFile(NamedTuple):
    """The format of a ground truth file, and names of its class ids."""

    gt_format: str | None
    classes: tuple[tuple[int, str], ...]


def describe_truth(path: Path, sequence: VideoSequence, warn: Warn) -> TruthFile:
    """Which format ``gt/gt.txt`` has, by its columns and the sequence's name, and its classes.

    Raises:
        DataError: its columns are of no known format, or do not fit ``labels.txt``.
    """
    gt_format = _format(path, sequence.name)
    labels = _labels(path.parent / LABELS)
    if labels and gt_format in ("mot17", "mot20"):
        return TruthFile("mot17", labels)
    if labels and gt_format == "mot15":
        if len(labels) > 1:
            raise DataError(
                f"{path}: has no column for the class, but {LABELS} beside it names "
                f"{len(labels)}; export it again, or leave one name there"
            )
        return TruthFile("mot15", labels)
    if gt_format == "visdrone":
        message = "its columns are VisDrone's; it is read and scored as such"
        warn("visdrone", str(path), message, "nothing, if that is right")
    known = {"mot17": MOT_CLASSES, "mot20": MOT_CLASSES, "visdrone": VISDRONE_CLASSES}
    return TruthFile(gt_format, known.get(gt_format, ()))


def check_frames(sequence: VideoSequence, warn: Warn) -> None:
    """Read the ground truth once, so that it is refused before hours of work.

    Raises:
        DataError: a row is malformed, of a class that nothing names, or of a frame that the
            sequence does not have.
    """
    if sequence.gt is None or sequence.gt_format in (None, "kitti_mots"):
        return
    numbers = _numbers(sequence, sequence.gt)
    first = FIRST[sequence.gt_format or ""]
    note = frames_of(numbers, first, sequence.image_numbers, sequence.frame_count, sequence.gt).note
    if note:
        warn("frame_numbers", str(sequence.gt), note, "nothing, if that is right")


def _numbers(sequence: VideoSequence, path: Path) -> np.ndarray:
    if sequence.gt_format == "kitti":
        return read_kitti(path).frame
    if sequence.gt_format == "visdrone":
        return read_visdrone(path, first=0).frame
    table = read_mot(path, first=0)
    if sequence.gt_format != "mot15" and table.class_id is not None:
        require_classes(path, table.class_id, sequence.gt_classes)
    return table.frame


def _format(path: Path, name: str) -> str:
    row = first_row(path)
    if not row or row == [""]:
        return "mot15"
    if len(row) == 6 and not _is_number(row[-1]):
        return "kitti_mots"
    if len(row) >= 17 and not _is_number(row[2]):
        return "kitti"
    if len(row) < 7 or len(row) > 10:
        raise DataError(
            f"{path}:1: {len(row)} columns; a row is  frame,id,left,top,width,height,conf  and "
            "class, visibility (MOT16 and later) or x,y,z (MOT15)"
        )
    mot20 = _MOT20.match(name) is not None
    if len(row) in (8, 9):
        return "mot20" if mot20 else "mot17"
    if len(row) == 10:
        if is_visdrone(path):
            return "visdrone"
        if _WITH_CLASSES.match(name) and _is_number(row[7]) and float(row[7]) > 0:
            return "mot20" if mot20 else "mot17"
    return "mot15"


def _labels(path: Path) -> tuple[tuple[int, str], ...]:
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not readable as text ({error})") from error
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    if empty := [i for i, name in enumerate(names, 1) if not name]:
        raise DataError(f"{path}, line {empty[0]}: no name; line n names the class id n")
    return tuple(enumerate(names, 1))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
