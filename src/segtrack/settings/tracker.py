"""What every tracker has, and what each adds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

# What is compared to match detections with tracks; made by a call, since "+" is in a name.
Association = Enum("Association", {"box": "box", "mask": "mask", "box+mask": "box+mask"})


class GmcMethod(Enum):
    """How the trackers of ultralytics estimate the camera's motion; its own names."""

    none = "none"
    sparseOptFlow = "sparseOptFlow"
    orb = "orb"
    sift = "sift"
    ecc = "ecc"


@dataclass
class TrackerSettings:
    """What every tracker has; ``name`` chooses it."""

    name: str = MISSING
    track_thresh: float = 0.5
    low_thresh: float = 0.1
    new_track_thresh: float | None = None
    match_thresh: float = 0.8
    track_buffer: int = 30
    fuse_score: bool = True
    class_aware: bool = True
    min_length: int = 1
    min_area: float = 0.0
    max_aspect_ratio: float | None = None
    interpolate: int = 0
    disjoint_masks: bool = False
    render: bool | None = None
    trail: int = 30


@dataclass
class ByteTrackSettings(TrackerSettings):
    name: str = "bytetrack"
    association: Association = Association.box
    camera_motion: bool = False


@dataclass
class BotSortSettings(TrackerSettings):
    """ultralytics' names and defaults, here and in the groups below."""

    name: str = "botsort"
    track_thresh: float = 0.25
    new_track_thresh: float | None = 0.25
    gmc_method: GmcMethod = GmcMethod.sparseOptFlow
    proximity_thresh: float = 0.5
    appearance_thresh: float = 0.8
    with_reid: bool = False
    model: str = "auto"


@dataclass
class OcSortSettings(TrackerSettings):
    name: str = "ocsort"
    track_thresh: float = 0.25
    new_track_thresh: float | None = 0.25
    delta_t: int = 3
    inertia: float = 0.2
    use_byte: bool = False


@dataclass
class DeepOcSortSettings(OcSortSettings):
    name: str = "deepocsort"
    track_thresh: float = 0.3
    new_track_thresh: float | None = 0.3
    gmc_method: GmcMethod = GmcMethod.none
    with_reid: bool = False
    model: str = "auto"
    proximity_thresh: float = 0.5
    appearance_thresh: float = 0.9
    alpha_fixed_emb: float = 0.95


@dataclass
class FastTrackSettings(TrackerSettings):
    name: str = "fasttrack"
    track_thresh: float = 0.25
    new_track_thresh: float | None = 0.25
    reset_velocity_offset_occ: int = 5
    reset_pos_offset_occ: int = 3
    enlarge_bbox_occ: float = 1.1
    dampen_motion_occ: float = 0.5
    active_occ_to_lost_thresh: int = 10
    occ_cover_thresh: float = 0.7
    occ_reappear_window: int = 40
    init_iou_suppress: float = 0.7


@dataclass
class TrackTrackSettings(TrackerSettings):
    name: str = "tracktrack"
    track_thresh: float = 0.6
    low_thresh: float = 0.25
    new_track_thresh: float | None = 0.7
    match_thresh: float = 0.7
    lost_match_thr: float = 0.0
    iou_weight: float = 0.5
    reid_weight: float = 0.5
    conf_weight: float = 0.1
    angle_weight: float = 0.05
    penalty_p: float = 0.2
    penalty_q: float = 0.4
    reduce_step: float = 0.05
    tai_thr: float = 0.55
    min_track_len: int = 3
    gmc_method: GmcMethod = GmcMethod.sparseOptFlow
    with_reid: bool = False
    model: str = "auto"
