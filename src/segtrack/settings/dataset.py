"""What every data set has, and what each kind of source adds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING

from segtrack.settings.knobs import knob

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

    train: float = knob(0.7, "share of the images to learn from", low=0, high=1)
    val: float = knob(0.15, "share that chooses the epoch", low=0, high=1)
    test: float = knob(0.15, "share that is reported, never trained on", low=0, high=1)
    pool: float = knob(0.0, "share that is to be reviewed", low=0, high=1)


@dataclass
class DatasetSettings:
    """What every data set has. ``source`` names the reader in ``segtrack.dataset``."""

    source: str = knob(MISSING, "the reader")
    path: str | None = knob(
        None, "the folder that holds the data set; it counts by its content", local=True
    )
    classes: Any = knob(
        None,
        "null: all; a list [person, car] chooses by name; a mapping {vehicle: [car, truck, bus]} "
        "merges",
        kind="list, mapping or null",
    )
    splits: SplitFractions = knob(
        SplitFractions, "shares of what the source assigns to no split; they sum to 1"
    )
    group_by: str | None = knob(
        None,
        "regular expression on the file name; images with the same match stay in one split",
    )
    decode: bool = knob(
        True, "decode every image once to be sure that it can be read; false: header only, faster"
    )
    workers: int = knob(
        0,
        "processes that read images; 0: one per CPU core",
        unit="processes",
        low=0,
        high=1024,
        local=True,
    )
    require_sources: bool = knob(
        False, "stop when an image has no row in the table of sources and licences"
    )
    sources: str = knob("sources.md", "the file with that table", local=True)
    videos: str | None = knob(
        None, "file, folder or glob of videos or sequences for the track stage", local=True
    )
    starting_weights: str = knob(
        "auto",
        "what model.weights=null begins with: auto (see model.weights), or shipped",
        choices=("auto", "shipped"),
        local=True,
    )


@dataclass
class TrafficSimSettings(DatasetSettings):
    """The embedded simulator: street scenes with exact labels, made on first use from a seed."""

    source: str = "traffic_sim"
    starting_weights: str = knob(
        "shipped", origin="trained on this simulator (experiment=pretrain_sim)"
    )
    train: int = knob(240, "images to learn from", unit="images", low=1, high=10**6)
    val: int = knob(60, "images that choose the epoch", unit="images", low=1, high=10**6)
    test: int = knob(80, "images that are reported", unit="images", low=0, high=10**6)
    pool: int = knob(
        40,
        "images that training does not see labels of: what a review looks at",
        unit="images",
        low=0,
        high=10**6,
    )
    width: int = knob(640, "of images and videos", unit="px", low=64, high=7680)
    height: int = knob(360, "of images and videos", unit="px", low=64, high=4320)
    density: float = knob(0.5, "how many vehicles and pedestrians", low=0, high=1)
    occlusion: float = knob(
        0.5, "trees, street furniture and crowding in front of them", low=0, high=1
    )
    light: Light = knob(Light.mixed, "time of day; mixed: drawn per scene")
    fog: float = knob(0.15, "how often there is fog and how thick", low=0, high=1)
    shake: float = knob(0.3, "camera shake in videos", low=0, high=1, needs="video_count")
    fps: float = knob(
        30.0,
        "frame rate of the videos",
        unit="frames/s",
        low=1,
        high=240,
        origin="the rate that trackers are tuned for",
        needs="video_count",
    )
    video_count: int = knob(1, "videos that are rendered", unit="videos", low=0, high=1000)
    video_seconds: float = knob(
        8.0, "length of a video", unit="s", low=0.1, high=3600, needs="video_count"
    )
    seed: int = knob(0, "of the scenes", low=0, high=2**31 - 1)


@dataclass
class YoloSettings(DatasetSettings):
    """A folder with images, YOLO-seg polygon .txt labels and data.yaml: dataset.path=FOLDER"""

    source: str = "yolo"
    path: str | None = knob(None, "the folder that holds data.yaml")


@dataclass
class ImagesSettings(DatasetSettings):
    """Raw images, none of them labelled, to be annotated or reviewed: all are the split pool."""

    source: str = "images"
    path: str | None = knob(None, "the folder; searched with all its subfolders")
    classes: Any = knob(
        None,
        "what is to be found in the images, [person, car]: the questions of the template",
        kind="list",
    )


@dataclass
class CocoSettings(DatasetSettings):
    """COCO JSON with polygons or RLE: dataset.path=FOLDER dataset.annotations=FILE"""

    source: str = "coco"
    path: str | None = knob(None, "the folder that the file names of the JSON are relative to")
    annotations: Any = knob(
        None,
        "the JSON file, or a mapping {train: FILE, val: FILE} of splits to files",
        kind="text or mapping",
    )


@dataclass
class UltralyticsSettings(DatasetSettings):
    """A data set that ultralytics downloads by name; needs internet on first use."""

    source: str = "ultralytics"
    path: str | None = knob(None, "where to keep the download; null: in the store")
    name: str = knob("coco128-seg.yaml", "one of ultralytics/cfg/datasets/*.yaml with -seg labels")


@dataclass
class SequencesSettings(DatasetSettings):
    """Tracking sequences in MOTChallenge or KITTI-MOTS layout, or plain video files; no images."""

    source: str = "sequences"
    path: str | None = knob(None, "a sequence folder, a folder of them, a video file or a glob")
    tuning: list[str] = knob(list, "names of the sequences that a sweep may choose settings on")
    test: list[str] = knob(list, "names of the sequences that are reported; disjoint from tuning")
    detections: Detections = knob(
        Detections.auto,
        "model, file (the sequence's own det/det.txt), or auto: the file where there are no frames",
    )
    det_class: str = knob(
        "person",
        "class of the detections in det.txt, which does not say it",
        origin="MOTChallenge has persons",
    )


@dataclass
class LabellerrDatasetSettings(DatasetSettings):
    """Finished labels of a Labellerr project, joined with the images in ``path``.

    An export is asked for whenever prepare runs; class order is that of the project's template.
    """

    source: str = "labellerr"
    path: str | None = knob(
        None,
        "the folder with the images, which exports do not hold; its data.yaml, if it has one, "
        "decides the splits",
    )
    splits: SplitFractions = knob(
        SplitFractions,
        "shares of the labelled images; they are dealt anew when more are labelled: for a test "
        "split that stays, name one in data.yaml",
    )
    project_id: str | None = knob(
        None, "as push printed it, or as in the address of the project's page"
    )
    unlabelled: Unlabelled = knob(
        Unlabelled.pool,
        "what becomes of images of path that the export does not name; those that data.yaml has in "
        "test keep their own labels",
    )
    export: str | None = knob(
        None,
        "a folder that an earlier export was kept in, which counts by its content; null asks the "
        "platform for a new one",
        local=True,
    )


@dataclass
class ReviewedSettings(DatasetSettings):
    """The next version of a data set: what was reviewed is training data; val and test stay."""

    source: str = "reviewed"
    path: str | None = knob(
        None, "a version that the stage pull left; null: the newest in the store"
    )
    starting_weights: str = knob(
        PARENT,
        "what model.weights=null begins with: parent (what the data set before its review begins "
        "with), auto or shipped",
        choices=("auto", "shipped", PARENT),
    )
