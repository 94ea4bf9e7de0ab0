"""BoT-SORT, OC-SORT, Deep OC-SORT, FastTracker, TrackTrack: ultralytics' own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segtrack import model
from segtrack.tracker.cascade import CascadeSettings, derived
from segtrack.tracker.port import Tracker, TrackerKind, register_tracker
from segtrack.tracker.ultralytics.settings import (
    BotSortSettings,
    DeepOcSortSettings,
    FastTrackSettings,
    GmcMethod,
    OcSortSettings,
    SeeingSettings,
    TrackTrackSettings,
)

__all__ = [
    "BotSortSettings",
    "DeepOcSortSettings",
    "FastTrackSettings",
    "GmcMethod",
    "OcSortSettings",
    "TrackTrackSettings",
]

VERSION = 1  # of what lies between ultralytics' trackers and ours, for all of them
LIBRARIES = ("ultralytics", "lap")
EYES = ("opencv-python", "torch")  # of those that look at the picture: motion and appearance


def _make(settings: CascadeSettings, fps: float, height: int) -> Tracker:
    from segtrack.tracker.ultralytics.trackers import UltralyticsTracker

    return UltralyticsTracker(settings, fps)


def _make_seeing(settings: SeeingSettings, fps: float, height: int, device: Any) -> Tracker:
    from segtrack.tracker.ultralytics.trackers import UltralyticsTracker

    return UltralyticsTracker(settings, fps, device)


def _reid_model(settings: SeeingSettings) -> tuple[Path, ...]:
    return (Path(settings.model).expanduser(),) if settings.with_reid else ()


def _reid_compute(settings: SeeingSettings, device: Any) -> Mapping[str, str]:
    return {"device": model.device_class(device)} if settings.with_reid else {}


for blind in (OcSortSettings, FastTrackSettings):
    register_tracker(TrackerKind(blind.name, blind, _make, VERSION, LIBRARIES, derived=derived))
for seeing in (BotSortSettings, DeepOcSortSettings, TrackTrackSettings):
    register_tracker(
        TrackerKind(
            seeing.name,
            seeing,
            _make_seeing,
            VERSION,
            (*LIBRARIES, *EYES),
            needs_frames=SeeingSettings.looks,
            without_frames="tracker.gmc_method=none tracker.with_reid=false",
            files=_reid_model,
            compute=_reid_compute,
            derived=derived,
        )
    )
