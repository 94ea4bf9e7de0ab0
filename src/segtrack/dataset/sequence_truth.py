"""What a sequence's text files are, said before anything is computed for them."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segtrack.base.errors import DataError
from segtrack.dataset.frame_numbers import first_mask_frame, frames_of
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.telling import Warn
from segtrack.formats import (
    MAX_FRAME,
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


def is_mot20(name: str) -> bool:
    """Whether a sequence is one of MOT20's, by its name: MOT20-01."""
    return _MOT20.match(name) is not None


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
    labels = read_labels(path.parent / LABELS)
    if labels not in ((), MOT_CLASSES) and gt_format in ("mot17", "mot20"):
        return TruthFile("mot17", labels)
    if gt_format == "mot20":
        message = "scored by MOT20's rules, by its name: boxes on class 6, vehicles, are excused"
        warn("mot20", str(path), message, "rename the folder if it is none of MOT20's")
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
    said: set[str] = set()
    if sequence.gt is not None and sequence.gt_format not in (None, "kitti_mots"):
        first = FIRST[sequence.gt_format or ""]
        numbers = _numbers(sequence, sequence.gt, warn)
        _say_frames(sequence, sequence.gt, numbers, first, warn, said)
    if sequence.mots is not None:
        _require_size(sequence, sequence.mots)
        numbers = _first_column(sequence.mots)
        first = first_mask_frame(numbers, sequence.name, sequence.frame_count)
        _say_frames(sequence, sequence.mots, numbers, first, warn, said)
        if first == 0 and len(numbers) and numbers.min() and not sequence.image_numbers:
            message = f"rows begin with frame {numbers.min()}, and are counted from 0 as KITTI-MOTS"
            hint = "nothing, if that is right; MOTSChallenge's, from 1, are named MOTS20-..."
            warn("mask_frames", str(sequence.mots), message, hint)
    if sequence.det is not None and sequence.image_numbers:
        # Only what else nobody would say: detections that nobody asks for may be what they like.
        with contextlib.suppress(DataError):
            numbers = read_mot(sequence.det, tracks=False, first=0).frame
            _say_frames(sequence, sequence.det, numbers, 1, warn, said)


def _say_frames(
    sequence: VideoSequence,
    path: Path,
    numbers: np.ndarray,
    first: int,
    warn: Warn,
    said: set[str],
) -> None:
    note = frames_of(numbers, first, sequence.image_numbers, sequence.frame_count, path).note
    if note and note not in said:
        said.add(note)
        warn("frame_numbers", str(path), note, "nothing, if that is right")


def _require_size(sequence: VideoSequence, path: Path) -> None:
    """Raise a DataError where masks are of another size than the frames."""
    sides = first_row(path)[3:5]
    if sequence.path is None or len(sides) < 2 or not all(map(_is_number, sides)):
        return
    height, width = (int(float(side)) for side in sides)
    if (width, height) != (sequence.width, sequence.height):
        raise DataError(
            f"{path}:1: masks of {width} x {height} pixels, the frames of {sequence.name} have "
            f"{sequence.width} x {sequence.height}; they belong to another video, or the images "
            "were resized"
        )


def _first_column(path: Path) -> np.ndarray:
    """Frame numbers of masks, without reading those; int64 (N,)."""
    numbers = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                word = line.split(maxsplit=1)[0] if line.strip() else ""
                if word and not (_is_number(word) and 0 <= float(word) <= MAX_FRAME):
                    raise DataError(f"{path}, line {number}: {word[:60]!r} is no frame number")
                if word:
                    numbers.append(int(float(word)))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as text ({error})") from error
    return np.array(numbers, np.int64)


def _numbers(sequence: VideoSequence, path: Path, warn: Warn) -> np.ndarray:
    if sequence.gt_format == "kitti":
        return read_kitti(path).frame
    read = read_visdrone if sequence.gt_format == "visdrone" else read_mot
    table = read(path, first=0)
    if _are_corners(table.bbox_xywh, sequence.width, sequence.height):
        message = "as left, top, width, height most boxes leave the frame; as corners all fit"
        hint = "they are taken so; write width and height if these are left, top, right, bottom"
        warn("corners", str(path), message, hint)
    if sequence.gt_format == "visdrone":
        return table.frame
    if sequence.gt_format != "mot15" and table.class_id is not None:
        require_classes(path, table.class_id, sequence.gt_classes)
    return table.frame


def _are_corners(boxes: np.ndarray, width: int, height: int) -> bool:
    """Whether boxes (N, 4), x, y, width, height, would all fit into the frame as corners alone."""
    size = np.array([width, height])
    low, high = boxes[:, :2], boxes[:, 2:]
    fit = (low >= 0) & (low < high) & (high <= size + 1)
    leave = (low + high > size + 1).any(axis=1)
    return bool(len(boxes) and width and fit.all() and 2 * leave.sum() > len(boxes))


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
    mot20 = is_mot20(name)
    if len(row) in (8, 9):
        if read_mot(path, first=0).class_id is None:
            return "mot15"
        return "mot20" if mot20 else "mot17"
    if len(row) == 10:
        if is_visdrone(path):
            return "visdrone"
        if _WITH_CLASSES.match(name) and _is_number(row[7]) and float(row[7]) > 0:
            return "mot20" if mot20 else "mot17"
    return "mot15"


def read_labels(path: Path) -> tuple[tuple[int, str], ...]:
    """Names of class ids as CVAT's export in MOT format lists them, empty without such a file.

    One per line, the first is 1. MOTChallenge's own list, in any spelling, is ``MOT_CLASSES``.

    Raises:
        DataError: not readable, a line without a name before others, or the same name twice.
    """
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
    for i, name in enumerate(names, 1):
        if (first := names.index(name) + 1) < i:
            raise DataError(f"{path}, line {i}: {name!r} is line {first} too; line n names id n")
    own = len(names) >= 7 and names[6].lower().replace("_", " ") == dict(MOT_CLASSES)[7]
    return MOT_CLASSES if own else tuple(enumerate(names, 1))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
