"""Crossings of a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtrack.counting.paths import Path, settled

Floats = NDArray[np.float64]
IN, OUT = "in", "out"


@dataclass(frozen=True)
class Crossing:
    """One track crosses one line.

    Attributes:
        frame, time_s: the first frame in which it stands on the other side.
        direction: in or out.
        x, y: where it crosses, px.
    """

    line: str
    frame: int
    time_s: float
    track_id: int
    class_name: str
    direction: str
    x: float
    y: float


def crossings(path: Path, name: str, line: Floats, hysteresis: float) -> list[Crossing]:
    """All crossings of a line by a track, in their order.

    ``in`` is from the right hand to the left hand of one who stands at the line's first point and
    looks to the second, as in supervision's ``LineZone``. A track crosses when it changes its side
    of the whole straight line for sure (``settled``) and on its way there passed between the two
    points; who goes round their ends does not.

    Args:
        line: (2, 2), px.
        hysteresis: in heights of the object's box.
    """
    start, along = line[0], line[1] - line[0]
    length = float(np.hypot(*along))
    offset = path.foot - start
    # y points down: what is left of the direction of view is where this is positive.
    distance = (along[1] * offset[:, 0] - along[0] * offset[:, 1]) / length
    place = (offset @ along) / length**2
    band = hysteresis * path.height
    state = settled(distance, band)
    passes = _passes(distance, place)
    sure = np.flatnonzero(np.abs(distance) > band)
    found = []
    for now in np.flatnonzero(np.diff(state)) + 1:
        side = int(state[now])
        after = np.searchsorted(sure, now)
        before, then = int(sure[after - 1]), int(sure[after])
        between = passes[before:then]
        if between.sum() * side <= 0:
            continue
        step = before + int(np.flatnonzero(between == side)[-1])
        share = distance[step] / (distance[step] - distance[step + 1])
        x, y = path.foot[step] + share * (path.foot[step + 1] - path.foot[step])
        found.append(
            Crossing(
                name,
                int(path.frame[step + 1]),
                float(path.time_s[step + 1]),
                path.track_id,
                path.class_name,
                IN if side > 0 else OUT,
                float(x),
                float(y),
            )
        )
    return found


def _passes(distance: Floats, place: Floats) -> NDArray[np.int64]:
    """(N - 1,): 1 or -1 where a step leads over the piece of line to that side, else 0.

    Args:
        place: along the line, 0 at its first and 1 at its second point.
    """
    left = distance >= 0
    over = np.diff(left.astype(np.int64))
    apart = distance[1:] - distance[:-1]
    share = np.divide(-distance[:-1], apart, out=np.zeros_like(apart), where=over != 0)
    at = place[:-1] + share * np.diff(place)
    return np.where((at >= 0) & (at <= 1), over, 0)
