"""BoT-SORT, OC-SORT, Deep OC-SORT, FastTracker, TrackTrack: ultralytics' own."""

from __future__ import annotations

from pathlib import Path

from segtrack.settings import (
    BotSortSettings,
    DeepOcSortSettings,
    FastTrackSettings,
    GmcMethod,
    OcSortSettings,
    TrackerSettings,
    TrackTrackSettings,
)
from segtrack.tracker.cascade import derived
from segtrack.tracker.port import Tracker, TrackerKind, register_tracker

LIBRARIES = ("ultralytics", "lap")
EYES = ("opencv-python", "torch")  # of those that look at the picture: motion and appearance
VERSION = 1  # of what lies between ultralytics' trackers and ours, for all of them


def needs_frames(settings: TrackerSettings) -> bool:
    """Whether the tracker looks at the picture: for the camera's motion or for appearance."""
    gmc = getattr(settings, "gmc_method", GmcMethod.none)
    return gmc is not GmcMethod.none or getattr(settings, "with_reid", False)


def _files(settings: TrackerSettings) -> tuple[Path, ...]:
    """The ReID model, where it is used."""
    return (Path(vars(settings)["model"]),) if getattr(settings, "with_reid", False) else ()


def _make(settings: TrackerSettings, fps: float, height: int) -> Tracker:
    from segtrack.tracker.ultralytics.trackers import UltralyticsTracker

    return UltralyticsTracker(settings, fps)


for name, schema, looks in (
    ("botsort", BotSortSettings, True),
    ("ocsort", OcSortSettings, False),
    ("deepocsort", DeepOcSortSettings, True),
    ("fasttrack", FastTrackSettings, False),
    ("tracktrack", TrackTrackSettings, True),
):
    register_tracker(
        TrackerKind(
            name,
            schema,
            _make,
            VERSION,
            (*LIBRARIES, *EYES) if looks else LIBRARIES,
            needs_frames=needs_frames,
            without_frames="tracker.gmc_method=none tracker.with_reid=false" if looks else "",
            files=_files,
            derived=derived,
        )
    )
