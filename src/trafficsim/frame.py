"""What the simulator takes and gives: knobs, instances, frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import SettingsError

CLASS_NAMES: tuple[str, ...] = ("person", "car", "truck", "bus")
"""Names of the classes; `class_id` is the index."""

LIGHTS: tuple[str, ...] = ("day", "dusk", "night", "mixed")

_SMALLEST_SIDE = 32
_LARGEST_SIDE = 4096


@dataclass(frozen=True)
class SimulatorKnobs:
    """How the simulated streets look.

    Attributes:
        width: Image width in px, 32 to 4096.
        height: Image height in px, 32 to 4096.
        density: 0..1, how many vehicles and pedestrians there are.
        occlusion: 0..1, how much furniture, foliage and crowding stands in front.
        light: "day", "dusk", "night", or "mixed" (drawn per scene, mostly day).
        fog: 0..1, chance and strength of fog.
        shake: 0..1, amplitude of the camera shake; it acts in videos only.
        fps: Frames per second of videos, above 0.

    Raises:
        SettingsError: If a value is out of its range.
    """

    width: int = 640
    height: int = 360
    density: float = 0.5
    occlusion: float = 0.5
    light: str = "mixed"
    fog: float = 0.15
    shake: float = 0.3
    fps: float = 30.0

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            whole = isinstance(side, int) and not isinstance(side, bool)
            if not whole or not _SMALLEST_SIDE <= side <= _LARGEST_SIDE:
                raise _refused(
                    name, side, f"a whole number of px, {_SMALLEST_SIDE} to {_LARGEST_SIDE}"
                )
        for name in ("density", "occlusion", "fog", "shake"):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
                raise _refused(name, share, "a number, 0 to 1")
        if self.light not in LIGHTS:
            raise _refused("light", self.light, "one of " + ", ".join(LIGHTS))
        if not isinstance(self.fps, int | float) or not 0.0 < self.fps <= 1000.0:
            raise _refused("fps", self.fps, "a number of frames per second, above 0, at most 1000")


@dataclass(frozen=True)
class Instance:
    """One object in one frame.

    Attributes:
        track_id: From 1; the same object keeps it through a video.
        class_id: Index into `CLASS_NAMES`.
        polygons: The visible part; each float32 (N, 2), N >= 3, px, x right and y down,
            pixel (i, j) covers [i, i + 1) x [j, j + 1). Holes are joined to their outline.
        rle: COCO RLE of the visible mask at image size, `counts` is a str.
        bbox_xyxy: Box of the visible mask in px, the right and lower edges exclusive.
        area: Visible pixels.
        visible_fraction: Visible pixels over the pixels that the object would cover with
            nothing in front of it on an endless image, in (0, 1]. The part outside of the
            image counts as hidden.
        ignore: Too small or too hidden to be judged: neither learnt nor scored.
    """

    track_id: int
    class_id: int
    polygons: tuple[NDArray[np.float32], ...]
    rle: dict[str, Any]
    bbox_xyxy: tuple[float, float, float, float]
    area: float
    visible_fraction: float
    ignore: bool


@dataclass(frozen=True)
class Frame:
    """An image, uint8 (H, W, 3) BGR, and what is labelled in it."""

    image: NDArray[np.uint8]
    instances: tuple[Instance, ...]


def _refused(name: str, value: object, allowed: str) -> SettingsError:
    return SettingsError(f"simulator: {name} is {value!r}; allowed is {allowed}")
