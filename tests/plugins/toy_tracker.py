"""A tracker of another package: the whole of what it takes to add one.

    SEGTRACK_PLUGINS=tests.plugins.toy_tracker python src/run.py tracker=toy tracker.reach=80

Each detection goes to the track of the frame before whose centre is nearest, the nearest pair of
all first; one that is farther than ``reach`` from every free track begins a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segtrack.settings import TrackerSettings, knob
from segtrack.tracker import Tracker, TrackerKind, register_tracker

if TYPE_CHECKING:
    import numpy as np

    from segtrack.model import FrameDetections
    from segtrack.tracker import TrackedFrame


@dataclass
class ToySettings(TrackerSettings):
    name: str = "toy"
    reach: float = knob(
        50.0, "a detection farther from every track begins a new one", unit="px", low=0, high=1e4
    )


class NearestCentre:
    """The tracks of one video."""

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._centres: dict[int, np.ndarray] = {}  # of the frame before, by id
        self._next_id = 1

    def update(
        self,
        frame: FrameDetections,
        image: np.ndarray | None = None,
        motion: np.ndarray | None = None,
    ) -> TrackedFrame:
        """See ``Tracker.update``; neither image nor motion is looked at."""
        import numpy as np

        from segtrack.tracker import TrackedFrame

        centre = (frame.bbox_xyxy[:, :2] + frame.bbox_xyxy[:, 2:]) / 2
        pairs = sorted(
            (float(np.linalg.norm(centre[i] - old)), track_id, i)
            for track_id, old in self._centres.items()
            for i in range(len(centre))
        )
        taken: dict[int, int] = {}  # detection by id
        for distance, track_id, i in pairs:
            if distance <= self._reach and track_id not in taken and i not in taken.values():
                taken[track_id] = i
        for i in range(len(centre)):
            if i not in taken.values():
                taken[self._next_id] = i
                self._next_id += 1
        ids = np.array(sorted(taken), np.int64)
        index = np.array([taken[one] for one in sorted(taken)], np.int64)
        self._centres = {one: centre[i] for one, i in taken.items()}
        return TrackedFrame(
            frame.frame,
            ids,
            index,
            frame.bbox_xyxy[index],
            frame.score[index],
            frame.class_id[index],
        )


def _make(settings: ToySettings, fps: float, height: int) -> Tracker:
    return NearestCentre(settings.reach)


register_tracker(TrackerKind("toy", ToySettings, _make, version=1))
