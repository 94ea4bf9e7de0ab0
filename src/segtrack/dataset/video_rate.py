"""How fast a video runs: what its time stamps say, whatever its header declares.

A header may declare the clock's ticks as a rate (1000 frames/s in a browser's WebM), the fields of
interlaced pictures (twice the rate), or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from segtrack.base.frame_times import rounding

DEFAULT_FPS = 30.0  # of what does not say; ByteTrack's nominal rate
LIKELY = (0.01, 1000.0)  # frames per second that are believed without any time stamp
ROUNDED = 2e-5  # part of a rate by which a header's differs from the one that it means
BACK = 2.0  # frames: a time stamp that is further behind than this begins a new count
AHEAD = 86_400.0  # seconds: so does one that is further ahead; a frame is not shown for a day


def nominal_rate(seconds: Sequence[float], declared: Sequence[float], tick: float) -> float:
    """Frames per second.

    Args:
        seconds: time stamps of frames that follow each other, in any order.
        declared: rates in frames per second that the file declares, the likeliest first.
        tick: seconds of one unit of the file's clock.

    Returns:
        The first declared or else usual rate that all time stamps keep to within a tick; else their
        average. Where there are no two time stamps, the first declared rate that is likely.
    """
    stamps = sorted(seconds)
    if len(stamps) < 2 or stamps[-1] <= stamps[0]:
        return next((r for r in declared if LIKELY[0] <= r <= LIKELY[1]), DEFAULT_FPS)
    mean = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    for rate in (*map(_exact, declared), *_usual(mean)):
        if rate > 0 and _keeps_to(rate, stamps, tick):
            return rate
    return round(mean, 6)


def _exact(rate: float) -> float:
    """The usual rate that a header rounded: 29.97 stands for 30000/1001."""
    return next((near for near in _usual(rate) if abs(near - rate) < ROUNDED * rate), rate)


def _usual(rate: float) -> tuple[float, float]:
    """The nearest whole rate and the nearest of NTSC: 30 and 30000/1001."""
    return float(round(rate)), round(1.001 * rate) / 1.001


def _keeps_to(rate: float, stamps: list[float], tick: float) -> bool:
    near = rounding(rate, tick)
    return all(abs(t - stamps[0] - i / rate) <= near for i, t in enumerate(stamps))


class Clock:
    """Seconds of each frame after the first, from time stamps that may be missing or start anew."""

    def __init__(self, rate: float, tick: float) -> None:
        """``rate``: nominal, frames per second. ``tick``: seconds of a unit of the file's clock."""
        self._rate = rate
        self._least = rounding(rate, tick)
        self._origin: float | None = None
        self._last: float | None = None

    def seconds(self, stamp: float | None) -> float:
        """Of the next frame, later than that of the one before.

        Args:
            stamp: the frame's own time stamp in seconds, or None.
        """
        time = self._time(stamp)
        if self._last is not None and time <= self._last:
            time = self._last + self._least
        self._last = time
        return time

    def _time(self, stamp: float | None) -> float:
        follows = 0.0 if self._last is None else self._last + 1 / self._rate
        if stamp is None:
            return follows
        last = self._last or 0.0
        if self._origin is None or not (
            last - BACK / self._rate <= stamp - self._origin <= last + AHEAD
        ):
            self._origin = stamp - follows
        return stamp - self._origin
