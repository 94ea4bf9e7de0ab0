"""Trajectories as outlines at key frames, and what lies between these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from segtrack.base.polygons import Polygon
from segtrack.dataset import signed_area

_FEWEST = 32  # points of a ring that is made between two


@dataclass(frozen=True)
class OutlineTrack:
    """One object on its way.

    Attributes:
        track_id: the tracker's where it was sent, the place in the file where it came back.
        outlines: float64 (n, 2) in px by frame, frames from 0 and ascending.
    """

    track_id: int
    class_name: str
    outlines: Mapping[int, Polygon]

    @property
    def first(self) -> int:
        return next(iter(self.outlines))

    @property
    def last(self) -> int:
        return next(reversed(list(self.outlines)))


@dataclass(frozen=True)
class Between:
    """A frame that has no outline of its own.

    Attributes:
        ring: on straight lines between those of the key frames before and after.
        judged: whether somebody saw that the object is there.
    """

    frame: int
    ring: Polygon
    judged: bool


def gaps_of(track: OutlineTrack, every: int) -> frozenset[tuple[int, int]]:
    """Successive key frames with more between them than the thinning of a file explains."""
    return frozenset((a, b) for a, b in pairwise(track.outlines) if b - a > every)


def between(track: OutlineTrack, silent: frozenset[tuple[int, int]]) -> Iterator[Between]:
    """Every frame of a trajectory that has no outline of its own, frames ascending.

    As on the platform, an object is on its way between two key frames. Where the tracker lost it
    and nobody drew anything (``silent``) nothing says so: whether it was seen there is not judged.
    """
    for a, b in pairwise(track.outlines):
        if b - a < 2:
            continue
        judged = (a, b) not in silent
        start, end = aligned(track.outlines[a], track.outlines[b])
        for frame in range(a + 1, b):
            share = (frame - a) / (b - a)
            yield Between(frame, (1 - share) * start + share * end, judged)


def aligned(first: Polygon, second: Polygon) -> tuple[Polygon, Polygon]:
    """Two rings with the same number of points, of which each goes to the one in its place.

    Rings of different numbers of points are divided evenly along their length. The second begins
    where the squared distances of all points, without the way of the whole, are least.
    """
    if signed_area(first) * signed_area(second) < 0:
        second = second[::-1]
    if len(first) != len(second):
        count = max(len(first), len(second), _FEWEST)
        first, second = _divided(first, count), _divided(second, count)
    a, b = first - first.mean(0), second - second.mean(0)
    # Sum over i of |a_i - b_(i+k)|^2 is least where the correlation is largest.
    spectrum = np.fft.fft(b[:, 0] + 1j * b[:, 1]) * np.conj(np.fft.fft(a[:, 0] + 1j * a[:, 1]))
    start = int(np.argmax(np.round(np.fft.ifft(spectrum).real, 6)))
    return first, np.roll(second, -start, 0)


def _divided(ring: Polygon, count: int) -> Polygon:
    """``count`` points at equal distances along a ring, from its first point on."""
    closed = np.concatenate([ring, ring[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(count) * (length[-1] / count)
    points: Polygon = np.stack([np.interp(at, length, closed[:, i]) for i in (0, 1)], axis=1)
    return points
