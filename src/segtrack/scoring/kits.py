"""Ground truth and tracks in the folders of each benchmark's own kit.

MOTChallenge: ``GT/<sequence>/gt/gt.txt`` with ``seqinfo.ini``. KITTI: ``GT/label_02/<NNNN>.txt``
and ``GT/evaluate_tracking.seqmap*``. KITTI-MOTS and MOTSChallenge: ``GT/instances_txt/<name>.txt``
(``label_02`` and ``gt/gt.txt`` are found too), lengths from a seqmap or ``seqinfo.ini`` where there
is one. VisDrone: ``GT/annotations/<name>.txt``, lengths from ``GT/sequences/<name>``. The tracker
has ``TRACKS/<sequence>.txt``.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset import KITTI_MOTS_CLASSES, VideoSequence, is_mot20, read_labels
from segtrack.formats import (
    DONT_CARE,
    IGNORE_CLASS,
    MAX_FRAME,
    MOT_CLASSES,
    read_kitti,
    read_mot,
    read_mots,
    read_visdrone,
    refuse_row,
)
from segtrack.scoring.pairings import TrackBoxes, TrackMasks
from segtrack.scoring.protocols import Names
from segtrack.scoring.score import BOX, MASK, SequenceScores, score_rows
from segtrack.scoring.truth import Truth
from segtrack.scoring.truth_files import kitti_classes, read_truth, require_disjoint

PEDESTRIAN = "pedestrian"  # the benchmarks' word; ours is person


@dataclass(frozen=True)
class Kit:
    """One benchmark.

    Attributes:
        kind: box or mask.
        classes: ids and names of what a tracker's file may hold and the benchmark judges.
        first_frame: the number of the first frame in the files.
        gt: where a sequence's ground truth may lie, below the folder given.
        seqmaps: patterns of the list of sequences.
    """

    kind: str
    classes: Names
    first_frame: int
    gt: tuple[str, ...]
    seqmaps: tuple[str, ...] = ()


KITS: dict[str, Kit] = {
    "mot15": Kit(BOX, ((1, PEDESTRIAN),), 1, ("{}/gt/gt.txt",)),
    "mot17": Kit(BOX, ((1, PEDESTRIAN),), 1, ("{}/gt/gt.txt",)),
    "mot20": Kit(BOX, ((1, PEDESTRIAN),), 1, ("{}/gt/gt.txt",)),
    "visdrone": Kit(
        BOX,
        ((4, "car"), (9, "bus"), (6, "truck"), (1, PEDESTRIAN), (5, "van")),
        1,
        ("annotations/{}.txt",),
    ),
    "kitti": Kit(
        BOX,
        ((1, "car"), (4, PEDESTRIAN)),
        0,
        ("label_02/{}.txt",),
        ("evaluate_tracking.seqmap*",),
    ),
    "kitti_mots": Kit(
        MASK,
        ((1, "car"), (2, PEDESTRIAN)),
        0,
        ("instances_txt/{}.txt", "label_02/{}.txt", "instances/{}.txt", "{}/mots/instances.txt"),
        ("evaluate_mots.seqmap*", "*.seqmap"),
    ),
    "mots": Kit(
        MASK,
        ((2, PEDESTRIAN),),
        1,
        ("instances_txt/{}.txt", "{}/gt/gt.txt", "instances/{}.txt"),
    ),
}


def score_kit(
    name: str, gt: Path, tracks: Path, classes: list[str] | None = None
) -> dict[str, SequenceScores]:
    """Score a tracker's files against a benchmark's ground truth.

    Args:
        name: key in ``KITS``.
        gt: the benchmark's folder.
        tracks: folder of one text file per sequence.
        classes: which classes; "person" and "pedestrian" mean the same, and the scores have the
            name that was asked for. None: all that the benchmark judges.

    Returns:
        Scores by sequence name; classes have the benchmark's names.

    Raises:
        SettingsError: a class that the benchmark does not judge.
        DataError: a folder or a file is missing, or a row is malformed or of a frame that the
            sequence does not have.
    """
    kit = KITS[name]
    asked = _asked(kit, name, classes)
    found = _sequences(kit, gt)
    scores: dict[str, SequenceScores] = {}
    for sequence, (path, frames) in found.items():
        if frames > MAX_FRAME:
            raise DataError(
                f"{gt}: {sequence} is said to have {frames} frames; {MAX_FRAME} is most"
            )
        output = tracks / f"{sequence}.txt"
        if not output.is_file():
            raise DataError(f"{output}: missing; a tracker has one such file per sequence of {gt}")
        truth = read_truth(_described(kit, name, sequence, path, frames), kit.first_frame)
        _within(path, truth.last_frame, frames, kit.first_frame)
        rows = scored_rows(name, output)
        last = int(rows.frame[-1]) if len(rows.frame) else -1
        _within(output, last, frames, kit.first_frame)
        count = frames or max(truth.last_frame, last) + 1
        scores[sequence] = _scored(kit, truth, rows, sequence, asked, count, output)
    return scores


def scored_rows(name: str, path: Path) -> TrackBoxes | TrackMasks:
    """A tracker's file of benchmark ``name``, frames ascending; class ids index ``Kit.classes``.

    Raises:
        DataError: a malformed row, two masks of a frame that overlap, or, in mot17, an object that
            is no pedestrian, in kitti one of an unknown type (the benchmarks refuse these).
    """
    kit = KITS[name]
    if kit.kind == MASK:
        table = read_mots(path, kit.first_frame)
        require_disjoint(path, table)
        order = np.argsort(table.frame, kind="stable")
        order = order[table.class_id[order] != IGNORE_CLASS]
        rle = tuple(table.rle[row] for row in order.tolist())
        return TrackMasks(
            table.frame[order],
            table.track_id[order],
            _class_index(kit, table.class_id[order]),
            rle,
            table.height,
            table.width,
        )
    if name == "kitti":
        labels = read_kitti(path)
        kinds = {kind: i for i, kind in kit.classes}
        kitti_classes(path, labels)  # TrackEval refuses types that KITTI does not have
        ids = np.array([kinds.get(kind.lower(), 0) for kind in labels.kind], np.int64)
        real = np.array([kind != DONT_CARE for kind in labels.kind], bool) & (labels.track_id >= 0)
        order = np.argsort(labels.frame, kind="stable")
        order = order[real[order]]
        frame, track_id, box = labels.frame, labels.track_id, labels.bbox_xyxy
    elif name == "visdrone":
        rows = read_visdrone(path)
        assert rows.class_id is not None
        order = np.argsort(rows.frame, kind="stable")
        frame, track_id, box, ids = rows.frame, rows.track_id, rows.bbox_xyxy, rows.class_id
    else:
        rows = read_mot(path)
        order = np.argsort(rows.frame, kind="stable")
        frame, track_id, box = rows.frame, rows.track_id, rows.bbox_xyxy
        ids = np.ones(len(frame), np.int64)
        if rows.class_id is not None and (rows.class_id > 1).any():
            row = int(np.argmax(rows.class_id > 1))
            refuse_row(
                path,
                row,
                f"has objects of class {rows.class_id[row]}; MOTChallenge judges pedestrians only, "
                "class 1: leave the others out",
            )
    return TrackBoxes(frame[order], track_id[order], _class_index(kit, ids[order]), box[order])


def _asked(kit: Kit, name: str, classes: list[str] | None) -> dict[str, str]:
    """Name in the scores by the name that the rules know."""
    known = {c: "person" if c == PEDESTRIAN else c for _, c in kit.classes}
    known_too = {**known, "person": "person"}
    asked = {}
    for one in classes or list(known):
        if one.lower() not in known_too:
            raise SettingsError(
                f"--classes {one}: {name} judges {', '.join(known)}; choose among these"
            )
        asked[known_too[one.lower()]] = one
    return asked


def _scored(
    kit: Kit,
    truth: Truth,
    rows: TrackBoxes | TrackMasks,
    sequence: str,
    asked: dict[str, str],
    frame_count: int,
    output: Path,
) -> SequenceScores:
    names = tuple("person" if name == PEDESTRIAN else name for _, name in kit.classes)
    boxes = rows if isinstance(rows, TrackBoxes) else None
    masks = rows if isinstance(rows, TrackMasks) else None
    if masks is not None and truth.masks is not None and masks.width and truth.masks.width:
        ours, theirs = (masks.width, masks.height), (truth.masks.width, truth.masks.height)
        if ours != theirs:
            raise DataError(
                f"{output}: masks of {ours[0]} x {ours[1]} pixels, the ground truth of {sequence} "
                f"has {theirs[0]} x {theirs[1]}; they belong to another video"
            )
    scores = score_rows(truth, boxes, masks, names, frame_count)
    counts = {(one.kind, asked[one.name]): one.counts for one in scores if one.name in asked}
    order = list(asked.values())
    counts = dict(sorted(counts.items(), key=lambda item: order.index(item[0][1])))
    return SequenceScores(sequence, counts)


def _described(kit: Kit, name: str, sequence: str, path: Path, frames: int) -> VideoSequence:
    if kit.kind == MASK:
        return VideoSequence(
            sequence, None, "", 0, 0, 0, frames, mots=path, mots_classes=KITTI_MOTS_CLASSES
        )  # fmt: skip
    classes: Names = ()
    if name == "mot15":
        classes = ((1, "person"),)
    elif name in ("mot17", "mot20"):
        _no_labels(path)
        classes = MOT_CLASSES
        name = "mot20" if is_mot20(sequence) else name
    return VideoSequence(
        sequence, None, "", 0, 0, 0, frames, gt=path, gt_format=name, gt_classes=classes
    )  # fmt: skip


def _no_labels(path: Path) -> None:
    """Refuse ground truth whose own list of names gives class 1 to something else."""
    names = path.with_name("labels.txt")
    labels = dict(read_labels(names))
    if labels and labels[1].lower() not in (PEDESTRIAN, "person"):
        raise DataError(
            f"{names}: class 1 is {labels[1]!r}, which MOTChallenge's rules do not judge; "
            "score it by python src/run.py dataset=sequences, which goes by these names"
        )


def _class_index(kit: Kit, class_id: np.ndarray) -> np.ndarray:
    """Position in ``kit.classes``; -1 for what the benchmark does not judge."""
    index = np.full(len(class_id), -1, np.int64)
    for position, (i, _) in enumerate(kit.classes):
        index[class_id == i] = position
    return index


def _within(path: Path, last: int, frames: int, first: int) -> None:
    if frames and last >= frames:
        raise DataError(
            f"{path}: has frame {last + first}, the sequence ends with frame {frames - 1 + first}; "
            "it belongs to another sequence, or seqLength is wrong"
        )


def _sequences(kit: Kit, folder: Path) -> dict[str, tuple[Path, int]]:
    """Ground truth file and number of frames (0: not said) by sequence name."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    maps = [path for pattern in kit.seqmaps for path in sorted(folder.glob(pattern))]
    problems = []
    for lengths in [_seqmap(kit, path) for path in maps] or [{}]:
        found = _found(kit, folder, lengths)
        missing = sorted(set(lengths) - set(found))
        if found and not missing:
            return found
        problems.append(missing[0] if missing else "*")
    wanted = " or ".join(pattern.format(problems[0]) for pattern in kit.gt)
    raise DataError(f"{folder}: no ground truth; expected {wanted} there")


def _found(kit: Kit, folder: Path, lengths: dict[str, int]) -> dict[str, tuple[Path, int]]:
    found: dict[str, tuple[Path, int]] = {}
    for pattern in kit.gt:
        for path in sorted(folder.glob(pattern.format("*"))):
            name = path.relative_to(folder).parts[pattern.split("/").index("{}")] \
                if "{}/" in pattern else path.stem  # fmt: skip
            if name not in found and (not lengths or name in lengths):
                found[name] = (path, lengths.get(name) or _ini_length(folder / name))
    return found


def _seqmap(kit: Kit, path: Path) -> dict[str, int]:
    """Frames by sequence of KITTI's lists: ``0017 empty 000000 000144``, the last one excluded in
    those of the tracking benchmark and included in those of MOTS, as in their kits."""
    lengths = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 4 or not words[0].isdecimal() or not words[3].isdecimal():
            raise DataError(
                f"{path}, line {number}: '0017 empty 000000 000145' expected: {line[:120]!r}"
            )
        lengths[f"{int(words[0]):04d}"] = int(words[3]) + (1 if kit.kind == MASK else 0)
    return lengths


def _ini_length(folder: Path) -> int:
    path = folder / "seqinfo.ini"
    images = folder.parent / "sequences" / folder.name  # VisDrone's
    if images.is_dir():
        return sum(1 for _ in images.glob("*.[jJpP][pPnN][gG]"))
    if not path.is_file():
        return 0
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
        return int(parser["Sequence"]["seqLength"])
    except (configparser.Error, KeyError, ValueError) as error:
        raise DataError(f"{path}: [Sequence] has no whole number seqLength ({error})") from error
