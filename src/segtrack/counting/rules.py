"""What is counted, in pixels of one video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import DataError
from segtrack.settings import CountingSettings, PointUnit

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.tracker import Tracks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """Lines, zones and the ground of a video.

    Attributes:
        lines: by name float64 (2, 2), px. zones: by name float64 (N, 2), px, an open ring.
        image, ground: float64 (4, 2), px and m; None where no speed is asked for.
        hysteresis: in heights of an object's box. interval, speed_window: s.
    """

    lines: Mapping[str, Floats]
    zones: Mapping[str, Floats]
    image: Floats | None
    ground: Floats | None
    hysteresis: float
    interval: float
    speed_window: float


def rules_for(settings: CountingSettings, sequence: VideoSequence, tracks: Tracks) -> Rules:
    """What is counted along the trajectories of a video, in its pixels.

    Raises:
        DataError: as ``rules_of``.
    """
    size = tracks.info.width or sequence.width, tracks.info.height or sequence.height
    return rules_of(settings, *size, sequence.name)


def rules_of(settings: CountingSettings, width: int, height: int, video: str) -> Rules:
    """The settings for a video.

    Args:
        width, height: of its frames, px; 0 where nobody knows.
        video: its name, for messages.

    Raises:
        DataError: a point lies outside of the frame, or is a share of a frame of unknown size.
    """
    share = settings.unit is PointUnit.share
    if share and not width * height:
        raise DataError(
            f"{video}: counting.unit=share, and nothing says how large its frames are; give points "
            "in px"
        )
    scale = np.array([width, height], float) if share else np.ones(2)
    outside: list[str] = []

    def points(key: str, numbers: Sequence[float]) -> Floats:
        found = np.array(numbers, np.float64).reshape(-1, 2) * scale
        if width * height and (found > (width, height)).any():
            shown = ",".join(f"{n:g}" for n in found.reshape(-1))
            outside.append(f"counting.{key}=[{shown}]")
        return found

    lines = {name: points(f"lines.{name}", given) for name, given in settings.lines.items()}
    zones = {name: points(f"zones.{name}", given) for name, given in settings.zones.items()}
    image = ground = None
    if settings.homography.image is not None:
        image = points("homography.image", settings.homography.image)
        ground = np.array(settings.homography.ground, np.float64).reshape(-1, 2)
    if outside:
        raise DataError(
            f"{video}: its frames have {width} x {height} px, and these reach out of them: "
            f"{', '.join(outside)}; give points in px of this video, or counting.unit=share"
        )
    knobs = (settings.hysteresis, settings.interval, settings.speed_window)
    return Rules(lines, zones, image, ground, *knobs)
