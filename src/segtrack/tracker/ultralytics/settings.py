"""The knobs of ultralytics' trackers: its names and defaults (``cfg/trackers/*.yaml``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from segtrack.settings import Problem, knob
from segtrack.tracker.cascade import CascadeSettings

THEIRS = "ultralytics"  # the origin of its defaults


class GmcMethod(Enum):
    """How the camera's motion is estimated."""

    none = "none"
    sparseOptFlow = "sparseOptFlow"
    orb = "orb"
    sift = "sift"
    ecc = "ecc"


@dataclass
class SeeingSettings(CascadeSettings):
    """Of the trackers that can look at the picture."""

    gmc_method: GmcMethod = knob(
        GmcMethod.sparseOptFlow, "the camera's motion; all but none read the frames"
    )
    with_reid: bool = knob(
        False, "compare appearances too; reads the frames and needs tracker.model=FILE"
    )
    model: str = knob(
        "auto",
        "ReID model: a .pt checkpoint of ultralytics, or an embedding model exported as .onnx; "
        "auto: none, since the detector's features are not kept",
        local=True,
    )

    def looks(self) -> bool:
        """Whether the tracker looks at the picture: for the camera's motion or for appearance."""
        return self.gmc_method is not GmcMethod.none or self.with_reid

    def problems(self) -> Iterator[Problem]:
        """Rules between the knobs."""
        yield from super().problems()
        if not self.with_reid:
            return
        if self.model == "auto":
            allowed = (
                "the detector's own features are not kept, so with_reid=true needs a ReID model: "
                "name a file, tracker.model=FILE"
            )
            yield Problem("tracker.model", self.model, allowed)
        elif not Path(self.model).expanduser().exists():
            allowed = "no such file; name a ReID model (a .pt checkpoint or an .onnx export)"
            yield Problem("tracker.model", self.model, allowed)
        elif Path(self.model).suffix not in (".pt", ".onnx"):
            allowed = (
                "must be a .pt checkpoint or an .onnx export; other exports may hold code that runs"
            )
            yield Problem("tracker.model", self.model, allowed)


@dataclass
class BotSortSettings(SeeingSettings):
    """BoT-SORT (Aharon et al., 2022)."""

    name: str = "botsort"
    track_thresh: float = knob(0.25, origin=THEIRS)
    new_track_thresh: float | None = knob(0.25, origin=THEIRS)
    proximity_thresh: float = knob(
        0.5, "appearances are compared where IoU is at least this", low=0, high=1
    )
    appearance_thresh: float = knob(
        0.8, "least similarity of appearances that counts", low=0, high=1
    )


@dataclass
class DirectionSettings(CascadeSettings):
    """What OC-SORT and Deep OC-SORT share."""

    delta_t: int = knob(
        3,
        "frames over which a track's direction is measured; higher smooths more",
        unit="frames",
        low=1,
        high=1000,
    )
    inertia: float = knob(0.2, "weight of a change of direction in the cost", low=0, high=10)
    use_byte: bool = knob(
        False, "match low scores second, as ByteTrack does; else low_thresh has no effect"
    )


@dataclass
class OcSortSettings(DirectionSettings):
    """OC-SORT (Cao et al., CVPR 2023)."""

    name: str = "ocsort"
    track_thresh: float = knob(0.25, origin=THEIRS)
    new_track_thresh: float | None = knob(0.25, origin=THEIRS)


@dataclass
class DeepOcSortSettings(DirectionSettings, SeeingSettings):
    """Deep OC-SORT (Maggiolino et al., 2023)."""

    name: str = "deepocsort"
    track_thresh: float = knob(0.3, origin=THEIRS)
    new_track_thresh: float | None = knob(0.3, origin=THEIRS)
    gmc_method: GmcMethod = knob(GmcMethod.none, origin=THEIRS)
    proximity_thresh: float = knob(
        0.5, "appearances are compared where IoU is at least this", low=0, high=1
    )
    appearance_thresh: float = knob(
        0.9, "least similarity of appearances that counts", low=0, high=1
    )
    alpha_fixed_emb: float = knob(
        0.95,
        "share of the old appearance that stays at an update; higher changes slower",
        low=0,
        high=1,
    )


@dataclass
class FastTrackSettings(CascadeSettings):
    """FastTracker (Hashempoor et al., 2025)."""

    name: str = "fasttrack"
    track_thresh: float = knob(0.25, origin=THEIRS)
    new_track_thresh: float | None = knob(0.25, origin=THEIRS)
    reset_velocity_offset_occ: int = knob(
        5,
        "frames back whose velocity a track takes when it becomes hidden",
        unit="frames",
        low=1,
        high=1000,
    )
    reset_pos_offset_occ: int = knob(
        3, "frames back whose position it takes then", unit="frames", low=1, high=1000
    )
    enlarge_bbox_occ: float = knob(
        1.1, "factor on its height then, once, to search more widely", low=1, high=10
    )
    dampen_motion_occ: float = knob(0.5, "factor on its velocity then, once", low=0, high=1)
    active_occ_to_lost_thresh: int = knob(
        10,
        "frames that it may be hidden before it counts as lost",
        unit="frames",
        low=0,
        high=100_000,
    )
    occ_cover_thresh: float = knob(
        0.7, "share of its area covered by another track that makes it hidden", low=0, high=1
    )
    occ_reappear_window: int = knob(
        40,
        "frames that a lost track can still be found again after it was hidden",
        unit="frames",
        low=0,
        high=100_000,
    )
    init_iou_suppress: float = knob(
        0.7, "no new track where IoU with an active one reaches this; 1: off", low=0, high=1
    )


@dataclass
class TrackTrackSettings(SeeingSettings):
    """TrackTrack (Shim et al., CVPR 2025)."""

    name: str = "tracktrack"
    track_thresh: float = knob(
        0.6, "detections above count as sure (ultralytics: track_high_thresh)", low=0, high=1
    )
    low_thresh: float = knob(
        0.25,
        "detections between this and track_thresh cost penalty_p more (ultralytics: "
        "track_low_thresh)",
        low=0,
        high=1,
    )
    new_track_thresh: float | None = knob(0.7, origin=THEIRS)
    match_thresh: float = knob(
        0.7, "a match may cost at most this in the first iteration", low=0, high=1
    )
    fuse_score: bool = knob(
        True, "of no effect here: the score has a weight of its own, conf_weight"
    )
    lost_match_thr: float = knob(
        0.0,
        "cost limit of a second look for lost tracks; 0: none (0.9 for long occlusions)",
        low=0,
        high=1,
    )
    iou_weight: float = knob(
        0.5,
        "weight of the boxes' distance (HMIoU) where appearances are compared",
        low=0,
        high=10,
    )
    reid_weight: float = knob(0.5, "weight of the appearances' distance", low=0, high=10)
    conf_weight: float = knob(0.1, "weight of the difference to the expected score", low=0, high=10)
    angle_weight: float = knob(0.05, "weight of the corners' change of direction", low=0, high=10)
    penalty_p: float = knob(0.2, "added to the cost of detections with low scores", low=0, high=1)
    penalty_q: float = knob(
        0.4,
        "added to the cost of detections that NMS had deleted; we have none of those",
        low=0,
        high=1,
    )
    reduce_step: float = knob(
        0.05, "by which the cost limit sinks with each iteration", low=0, high=1
    )
    tai_thr: float = knob(
        0.55,
        "no new track where IoU with an active one or a better detection is above",
        low=0,
        high=1,
    )
    min_track_len: int = knob(
        3, "frames after which a new track counts", unit="frames", low=1, high=1000
    )
