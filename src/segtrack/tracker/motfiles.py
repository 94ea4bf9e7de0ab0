"""Trajectories as the text files of two benchmarks: MOTChallenge boxes and KITTI-MOTS masks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from segtrack.base.rle import pixels
from segtrack.tracker.tracks import TrackRows, TrackSummary

IDS_PER_CLASS = 1000  # KITTI-MOTS: id // 1000 is the class


def mot_lines(rows: TrackRows) -> Iterator[str]:
    """``frame,id,x,y,w,h,score,-1,-1,-1`` of each object, the frame from 1 as the benchmark counts.

    Boxes are the tracker's estimates, since these are what published scores are of, and may reach
    over the border of the image, as the benchmark's ground truth does.
    """
    x1, y1, x2, y2 = rows.tracker_bbox_xyxy.astype(np.float32).T
    for track_id, *values in zip(
        rows.track_id.tolist(), x1, y1, x2 - x1, y2 - y1, rows.score, strict=True
    ):
        yield f"{rows.frame + 1},{track_id},{','.join(map(str, values))},-1,-1,-1\n"


def mots_ids(tracks: tuple[TrackSummary, ...]) -> dict[int, int] | None:
    """The KITTI-MOTS id of every track: ``(class_id + 1) * 1000`` + its number.

    The number is the ``track_id`` itself while all of them are below 1000, so that a row can be
    found in results.json; in longer videos tracks are numbered from 0 within their class. Classes
    count from 1 there, in the order of our class names.

    Returns:
        None, with a warning, where a class has more than 1,000 tracks, which the format cannot say.
    """
    if all(track.track_id < IDS_PER_CLASS for track in tracks):
        return {t.track_id: (t.class_id + 1) * IDS_PER_CLASS + t.track_id for t in tracks}
    seen: dict[int, int] = {}
    ids = {}
    for track in tracks:
        number = seen.setdefault(track.class_id, 0)
        if number >= IDS_PER_CLASS:
            warnings.warn(
                f"mots.txt is not written: class {track.class_id} has more than "
                f"{IDS_PER_CLASS} tracks, more than KITTI-MOTS ids can number",
                stacklevel=2,
            )
            return None
        seen[track.class_id] = number + 1
        ids[track.track_id] = (track.class_id + 1) * IDS_PER_CLASS + number
    return ids


def mots_lines(rows: TrackRows, ids: dict[int, int], height: int, width: int) -> Iterator[str]:
    """``frame id class height width rle`` of each object that has a mask, the frame from 0.

    The benchmark allows no overlap within a frame: a pixel goes to the object with the highest
    score.
    """
    for row, counts in enumerate(rows.disjoint_masks(height, width)):
        if not counts or not pixels(counts):
            continue
        class_id, track_id = int(rows.class_id[row]), int(rows.track_id[row])
        text = counts.decode("ascii")
        yield f"{rows.frame} {ids[track_id]} {class_id + 1} {height} {width} {text}\n"
