"""What a tracker is: how it is chosen, what it needs, and what it gives, frame by frame.

Each tracker lies in a folder or module of its own that registers a ``TrackerKind`` when it is
imported. Nothing outside of it knows its name or its settings class; whoever runs it asks its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from segtrack.base.registry import Registry
from segtrack.settings import TrackerSettings, option

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from segtrack.model import FrameDetections

S = TypeVar("S", bound=TrackerSettings)


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


def _never(settings: Any) -> bool:
    return False


def _no_files(settings: Any) -> tuple[Path, ...]:
    return ()


def _nothing(settings: Any, fps: float) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class TrackerKind(Generic[S]):
    """One tracker that ``tracker.name`` can choose.

    Attributes:
        name: as it is typed.
        settings: dataclass of its knobs, the config group ``tracker``.
        make: a fresh tracker for one video of (settings, fps, height), and of the device where
            there is ``compute``; see ``make_tracker``. What is slow to import is imported when this
            is called.
        version: raised whenever the tracker's code changes what it gives.
        libraries: distributions whose version shapes what it gives.
        needs_frames: whether it looks at the picture under these settings.
        needs_motion: whether it wants the camera's motion under these settings.
        without_frames: what to type so that it needs neither frames nor motion; empty where it
            never does.
        files: those whose content shapes what it gives under these settings, such as weights; a
            folder stands for all that it holds.
        compute: of those that calculate on a device: what with, of (settings, device), such as the
            kind of ``device``, where results depend on it; see ``computes``.
        derived: what follows from the settings at a frame rate, for the record of a result.
    """

    name: str
    settings: type[S]
    make: Callable[..., Tracker]
    version: int
    libraries: tuple[str, ...] = ()
    needs_frames: Callable[[S], bool] = _never
    needs_motion: Callable[[S], bool] = _never
    without_frames: str = ""
    files: Callable[[S], tuple[Path, ...]] = _no_files
    compute: Callable[[S, Any], Mapping[str, str]] | None = None
    derived: Callable[[S, float], Mapping[str, Any]] = _nothing

    def computes(self, settings: S, device: Any) -> dict[str, str]:
        """What it calculates with on the run's ``device``, for the key of its results; empty where
        they do not depend on it.

        Raises:
            SettingsError: there is no such device.
        """
        return {} if self.compute is None else dict(self.compute(settings, device))


TRACKERS: Registry[TrackerKind[Any]] = Registry("tracker", "tracker.name")


def register_tracker(kind: TrackerKind[Any]) -> None:
    """Make a tracker known, so that ``tracker=NAME`` chooses it."""
    option("tracker", kind.name, kind.settings)
    TRACKERS.register(kind.name, kind)


def make_tracker(
    settings: TrackerSettings, fps: float, height: int = 0, device: Any = "auto"
) -> Tracker:
    """A fresh tracker for one video.

    Args:
        settings: the config group ``tracker``.
        fps: of the video, frames per second; 0 where it is not known.
        height: of the video, pixels; 0 where it is not known. Trackers that compare masks need it.
        device: the setting ``device``, for those that compute with a network.

    Raises:
        SettingsError: there is no tracker of that name, or no such device.
    """
    kind = TRACKERS.get(settings.name)
    where = () if kind.compute is None else (device,)
    return kind.make(settings, fps, height, *where)
