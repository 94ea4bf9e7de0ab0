"""What ByteTrack and the trackers that came after it share: thresholds on scores, and the buffer.

Their names and defaults are ByteTrack's own; ultralytics calls some of them otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from segtrack.settings import Problem, TrackerSettings, knob

PAPER = "ByteTrack's paper and code"
NOMINAL_FPS = 30.0  # track_buffer counts frames at this rate


@dataclass
class CascadeSettings(TrackerSettings):
    """Detections of high scores are matched first, those of low scores second."""

    track_thresh: float = knob(
        0.5,
        "detections above are matched first (ultralytics: track_high_thresh)",
        low=0,
        high=1,
        origin=PAPER,
    )
    low_thresh: float = knob(
        0.1,
        "detections between this and track_thresh are matched second (ultralytics: "
        "track_low_thresh)",
        low=0,
        high=1,
        origin=PAPER,
    )
    new_track_thresh: float | None = knob(
        None,
        "an unmatched detection above starts a track; null: track_thresh + 0.1",
        low=0,
        high=1,
        origin=PAPER,
    )
    match_thresh: float = knob(
        0.8,
        "a first match may cost at most this (cost = 1 - IoU, times score if fuse_score)",
        low=0,
        high=1,
        origin=PAPER,
    )
    track_buffer: int = knob(
        30,
        "frames that a lost track waits: int(fps / 30 * track_buffer)",
        unit="frames at 30 fps",
        low=1,
        high=100_000,
        origin=PAPER,
    )
    fuse_score: bool = knob(True, "multiply IoU with the detection's score in the first match")
    class_aware: bool = knob(
        False,
        "never match across classes; else an object that is called now car, now truck stays one "
        "track, of the class that its scores speak for most",
    )

    def lowest_score(self) -> tuple[str, float]:
        """See ``TrackerSettings``."""
        return "low_thresh", self.low_thresh

    def problems(self) -> Iterator[Problem]:
        """Rules between the knobs."""
        high = f"tracker.track_thresh={self.track_thresh:g}"
        if self.low_thresh >= self.track_thresh:
            yield Problem("tracker.low_thresh", self.low_thresh, f"must lie below {high}")
        new = self.new_track_thresh
        if new is not None and new < self.track_thresh:
            yield Problem("tracker.new_track_thresh", new, f"must not lie below {high}")


def buffer_frames(track_buffer: int, fps: float) -> int:
    """Frames of this video that a lost track waits: ``int(frame_rate / 30.0 * track_buffer)``.

    The rule and the order of its operations are those of ByteTrack's reference implementation
    (``yolox/tracker/byte_tracker.py``). A video of unknown rate counts as 30 fps.
    """
    return int((fps if fps > 0 else NOMINAL_FPS) / NOMINAL_FPS * track_buffer)


def new_track_thresh(settings: CascadeSettings) -> float:
    """The lowest score that starts a track; ``track_thresh + 0.1`` where it is not set.

    That is the reference implementation's ``det_thresh``. It ends at 1 here, so that with a
    threshold above 0.9 perfect detections (ground truth, say) still start tracks.
    """
    if settings.new_track_thresh is not None:
        return settings.new_track_thresh
    return min(settings.track_thresh + 0.1, 1.0)


def derived(settings: CascadeSettings, fps: float) -> dict[str, Any]:
    """The thresholds that applied; ``track_buffer_frames`` is the buffer in frames of the video."""
    return {
        "new_track_thresh": new_track_thresh(settings),
        "track_buffer_frames": buffer_frames(settings.track_buffer, fps),
    }
