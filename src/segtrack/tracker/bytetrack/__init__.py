"""ByteTrack over arrays."""

from __future__ import annotations

from segtrack.tracker.bytetrack.settings import Association, ByteTrackSettings
from segtrack.tracker.cascade import derived
from segtrack.tracker.port import Tracker, TrackerKind, register_tracker

__all__ = ["Association", "ByteTrackSettings"]


def _make(settings: ByteTrackSettings, fps: float, height: int) -> Tracker:
    from segtrack.tracker.bytetrack.bytetrack import ByteTrack

    return ByteTrack(settings, fps, height)


register_tracker(
    TrackerKind(
        "bytetrack",
        ByteTrackSettings,
        _make,
        version=1,
        needs_motion=lambda settings: settings.camera_motion,
        without_frames="tracker.camera_motion=false",
        derived=derived,
    )
)
