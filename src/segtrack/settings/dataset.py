"""What every data set has, and what each kind of source adds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

SPLITS = ("train", "val", "test", "pool")


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


class Unlabelled(Enum):
    """What becomes of local images that an export does not name."""

    pool = "pool"
    ignore = "ignore"


PARENT = "parent"  # starting weights: those of the data set that a version was made of


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
