"""What the source traffic_sim can be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from segtrack.settings import DatasetSettings, Problem, knob


class Light(Enum):
    mixed = "mixed"
    day = "day"
    dusk = "dusk"
    night = "night"


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

    def problems(self) -> Iterator[Problem]:
        """It reads no folder."""
        yield from super().problems()
        if self.path is not None:
            allowed = "the simulator reads no folder; for one of your own use dataset=yolo or coco"
            yield Problem("dataset.path", self.path, allowed)
