"""When the frames of a video are shown."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FILE = "times.npy"


@dataclass(frozen=True)
class FrameTimes:
    """Seconds of each frame after the first.

    Attributes:
        fps: frames per second on average; 0 where that is not known.
        own: float64 (T,), ascending, or None where frame ``i`` is shown at ``i / fps``.
    """

    fps: float
    own: np.ndarray | None = None

    @staticmethod
    def load(folder: Path, fps: float) -> FrameTimes:
        """What ``save`` left in a folder of results whose average rate is ``fps``."""
        file = folder / FILE
        return FrameTimes(fps, np.load(file) if file.is_file() else None)

    def save(self, folder: Path) -> None:
        """Keep the times in ``folder``; nothing is written where they follow from the rate."""
        if self.own is not None:
            np.save(folder / FILE, self.own)

    def seconds(self, frame: int) -> float:
        """Of a frame, from 0, to the microsecond; 0 where nothing is known."""
        if self.own is not None and frame < len(self.own):
            return round(float(self.own[frame]), 6)
        return round(frame / self.fps, 6) if self.fps > 0 else 0.0


@dataclass
class TimesRead:
    """Collects the times of frames while they are read.

    Attributes:
        nominal: frames per second that the file seems to have.
        tick: seconds of one unit of the file's clock, to which its time stamps are rounded.
        seconds: of each frame after the first, ascending.
    """

    nominal: float = 0.0
    tick: float = 0.0
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def settled(self) -> FrameTimes:
        """The times of all frames that were read; those of a regular video keep to its rate."""
        own = np.array(self.seconds)
        if len(own) < 2:
            return FrameTimes(self.nominal)
        if self.nominal > 0:
            regular = np.arange(len(own)) / self.nominal
            if np.abs(own - regular).max() <= rounding(self.nominal, self.tick):
                return FrameTimes(self.nominal)
        return FrameTimes(round((len(own) - 1) / float(own[-1] - own[0]), 6), own)


def rounding(fps: float, tick: float) -> float:
    """Seconds by which a time stamp of a regular video may be off."""
    return 1e-6 + min(tick, 0.25 / fps)
