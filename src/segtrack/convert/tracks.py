"""Tracks as files have them: results.json, sequences with ground truth, and single text files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from segtrack.base import rle
from segtrack.base.errors import DataError
from segtrack.convert.clips import TrackedClip
from segtrack.convert.material import Clip, Thing
from segtrack.dataset import (
    KITTI_MOTS_CLASSES,
    VideoSequence,
    first_mask_frame,
    frames_of,
    read_labels,
    sequences_from,
    told_by_kind,
)
from segtrack.formats import (
    DONT_CARE,
    IGNORE_CLASS,
    MotTable,
    first_row,
    read_kitti,
    read_mot,
    read_mots,
    read_visdrone,
)
from segtrack.tracker import read_results

_LABELS = "labels.txt"
_NO_SCORE = -1.0
_REGIONS_OF_VISDRONE = (0, 11)
_CLIP = ("name", "width", "height", "fps", "frame_count")
_Rows = defaultdict[int, list[Thing]]


def results_clip(path: Path) -> TrackedClip:
    """The tracks of a results.json; boxes are the detections' own (``bbox_xyxy``).

    Raises:
        DataError: it is none.
    """
    results = read_results(path)
    ids = {class_id: i for i, class_id in enumerate(sorted(results.names))}
    frames: _Rows = defaultdict(list)
    for rows in results.frames:
        for i, (track_id, class_id) in enumerate(
            zip(rows.track_id.tolist(), rows.class_id.tolist(), strict=True)
        ):
            # The shortest text of a float32 is what the file had.
            x, y, u, v = (float(str(value)) for value in rows.bbox_xyxy[i])
            frames[rows.frame].append(
                Thing(
                    ids[class_id],
                    (x, y, u, v),
                    rle=rows.rle[i] or b"",
                    score=float(str(rows.score[i])),
                    track_id=track_id,
                    interpolated=bool(rows.interpolated[i]),
                )
            )
    video = results.video
    clip = Clip(**{key: video[key] for key in _CLIP}, times=results.times)
    return TrackedClip(clip, frames, tuple(results.names[i] for i in sorted(results.names)))


def sequence_clips(path: Path, masks: bool) -> list[TrackedClip]:
    """The sequences with ground truth that ``path`` holds, as ``dataset=sequences`` finds them.

    Args:
        masks: mask ground truth is taken where there is some, else boxes, where there are any.

    Raises:
        DataError: there is no sequence with ground truth.
    """
    told: list[tuple[str, str, str, str]] = []
    sequences = sequences_from(str(path), lambda *words: told.append(words))
    found = [s for s in sequences if s.gt is not None or s.mots is not None]
    if not found:  # then it is no folder of videos, and nothing of those is worth a word
        raise DataError(
            f"{path}: holds no labels that segtrack reads, and no sequence with ground truth "
            "(gt/gt.txt or mots/instances.txt)"
        )
    with told_by_kind() as tell:
        for words in told:
            tell(*words)
    return [sequence_clip(sequence, masks) for sequence in found]


def text_clip(path: Path) -> TrackedClip:
    """A text file alone: MOTChallenge rows or, where they are six columns with an RLE, MOTS's.

    Raises:
        DataError: a row is malformed.
    """
    row = first_row(path)
    if len(row) == 6 and not row[-1].lstrip("-").replace(".", "").isdigit():
        numbers = read_mots(path).frame
        names = read_labels(path.parent / _LABELS) or KITTI_MOTS_CLASSES
        first = first_mask_frame(numbers, path.stem, 0)
        return _mask_clip(path, numbers - first, names, Clip(path.stem, 0, 0, 0.0, 0))
    table = read_mot(path)
    names = read_labels(path.parent / _LABELS)
    frames, listed = _box_things(table, table.frame, names)
    last = int(table.frame.max(initial=-1))
    return TrackedClip(Clip(path.stem, 0, 0, 0.0, last + 1), frames, listed)


def sequence_clip(sequence: VideoSequence, masks: bool) -> TrackedClip:
    """One sequence with ground truth; ``masks`` as in ``sequence_clips``.

    Raises:
        DataError: a row is malformed, or of a frame that is not there.
    """
    clip = Clip(sequence.name, sequence.width, sequence.height, sequence.fps, sequence.frame_count)
    boxes = sequence.gt is not None and sequence.gt_format != "kitti_mots"
    if sequence.mots is not None and (masks or not boxes):
        numbers = read_mots(sequence.mots).frame
        first = first_mask_frame(numbers, sequence.name, sequence.frame_count)
        frame = _frames(sequence, sequence.mots, numbers, first)
        return _mask_clip(sequence.mots, frame, sequence.mots_classes, clip, sequence)
    assert sequence.gt is not None
    path = sequence.gt
    notes: tuple[str, ...] = ()
    if sequence.gt_format == "kitti":
        return _kitti_clip(path, clip, sequence)
    if sequence.gt_format == "visdrone":
        table = read_visdrone(path, first=0)
        assert table.class_id is not None
        frame = _frames(sequence, path, table.frame, 1)
        regions = np.isin(table.class_id, _REGIONS_OF_VISDRONE)
        frame = np.where(regions, -1, frame)
        left = int(regions.sum())
        notes = (
            (f"{left} regions of VisDrone that nothing is judged in are left out",) if left else ()
        )
    else:
        table = read_mot(path, first=0)
        frame = _frames(sequence, path, table.frame, 1)
    frames, names = _box_things(table, frame, sequence.gt_classes)
    return TrackedClip(_known(clip, frame), frames, names, sequence, notes=notes)


def _kitti_clip(path: Path, clip: Clip, sequence: VideoSequence) -> TrackedClip:
    table = read_kitti(path)
    frame = _frames(sequence, path, table.frame, 0)
    objects = np.array([kind != DONT_CARE for kind in table.kind]) & (table.track_id >= 0)
    names = tuple(dict.fromkeys(k for k, there in zip(table.kind, objects, strict=True) if there))
    frames: _Rows = defaultdict(list)
    for i in np.flatnonzero(objects & (frame >= 0)).tolist():
        x, y, u, v = table.bbox_xyxy[i].tolist()
        frames[int(frame[i])].append(
            Thing(names.index(table.kind[i]), (x, y, u, v), track_id=int(table.track_id[i]))
        )
    left = int((~objects).sum())
    notes = (f"{left} regions that nobody should care about are left out",) if left else ()
    return TrackedClip(_known(clip, frame), frames, names, sequence, notes=notes)


def _box_things(
    table: MotTable, frame: np.ndarray, named: Sequence[tuple[int, str]]
) -> tuple[_Rows, tuple[str, ...]]:
    """Objects of MOT rows by frame, and names of their classes; rows of frame -1 are left out."""
    known = dict(named)
    if table.class_id is None:
        classes = np.full(len(frame), next(iter(known), 1), np.int64)
        known = dict([next(iter(known.items()), (1, "object"))])
    else:
        classes = table.class_id
    used = sorted(set(classes[frame >= 0].tolist()))
    listed = sorted({*used, *(known if len(known) <= len(used) else ())})
    names = tuple(known.get(i, f"class {i}") for i in listed)
    place = {number: i for i, number in enumerate(listed)}
    frames: _Rows = defaultdict(list)
    corners = table.bbox_xyxy.tolist()
    visible = table.visibility
    # Only a flag of ground truth is 0 or 1 throughout; else it is a score, -1 where there is none.
    flags = bool(np.isin(table.conf, (0, 1)).all())
    scored = not flags and not (table.conf == _NO_SCORE).all()
    for i in np.flatnonzero(frame >= 0).tolist():
        seen = None if visible is None or not 0 <= visible[i] <= 1 else float(visible[i])
        x, y, u, v = corners[i]
        frames[int(frame[i])].append(
            Thing(
                place[int(classes[i])],
                (x, y, u, v),
                score=float(table.conf[i]) if scored else None,
                track_id=int(table.track_id[i]),
                visible=seen,
                ignored=flags and not table.conf[i],
            )
        )
    return frames, names


def _mask_clip(
    path: Path,
    frame: np.ndarray,
    named: Sequence[tuple[int, str]],
    clip: Clip,
    sequence: VideoSequence | None = None,
) -> TrackedClip:
    table = read_mots(path)
    known = {number: name for number, name in named if number != IGNORE_CLASS}
    used = sorted(set(table.class_id.tolist()) - {IGNORE_CLASS})
    names = tuple(known.get(number, f"class {number}") for number in used) or ("object",)
    place = {number: i for i, number in enumerate(used)}
    frames: _Rows = defaultdict(list)
    for i in np.flatnonzero(frame >= 0).tolist():
        region = table.class_id[i] == IGNORE_CLASS
        if region and not rle.pixels(table.rle[i]):
            continue  # which only says that frames count from 0
        x, y, u, v = rle.mask_box(rle.run_lengths(table.rle[i]), table.height)
        frames[int(frame[i])].append(
            Thing(
                0 if region else place[int(table.class_id[i])],
                (float(x), float(y), float(u), float(v)),
                rle=table.rle[i],
                crowd=bool(region),
                track_id=None if region else int(table.track_id[i]),
            )
        )
    clip = Clip(clip.name, clip.width or table.width, clip.height or table.height, clip.fps,
                clip.frame_count)  # fmt: skip
    if (clip.width, clip.height) != (table.width, table.height) and len(table.frame):
        raise DataError(
            f"{path}: masks are of {table.width} x {table.height} pixels, the frames of "
            f"{clip.name} have {clip.width} x {clip.height}"
        )
    return TrackedClip(_known(clip, frame), frames, names, sequence)


def _known(clip: Clip, frame: np.ndarray) -> Clip:
    """With the number of frames that rows show, where nothing else says it."""
    count = clip.frame_count or int(frame.max(initial=-1)) + 1
    return Clip(clip.name, clip.width, clip.height, clip.fps, count)


def _frames(sequence: VideoSequence, path: Path, numbers: np.ndarray, first: int) -> np.ndarray:
    return frames_of(numbers, first, sequence.image_numbers, sequence.frame_count, path).frame


def results_below(path: Path) -> Iterator[Path]:
    """The results.json files of a run's folder: in it, below ``tracking``, or one level down."""
    own = path / "results.json"
    if own.is_file():
        yield own
        return
    found = sorted(path.glob("tracking/*/results.json")) or sorted(path.glob("*/results.json"))
    yield from found
