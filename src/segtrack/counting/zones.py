"""Visits to a zone, and how many are in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtrack.counting.paths import Path, settled

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Visit:
    """A track is in a zone from one frame to another.

    Attributes:
        first_frame, last_frame: in the zone, both included.
        first_s, last_s: when it was seen first and last in the zone; it may be unseen up to
            ``last_frame``.
        entered: it was outside before; else it was seen first in the zone.
        left: it was outside afterwards; else it was seen last in the zone.
        dwell_s: until the first frame outside where it left, else until the last one in the zone.
    """

    zone: str
    track_id: int
    class_name: str
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    entered: bool
    left: bool
    dwell_s: float


def visits(path: Path, name: str, polygon: Floats, hysteresis: float) -> list[Visit]:
    """All visits of a track to a zone, in their order; of a border as ``settled`` judges it.

    While a track is not seen it stays where it was seen last.

    Args:
        polygon: (N, 2), px.
        hysteresis: in heights of the object's box.
    """
    state = settled(signed_distance(path.foot, polygon), hysteresis * path.height)
    inside = np.concatenate([[False], state > 0, [False]])
    begins, ends = (np.flatnonzero(np.diff(inside.astype(np.int8)) == step) for step in (1, -1))
    found = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        left = end < len(state)
        until = path.time_s[end if left else end - 1]
        found.append(
            Visit(
                name,
                path.track_id,
                path.class_name,
                int(path.frame[begin]),
                int(path.frame[end]) - 1 if left else int(path.frame[end - 1]),
                float(path.time_s[begin]),
                float(path.time_s[end - 1]),
                begin > 0,
                left,
                float(until - path.time_s[begin]),
            )
        )
    return found


def occupancy(found: Sequence[Visit], frame_count: int) -> NDArray[np.int64]:
    """(frame_count,): how many of the visits there are in each frame."""
    change = np.zeros(frame_count + 1, np.int64)
    for visit in found:
        change[visit.first_frame] += 1
        change[visit.last_frame + 1] -= 1
    return np.cumsum(change[:-1])


def signed_distance(points: Floats, polygon: Floats) -> Floats:
    """(N,): to the nearest point of a polygon's border, px; positive inside (even-odd rule)."""
    begin, end = polygon, np.roll(polygon, -1, axis=0)
    along = end - begin
    offset = points[:, None] - begin
    share = (offset * along).sum(axis=2) / (along**2).sum(axis=1)
    nearest = offset - np.clip(share, 0, 1)[..., None] * along
    least = np.sqrt((nearest**2).sum(axis=2).min(axis=1))
    x, y = points[:, :1], points[:, 1:]
    crosses = (begin[:, 1] > y) != (end[:, 1] > y)
    rise = np.where(along[:, 1] == 0, 1, along[:, 1])
    right = x < begin[:, 0] + (y - begin[:, 1]) * along[:, 0] / rise
    inside = (crosses & right).sum(axis=1) % 2 == 1
    signed: Floats = np.where(inside, least, -least)
    return signed
