"""Scores of one sequence: files in a stage's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.base.rle import pixels
from segtrack.scoring.counts import COUNTED, FIELDS, has_objects, per_alpha, summary
from segtrack.scoring.matches import MATCHES_FILE, ClearMatches, write_matches
from segtrack.scoring.occlusion import occlusion_tables
from segtrack.scoring.protocols import PROTOCOLS, judged_classes
from segtrack.scoring.truth import BoxTruth, MaskTruth, Truth
from segtrack.tracker import TRACKER_BOX, Tracks

# What does the counting is imported when there is something to count: it takes a compiler along,
# which those who only read scores can do without.
if TYPE_CHECKING:
    from segtrack.scoring.counting import Pairing
    from segtrack.scoring.pairings import TrackBoxes, TrackMasks

SCORES_FILE, COUNTS_FILE, EVENTS_FILE = "scores.json", "counts.npz", "events.json"
BOX, MASK = "box", "mask"
Key = tuple[str, str]
"""Kind (``box`` or ``mask``) and class name."""


@dataclass(frozen=True)
class ClassScore:
    """One kind and class of one sequence: counts (D,), and what CLEAR matched."""

    kind: str
    name: str
    counts: np.ndarray
    matches: ClearMatches


@dataclass(frozen=True)
class SequenceScores:
    """What ``score_tracks`` wrote.

    Attributes:
        name: of the sequence.
        counts: float64 (D,) by kind and class; ``counts.FIELDS`` names them.
        truth: digest of the ground truth by kind (``Truth.digests``); empty of scores that were
            made before it was kept.
    """

    name: str
    counts: dict[Key, np.ndarray]
    truth: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def load(folder: Path) -> SequenceScores:
        """Read ``counts.npz``.

        Raises:
            DataError: the folder holds no scores.
        """
        path = folder / COUNTS_FILE
        try:
            with np.load(path) as file:
                arrays = dict(file)
            keys = [(str(kind), str(name)) for kind, name in arrays["keys"].tolist()]
            name, counts = str(arrays["name"]), arrays["counts"]
            truth = {str(kind): str(one) for kind, one in arrays.get("truth", np.empty((0, 2)))}
            # Earlier versions did not count occlusions, whose fields are the last ones.
            counts = np.pad(counts, ((0, 0), (0, len(FIELDS) - counts.shape[1])))
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: not readable as scores ({error})") from error
        return SequenceScores(name, dict(zip(keys, counts, strict=True)), truth)


def score_tracks(
    truth: Truth,
    tracks: Tracks,
    names: tuple[str, ...],
    folder: Path,
    report: Report,
    merge: Mapping[str, str] | None = None,
) -> None:
    """Score the trajectories of one video against its ground truth.

    Boxes and masks are those of ``mot.txt`` and ``mots.txt``, digit for digit, so that any scorer
    gives the same on these files.

    Args:
        truth: of the same sequence.
        tracks: the trajectories.
        names: class names by class id (``tracks.info.names``).
        folder: gets ``scores.json`` (for people), ``counts.npz`` (``SequenceScores.load``),
            ``matches.parquet`` (``read_matches``) and ``events.json`` (every id switch: frame, ids
            of ground truth and tracks).
        report: gets ``speed/score_ms``, per frame.
        merge: from a class name of the ground truth to the name that it is scored under, where the
            model's classes are merged ones.

    Raises:
        DataError: the video that was tracked has another size than the ground truth's.
    """
    begin = time.perf_counter()
    info = tracks.info
    _require_size(truth, info.width, info.height, tracks.folder)
    frame_count = max(truth.frame_count, truth.last_frame + 1, info.frame_count)
    boxes = _track_boxes(tracks) if truth.boxes is not None else None
    masks = _track_masks(tracks, truth) if truth.masks is not None else None
    # Rows beyond what the video declares still count.
    for part in (boxes, masks):
        if part is not None and len(part.frame):
            frame_count = max(frame_count, int(part.frame[-1]) + 1)
    scores = score_rows(truth, boxes, masks, names, frame_count, merge)
    _write(folder, truth, names, frame_count, scores)
    report("speed/score_ms", 1000 * (time.perf_counter() - begin) / max(frame_count, 1))


def score_rows(
    truth: Truth,
    boxes: TrackBoxes | None,
    masks: TrackMasks | None,
    names: tuple[str, ...],
    frame_count: int,
    merge: Mapping[str, str] | None = None,
) -> tuple[ClassScore, ...]:
    """Scores of every kind that both sides have and every class that is judged.

    Args:
        truth: the ground truth.
        boxes, masks: the tracker's rows; their frames lie below ``frame_count``.
        names: of the tracks' class ids.
        frame_count: frames of the sequence.
        merge: as in ``score_tracks``.
    """
    from segtrack.scoring.pairings import box_pairing, mask_pairing

    merge = merge or {}
    scores = []
    if truth.boxes is not None and boxes is not None:
        rules = PROTOCOLS[truth.boxes.protocol]
        for one in judged_classes(rules, truth.boxes.names, names, merge):
            pairing = box_pairing(truth.boxes, boxes, one, frame_count)
            scores.append(_score(BOX, one.name, pairing, truth.boxes))
    if truth.masks is not None and masks is not None:
        for one in judged_classes(PROTOCOLS["mots"], truth.masks.names, names, merge):
            pairing = mask_pairing(truth.masks, masks, one, frame_count)
            scores.append(_score(MASK, one.name, pairing, truth.masks))
    return tuple(scores)


def percent(counts: np.ndarray, alone: bool = False) -> dict[str, float | None]:
    """``counts.summary`` of counts (D,) as people print it: fractions in percent.

    None where there is no ground truth that they could be fractions of.
    """
    judged = has_objects(counts)
    return {
        name: int(value) if name in COUNTED else 100 * float(value) if judged else None
        for name, value in summary(counts, alone).items()
    }


def _score(kind: str, name: str, pairing: Pairing, truth: BoxTruth | MaskTruth) -> ClassScore:
    from segtrack.scoring.counting import count

    counts, matches = count(pairing, truth)
    return ClassScore(kind, name, counts, matches)


def _require_size(truth: Truth, width: int, height: int, source: Path) -> None:
    known = truth.masks if truth.masks is not None and truth.masks.width else truth
    if width and height and known.width and (width, height) != (known.width, known.height):
        raise DataError(
            f"{source}: these are tracks of {width} x {height} pixels, the ground truth of "
            f"{truth.name} is of {known.width} x {known.height}; they belong to another video"
        )


def _track_boxes(tracks: Tracks) -> TrackBoxes:
    from segtrack.scoring.pairings import TrackBoxes

    x1, y1, x2, y2 = tracks.columns(*TRACKER_BOX)
    x, y, width, height = (_as_written(values) for values in (x1, y1, x2 - x1, y2 - y1))
    numbers = tracks.columns("frame", "track_id", "class_id")
    frame, track_id, class_id = (column.astype(np.int64) for column in numbers)
    return TrackBoxes(frame, track_id, class_id, np.stack([x, y, x + width, y + height], axis=1))


def _as_written(values: np.ndarray) -> np.ndarray:
    """float64 of the shortest text of float32 values, which is what ``mot.txt`` has."""
    text = pa.array(values.astype(np.float32)).cast(pa.string())
    numbers: np.ndarray = text.cast(pa.float64()).to_numpy()
    return numbers


def _track_masks(tracks: Tracks, truth: Truth) -> TrackMasks:
    from segtrack.scoring.pairings import TrackMasks

    assert truth.masks is not None
    height = tracks.info.height or truth.masks.height
    width = tracks.info.width or truth.masks.width
    rows: list[tuple[int, int, int]] = []
    rle: list[bytes] = []
    for frame in tracks.frames():
        for row, counts in enumerate(frame.disjoint_masks(height, width)):
            if counts and pixels(counts):
                rows.append((frame.frame, int(frame.track_id[row]), int(frame.class_id[row])))
                rle.append(counts)
    table = np.array(rows, np.int64).reshape(-1, 3)
    frame_of, track_id, class_id = table.T
    return TrackMasks(frame_of, track_id, class_id, tuple(rle), height, width)


def _document(counts: np.ndarray) -> dict[str, Any]:
    """Scores of one class; where the ground truth has no object of it, counts and nulls."""
    totals = summary(counts, alone=True).items()
    if not has_objects(counts):
        return {name: float(v) if name in COUNTED else None for name, v in totals} | {
            "per_alpha": None
        }
    curves = {name: values.tolist() for name, values in per_alpha(counts).items()}
    scores = {name: float(value) for name, value in totals}
    return {**scores, "per_alpha": curves, **occlusion_tables(counts)}


def _write(
    folder: Path,
    truth: Truth,
    names: tuple[str, ...],
    frame_count: int,
    scores: tuple[ClassScore, ...],
) -> None:
    np.savez(
        folder / COUNTS_FILE,
        name=np.array(truth.name),
        keys=np.array([(one.kind, one.name) for one in scores]).reshape(-1, 2),
        counts=np.array([one.counts for one in scores]).reshape(-1, len(FIELDS)),
        truth=np.array(list(truth.digests().items())).reshape(-1, 2),
    )
    write_matches(folder / MATCHES_FILE, [(one.kind, one.name, one.matches) for one in scores])
    judged = {one.name for one in scores}
    document: dict[str, Any] = {"sequence": truth.name, "frames": frame_count}
    document |= {BOX: {}, MASK: {}}
    for one in scores:
        document[one.kind][one.name] = _document(one.counts)
    folded = {name.casefold() for name in judged}
    document["left_out"] = [name for name in names if name.casefold() not in folded]
    document["left_out_because"] = "the ground truth does not judge these classes of the tracker"
    known = {name.casefold() for name in names}
    document["missing"] = sorted(name for name in judged if name.casefold() not in known)
    document["missing_because"] = "the tracker has no such class: all its objects are misses"
    switches = [
        {"kind": one.kind, "class_name": one.name, **asdict(switch)}
        for one in scores
        for switch in one.matches.switches()
    ]
    switches.sort(key=lambda row: (row["kind"], row["frame"], row["gt_id"]))
    for file, content in ((SCORES_FILE, document), (EVENTS_FILE, {"switches": switches})):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / file).write_text(text + "\n", encoding="utf-8")
