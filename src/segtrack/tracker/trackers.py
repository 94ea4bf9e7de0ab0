"""The door to every tracker: one object per video, fed frame by frame, nothing shared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from segtrack.base.errors import SettingsError
from segtrack.model.predictions import FrameDetections
from segtrack.settings import TrackerSettings, plain

NOMINAL_FPS = 30.0  # track_buffer counts frames at this rate
OTHER_KNOBS = ("render", "trail", "min_length")  # of the group, but not of the association itself


@dataclass(frozen=True)
class TrackedFrame:
    """The tracks that were seen in one frame, in ascending order of their ids.

    Attributes:
        track_id: int64 (M,), from 1 in each video, in the order of first appearance.
        det_index: int64 (M,), which of the frame's detections the track took; its mask is the
            track's mask.
        bbox_xyxy: float32 (M, 4), the tracker's own estimate in pixels (ByteTrack: the Kalman
            state after the update). It may reach over the image's border.
        score: float32 (M,), of the detection.
        class_id: int16 (M,), of the detection.
    """

    frame: int
    track_id: np.ndarray
    det_index: np.ndarray
    bbox_xyxy: np.ndarray
    score: np.ndarray
    class_id: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)


class Tracker(Protocol):
    """Links the detections of one video. Frames come in order, those without detections too."""

    def update(
        self,
        frame: FrameDetections,
        image: np.ndarray | None = None,
        motion: np.ndarray | None = None,
    ) -> TrackedFrame:
        """Take one frame.

        Args:
            frame: its detections at the detector's own confidence floor; the tracker applies its
                thresholds itself.
            image: BGR uint8 (H, W, 3), for trackers that look at the picture.
            motion: float (2, 3), the affine map of pixels (x, y, 1) of the frame before to those of
                this one, for trackers that follow a moving camera; None for a camera that stands.
        """


def make_tracker(settings: TrackerSettings, fps: float, height: int = 0) -> Tracker:
    """A fresh tracker for one video.

    Args:
        settings: the config group ``tracker``.
        fps: of the video, frames per second; 0 where it is not known.
        height: of the video, pixels; 0 where it is not known. Trackers that compare masks need it.

    Raises:
        SettingsError: there is no tracker of that name.
    """
    build = _BUILDERS.get(settings.name)
    if build is None:
        raise SettingsError(
            f"tracker.name={settings.name}: no such tracker. Known trackers: {', '.join(_BUILDERS)}"
        )
    return build(settings, fps, height)


def _bytetrack(settings: TrackerSettings, fps: float, height: int) -> Tracker:
    from segtrack.tracker.bytetrack.bytetrack import ByteTrack

    return ByteTrack(settings, fps, height)


def _ultralytics(settings: TrackerSettings, fps: float, height: int) -> Tracker:
    from segtrack.tracker.ultralytics.trackers import UltralyticsTracker

    return UltralyticsTracker(settings, fps)


# Imported when one is made: compiled code and other libraries take their time.
_BUILDERS: dict[str, Callable[[TrackerSettings, float, int], Tracker]] = {
    "bytetrack": _bytetrack,
    "botsort": _ultralytics,
    "ocsort": _ultralytics,
    "deepocsort": _ultralytics,
    "fasttrack": _ultralytics,
    "tracktrack": _ultralytics,
}


def resolved(settings: TrackerSettings, fps: float) -> dict[str, Any]:
    """Every setting that shapes the association, with what follows from others filled in.

    ``track_buffer`` stays in frames at 30 fps; ``track_buffer_frames`` is what it means in this
    video.
    """
    values = {k: v for k, v in plain(settings).items() if k not in OTHER_KNOBS}
    return {
        **values,
        "new_track_thresh": new_track_thresh(settings),
        "track_buffer_frames": buffer_frames(settings.track_buffer, fps),
        "min_length": settings.min_length,
    }


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
