"""Every knob as a typed dataclass, and the rules that hold between them.

Nothing heavy is imported here: composing and validating takes well under a second. The
dataclasses are filled once by ``OmegaConf.to_object`` and not changed afterwards. The meaning, unit
and origin of each default stands beside it in ``conf/``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

SPLITS = ("train", "val", "test", "pool")


class Stage(Enum):
    """The stages, in the order in which they always run."""

    prepare = "prepare"
    push = "push"
    train = "train"
    evaluate = "evaluate"
    track = "track"
    review = "review"
    pull = "pull"


class Light(Enum):
    mixed = "mixed"
    day = "day"
    dusk = "dusk"
    night = "night"


class Detections(Enum):
    """Where a sequence's detections come from."""

    auto = "auto"
    model = "model"
    file = "file"


# What is compared to match detections with tracks; made by a call, since "+" is in a name.
Association = Enum("Association", {"box": "box", "mask": "mask", "box+mask": "box+mask"})


class GmcMethod(Enum):
    """How the trackers of ultralytics estimate the camera's motion; its own names."""

    none = "none"
    sparseOptFlow = "sparseOptFlow"
    orb = "orb"
    sift = "sift"
    ecc = "ecc"


class Unlabelled(Enum):
    """What becomes of local images that an export does not name."""

    pool = "pool"
    ignore = "ignore"


PARENT = "parent"  # starting weights: those of the data set that a version was made of


class LabellerrMode(Enum):
    off = "off"
    emulator = "emulator"
    cloud = "cloud"


class TransportChoice(Enum):
    """How the platform is spoken to; auto takes the SDK where it is installed."""

    auto = "auto"
    sdk = "sdk"
    http = "http"


class Assist(Enum):
    """Whose masks are proposed for the images that are pushed."""

    model = "model"
    sam = "sam"


class MlflowMode(Enum):
    local = "local"
    server = "server"


@dataclass
class SplitFractions:
    """Shares of the images that the source itself assigns to no split; they sum to 1."""

    train: float = 0.7
    val: float = 0.15
    test: float = 0.15
    pool: float = 0.0


@dataclass
class DatasetSettings:
    """What every data set has. ``source`` names the reader in ``segtrack.dataset``."""

    source: str = MISSING
    path: str | None = None
    classes: Any = None
    splits: SplitFractions = field(default_factory=SplitFractions)
    group_by: str | None = None
    decode: bool = True
    workers: int = 0
    require_sources: bool = False
    sources: str = "sources.md"
    videos: str | None = None
    starting_weights: str = "auto"


@dataclass
class TrafficSimSettings(DatasetSettings):
    """The embedded simulator; counts are images per split."""

    source: str = "traffic_sim"
    train: int = 240
    val: int = 60
    test: int = 80
    pool: int = 40
    width: int = 640
    height: int = 360
    density: float = 0.5
    occlusion: float = 0.5
    light: Light = Light.mixed
    fog: float = 0.15
    shake: float = 0.3
    fps: float = 30.0
    video_count: int = 1
    video_seconds: float = 8.0
    seed: int = 0


@dataclass
class YoloSettings(DatasetSettings):
    source: str = "yolo"


@dataclass
class ImagesSettings(DatasetSettings):
    """Raw images, none of them labelled; ``classes`` says what is to be labelled in them."""

    source: str = "images"


@dataclass
class CocoSettings(DatasetSettings):
    source: str = "coco"
    annotations: Any = None


@dataclass
class UltralyticsSettings(DatasetSettings):
    source: str = "ultralytics"
    name: str = "coco128-seg.yaml"


@dataclass
class SequencesSettings(DatasetSettings):
    """Tracking sequences in MOTChallenge or KITTI-MOTS layout, or plain video files; no images."""

    source: str = "sequences"
    tuning: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    detections: Detections = Detections.auto
    det_class: str = "person"


@dataclass
class LabellerrDatasetSettings(DatasetSettings):
    """Finished labels of a Labellerr project, joined with the images in ``path``.

    ``export`` is a folder that an export was kept in; null asks the platform for a new one.
    """

    source: str = "labellerr"
    project_id: str | None = None
    unlabelled: Unlabelled = Unlabelled.pool
    export: str | None = None


@dataclass
class ReviewedSettings(DatasetSettings):
    """The next version of a data set, as the stage pull left it; ``path`` null is the newest."""

    source: str = "reviewed"
    starting_weights: str = PARENT


@dataclass
class ModelSettings:
    name: str = MISSING
    weights: str | None = None
    weights_folder: str | None = None
    imgsz: int | None = None
    conf_floor: float = 0.05
    nms_iou: float = 0.7
    max_det: int = 300
    batch: int = 8


@dataclass
class TrainerSettings:
    name: str = MISSING
    epochs: int = MISSING
    batch: int = 16
    imgsz: int | None = None
    patience: int = 50
    optimizer: str = "auto"
    lr0: float = 0.01
    lrf: float = 0.01
    momentum: float = 0.937
    weight_decay: float = 0.0005
    warmup_epochs: float = 3.0
    cos_lr: bool = False
    freeze: int | None = None
    mosaic: float = 1.0
    close_mosaic: int = 10
    mixup: float = 0.0
    copy_paste: float = 0.0
    scale: float = 0.5
    translate: float = 0.1
    degrees: float = 0.0
    fliplr: float = 0.5
    hsv_h: float = 0.015
    hsv_s: float = 0.7
    hsv_v: float = 0.4
    mask_ratio: int = 4
    workers: int = 0
    threads: int | None = None
    cache: bool = False
    amp: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


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


@dataclass
class EvaluationSettings:
    conf_floor: float = 0.001
    max_det: int = 300
    confusion_conf: float = 0.25
    confusion_iou: float = 0.5
    visible_bins: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])
    gallery: int = 12


@dataclass
class AnnotatorSettings:
    """The simulated annotator of the emulator; ``labellerr_loopback.annotator.Rates``."""

    accept_iou: float = 0.85
    match_iou: float = 0.3
    shift: float = 0.5
    miss_correction: float = 0.05
    miss_deletion: float = 0.05
    miss_addition: float = 0.05
    wrong_deletion: float = 0.02
    seed: int = 0


@dataclass
class LabellerrSettings:
    """The annotation platform. Credentials are never settings: they come from the environment."""

    mode: LabellerrMode = LabellerrMode.off
    url: str | None = None
    transport: TransportChoice = TransportChoice.auto
    timeout: float = 1800.0
    workers: int = 8
    name: str | None = None
    project_id: str | None = None
    test_project_id: str | None = None
    statuses: list[str] = field(
        default_factory=lambda: [
            "review",
            "r_assigned",
            "client_review",
            "cr_assigned",
            "accepted",
        ]
    )
    conf: float = 0.25
    conf_bucket: bool = True
    simplify_px: float = 0.5
    videos: bool = False
    assist: Assist | None = None
    sam: str = "mobile_sam.pt"
    annotator: AnnotatorSettings = field(default_factory=AnnotatorSettings)


@dataclass
class MlflowSettings:
    mode: MlflowMode = MlflowMode.local
    uri: str = MISSING
    artifacts: str | None = None
    experiment: str = "segtrack"
    run_name: str | None = None
    timeout: float = 5.0


@dataclass
class Settings:
    """The whole composed configuration of one run."""

    dataset: DatasetSettings = MISSING
    model: ModelSettings = MISSING
    trainer: TrainerSettings = MISSING
    tracker: TrackerSettings = MISSING
    labellerr: LabellerrSettings = MISSING
    evaluation: EvaluationSettings = MISSING
    mlflow: MlflowSettings = MISSING
    seed: int = 0
    device: Any = "auto"
    stages: list[Stage] = field(default_factory=lambda: list(Stage))
    video: str | None = None
    objective: str | None = None
    plan: bool = False
    store: str = ".segtrack"
    parent_run: str | None = None


SCHEMAS: dict[str, dict[str, type]] = {
    "": {"schema": Settings},
    "dataset": {
        "traffic_sim": TrafficSimSettings,
        "yolo": YoloSettings,
        "images": ImagesSettings,
        "coco": CocoSettings,
        "ultralytics": UltralyticsSettings,
        "sequences": SequencesSettings,
        "labellerr": LabellerrDatasetSettings,
        "reviewed": ReviewedSettings,
    },
    "model": {"model": ModelSettings},
    "trainer": {"trainer": TrainerSettings},
    "tracker": {
        "bytetrack": ByteTrackSettings,
        "botsort": BotSortSettings,
        "ocsort": OcSortSettings,
        "deepocsort": DeepOcSortSettings,
        "fasttrack": FastTrackSettings,
        "tracktrack": TrackTrackSettings,
    },
    "labellerr": {"labellerr": LabellerrSettings},
    "evaluation": {"evaluation": EvaluationSettings},
    "mlflow": {"mlflow": MlflowSettings},
}


def register() -> None:
    """Put every schema into Hydra's ConfigStore as ``GROUP/schema_NAME`` (root: ``schema``)."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for group, nodes in SCHEMAS.items():
        for name, node in nodes.items():
            if group:
                store.store(group=group, name=f"schema_{name}", node=node, provider="segtrack")
            else:
                store.store(name=name, node=node, provider="segtrack")


def plain(value: Any) -> Any:
    """Settings as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.value if isinstance(value, Enum) else value
