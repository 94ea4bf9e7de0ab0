"""Reviewed trajectories as ground truth: the text files that sequences bring along.

NAME/gt/gt.txt              boxes, MOTChallenge's nine columns
NAME/mots/instances.txt     masks, KITTI-MOTS

Frames between two key frames are filled in on straight lines, as on the platform. Where the tracker
lost an object and nobody drew one, nothing is judged: the box there is a distractor, the mask a
part of the region that is ignored. Where outlines overlap, a pixel is of the one that people drew,
then of the one with the higher score, as in the tracker's own masks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtrack.annotation.video_matching import Review
from segtrack.annotation.video_outlines import OutlineTrack, between, gaps_of
from segtrack.annotation.video_sent import SentVideo
from segtrack.base.polygons import Polygon
from segtrack.base.rle import disjoint
from segtrack.dataset import VideoSequence
from segtrack.formats import IGNORE_CLASS

DISTRACTOR = "distractor"
_MOT_IDS = {"person": 1, "car": 3}  # MOTChallenge's; it has no others that are judged
_DISTRACTOR_ID, _FIRST_FREE = 8, 14
_IGNORED_ID = 10_000_000_000
_DRAWN = float("inf")  # of what people drew, in the place of a score


@dataclass(frozen=True)
class TrueTrack:
    """A trajectory as it came back.

    Attributes:
        track_id: the tracker's, where it is one of the tracker's; else a new one.
        scores: of the tracker's outlines that it has, by frame; others were drawn.
        silent: pairs of key frames between which the tracker lost it and nobody drew anything.
    """

    track_id: int
    class_id: int
    outlines: OutlineTrack
    scores: Mapping[int, float]
    silent: frozenset[tuple[int, int]]


def true_tracks(
    sent: Sequence[OutlineTrack],
    back: Sequence[OutlineTrack],
    review: Review,
    names: Sequence[str],
    every: int,
    scores: Mapping[tuple[int, int], float],
) -> list[TrueTrack]:
    """What came back, with ids.

    A trajectory has the tracker's id of which it has most outlines, and each id goes to the one
    that has most of it; all others are numbered on.

    Args:
        scores: of the tracker's objects, by id and frame.
    """
    ids = _ids(sent, back, review)
    gaps = [gaps_of(one, every) for one in sent]
    found = []
    for j, track in enumerate(back):
        parts = review.parts[j]
        known = {
            frame: scores[sent[i].track_id, frame]
            for i in parts
            for frame in track.outlines.keys() & sent[i].outlines.keys()
            if (sent[i].track_id, frame) in scores
        }
        silent = gaps_of(track, every) & frozenset(pair for i in parts for pair in gaps[i])
        class_id = list(names).index(track.class_name)
        found.append(TrueTrack(ids[j], class_id, track, known, silent))
    return found


def write_truth(
    video: SentVideo,
    tracks: Sequence[TrueTrack],
    names: Sequence[str],
    folder: Path,
    every: int = 1,
) -> VideoSequence:
    """Write the ground truth of a video into ``folder``, which may be there.

    Args:
        names: class names by class id.
        every: only frames whose number it divides, numbered on; the sequence then has none others.

    Returns:
        The sequence, without a video file.
    """
    boxes: dict[int, list[tuple[int, int, Polygon, bool]]] = defaultdict(list)
    order: dict[tuple[int, int], float] = {}
    for track in tracks:
        score = _DRAWN
        rows = [(frame, ring, True) for frame, ring in track.outlines.outlines.items()]
        rows += [(b.frame, b.ring, b.judged) for b in between(track.outlines, track.silent)]
        for frame, ring, judged in sorted(rows, key=lambda row: row[0]):
            if frame in track.outlines.outlines:
                score = track.scores.get(frame, _DRAWN)
            if frame % every or frame >= video.frame_count:
                continue
            number = frame // every
            boxes[number].append((track.track_id, track.class_id, ring, judged))
            order[number, track.track_id] = score
    mot, mots = _mot_ids(names), _mots_ids(names)
    gt, masks = folder / "gt" / "gt.txt", folder / "mots" / "instances.txt"
    for path in (gt, masks):
        path.parent.mkdir(parents=True, exist_ok=True)
    full_ids = _full_ids(tracks, mots)
    with gt.open("w", encoding="utf-8") as gt_file, masks.open("w", encoding="utf-8") as mask_file:
        if boxes and 0 not in boxes:  # so that nobody takes the first number for 1
            empty = _empty(video)
            mask_file.write(f"0 {_IGNORED_ID} {IGNORE_CLASS} {empty}\n")
        for frame in sorted(boxes):
            rows_of = sorted(boxes[frame], key=lambda row: row[0])
            for track_id, class_id, ring, judged in rows_of:
                (x1, y1), (x2, y2) = ring.min(0).tolist(), ring.max(0).tolist()
                kind = mot[class_id] if judged else _DISTRACTOR_ID
                gt_file.write(
                    f"{frame + 1},{track_id},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},"
                    f"{int(judged)},{kind},-1\n"
                )
            size = f"{video.height} {video.width}"
            ranks = [order[frame, row[0]] for row in rows_of]
            for row, counts in zip(rows_of, _masks(video, rows_of, ranks), strict=True):
                track_id, class_id, _, judged = row
                if counts is not None and judged:
                    text = f"{full_ids[track_id]} {mots[class_id]} {size} {counts.decode()}"
                    mask_file.write(f"{frame} {text}\n")
                elif counts is not None:
                    number = _IGNORED_ID + track_id
                    text = f"{number} {IGNORE_CLASS} {size} {counts.decode()}"
                    mask_file.write(f"{frame} {text}\n")
    return VideoSequence(
        video.name,
        None,
        video.sha256,
        video.width,
        video.height,
        video.fps / every,
        -(-video.frame_count // every),
        gt,
        "mot17",
        masks,
        gt_classes=(*((mot[i], n) for i, n in enumerate(names)), (_DISTRACTOR_ID, DISTRACTOR)),
        mots_classes=(*((mots[i], n) for i, n in enumerate(names)), (IGNORE_CLASS, "ignore")),
    )


def _ids(
    sent: Sequence[OutlineTrack], back: Sequence[OutlineTrack], review: Review
) -> dict[int, int]:
    shares = Counter(
        {
            (j, sent[i].track_id): len(back[j].outlines.keys() & sent[i].outlines.keys())
            for j, parts in review.parts.items()
            for i in parts
        }
    )
    ids: dict[int, int] = {}
    for (j, track_id), _ in sorted(shares.items(), key=lambda item: (-item[1], *item[0])):
        if j not in ids and track_id not in ids.values():
            ids[j] = track_id
    free = max((one.track_id for one in sent), default=0) + 1
    for j in sorted(set(range(len(back))) - ids.keys(), key=lambda j: (back[j].first, j)):
        ids[j] = free
        free += 1
    return ids


def _masks(
    video: SentVideo, rows: Sequence[tuple[int, int, Polygon, bool]], ranks: Sequence[float]
) -> list[bytes | None]:
    """Disjoint masks, compressed RLE; None where nothing is left."""
    from pycocotools import mask as coco

    rings = [row[2].reshape(-1).tolist() for row in rows]
    whole = [coco.frPyObjects([ring], video.height, video.width)[0]["counts"] for ring in rings]
    unjudged = np.array([not row[3] for row in rows])
    ids = np.array([row[0] for row in rows])
    order = np.lexsort((ids, -np.asarray(ranks), unjudged)).tolist()
    left = disjoint(whole, order, video.height, video.width)
    return [counts if counts and _covers(counts) else None for counts in left]


def _empty(video: SentVideo) -> str:
    """Size and RLE of a mask without a pixel."""
    from pycocotools import mask as coco

    nothing = np.zeros((video.height, video.width), np.uint8, order="F")
    return f"{video.height} {video.width} {coco.encode(nothing)['counts'].decode()}"


def _covers(counts: bytes) -> bool:
    from segtrack.base.rle import pixels

    return pixels(counts) > 0


def _mot_ids(names: Sequence[str]) -> list[int]:
    free = iter(range(_FIRST_FREE, _FIRST_FREE + len(names)))
    return [_MOT_IDS[name] if name in _MOT_IDS else next(free) for name in names]


def _mots_ids(names: Sequence[str]) -> list[int]:
    """In their order, as ``mots.txt`` has them, but that 10 is the region that is ignored."""
    return [i + 1 if i + 1 < IGNORE_CLASS else i + 2 for i in range(len(names))]


def _full_ids(tracks: Sequence[TrueTrack], mots: Sequence[int]) -> dict[int, int]:
    """KITTI-MOTS: class * 1000 + a number; more where 1000 do not suffice."""
    most = max((track.track_id for track in tracks), default=0)
    per_class = 1000 if most < 1000 else 10 ** len(str(most))
    return {track.track_id: mots[track.class_id] * per_class + track.track_id for track in tracks}
