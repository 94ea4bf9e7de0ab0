"""The way of each track over the ground, and on which side of something it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtrack.base.progress import progress
from segtrack.tracker import Tracks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Where one track stood.

    Attributes:
        track_id, class_name: of the track.
        frame: int64 (N,), ascending. time_s: float64 (N,).
        foot: float64 (N, 2), px: the middle of the box's lower side, where an object stands.
        height: float64 (N,), px, of the box.
    """

    track_id: int
    class_name: str
    frame: NDArray[np.int64]
    time_s: Floats
    foot: Floats
    height: Floats


def paths_of(tracks: Tracks) -> Iterator[Path]:
    """Every track's way, ids ascending, of the detections' own boxes."""
    frame, ids, classes = tracks.columns("frame", "track_id", "class_id")
    x1, y1, x2, y2 = (side.astype(np.float64) for side in tracks.columns("x1", "y1", "x2", "y2"))
    feet, heights = np.stack([(x1 + x2) / 2, y2], axis=1), y2 - y1
    times = tracks.times
    seconds = np.array([times.seconds(number) for number in range(int(frame.max(initial=-1)) + 1)])
    order = np.lexsort((frame, ids))
    starts = np.flatnonzero(np.diff(ids[order], prepend=ids[order][:1] - 1))
    parts = np.split(order, starts[1:]) if len(order) else []
    for rows in progress(parts, "count", len(parts), "tracks"):
        first = rows[0]
        yield Path(
            int(ids[first]),
            tracks.info.names[int(classes[first])],
            frame[rows],
            seconds[frame[rows]],
            feet[rows],
            heights[rows],
        )


def settled(distance: Floats, band: Floats) -> NDArray[np.int8]:
    """The side of every point of a way, without the jitter at the border.

    A Schmitt trigger (Schmitt 1938, "A thermionic trigger"): a point farther from the border than
    ``band`` is sure, and another side begins only with a sure point of it. Looking back, it begins
    where the way last came over the border before that. So the number of changes is the same for a
    way that is walked backwards, and they are then in the other direction. The border itself is of
    the positive side.

    Args:
        distance: (N,), signed. band: (N,), 0 or more, in the same unit.

    Returns:
        1 or -1 for each point; all 0 where none is sure.
    """
    sure = np.where(distance > band, 1, np.where(distance < -band, -1, 0)).astype(np.int8)
    known = np.flatnonzero(sure)
    if not len(known):
        return sure
    last = np.searchsorted(known, np.arange(len(sure)), side="right") - 1
    state = sure[known][np.maximum(last, 0)]
    for i in np.flatnonzero(np.diff(sure[known])):
        begin, end = int(known[i]) + 1, int(known[i + 1])
        side = sure[end]
        still = np.flatnonzero((distance[begin:end] >= 0) != (side > 0))
        state[begin + (int(still[-1]) + 1 if len(still) else 0) : end] = side
    return state
