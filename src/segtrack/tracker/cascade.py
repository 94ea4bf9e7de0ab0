"""What ByteTrack and the trackers that came after it read alike: thresholds and the buffer."""

from __future__ import annotations

from typing import Any

from segtrack.settings import TrackerSettings

NOMINAL_FPS = 30.0  # track_buffer counts frames at this rate


def buffer_frames(track_buffer: int, fps: float) -> int:
    """Frames of this video that a lost track waits: ``int(frame_rate / 30.0 * track_buffer)``.

    The rule and the order of its operations are those of ByteTrack's reference implementation
    (``yolox/tracker/byte_tracker.py``). A video of unknown rate counts as 30 fps.
    """
    return int((fps if fps > 0 else NOMINAL_FPS) / NOMINAL_FPS * track_buffer)


def new_track_thresh(settings: TrackerSettings) -> float:
    """The lowest score that starts a track; ``track_thresh + 0.1`` where it is not set.

    That is the reference implementation's ``det_thresh``. It ends at 1 here, so that with a
    threshold above 0.9 perfect detections (ground truth, say) still start tracks.
    """
    if settings.new_track_thresh is not None:
        return settings.new_track_thresh
    return min(settings.track_thresh + 0.1, 1.0)


def derived(settings: TrackerSettings, fps: float) -> dict[str, Any]:
    """The thresholds that applied; ``track_buffer_frames`` is the buffer in frames of the video."""
    return {
        "new_track_thresh": new_track_thresh(settings),
        "track_buffer_frames": buffer_frames(settings.track_buffer, fps),
    }
