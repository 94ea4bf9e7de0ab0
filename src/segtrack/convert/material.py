"""What is converted, in one form for images and videos, whatever it was read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]


@dataclass(frozen=True)
class Thing:
    """One object in one picture.

    Attributes:
        class_id: place in ``Material.names``.
        bbox_xyxy: px.
        polygons: float64 (n, 2) each, px; what they cover together is the object. Empty where there
            is only the box, or an ``rle``.
        rle: compressed COCO RLE ``counts`` of the picture's size; empty where there is none.
        crowd: a region of many objects.
        score: of a prediction; None of a label.
        track_id: in its clip; None where it belongs to no track.
        visible: visible fraction in 0..1, or None.
        interpolated: no detection stands behind it.
        ignored: ground truth that is not to be judged.
    """

    class_id: int
    bbox_xyxy: tuple[float, float, float, float]
    polygons: tuple[Polygon, ...] = ()
    rle: bytes = b""
    crowd: bool = False
    score: float | None = None
    track_id: int | None = None
    visible: float | None = None
    interpolated: bool = False
    ignored: bool = False


@dataclass(frozen=True)
class Clip:
    """A video.

    Attributes:
        width, height: px; fps: on average; 0 where that is not known.
        times: seconds of frames that a file gives a time of its own.
        file: the video itself, or None.
    """

    name: str
    width: int
    height: int
    fps: float
    frame_count: int
    times: Mapping[int, float] = field(default_factory=dict, repr=False, compare=False)
    file: Path | None = field(default=None, compare=False)

    def seconds(self, frame: int) -> float | None:
        """When a frame is shown, s after the first; None where nothing says it."""
        if frame in self.times:
            return self.times[frame]
        return round(frame / self.fps, 6) if self.fps else None


@dataclass(frozen=True)
class Picture:
    """An image, or a frame of a clip.

    Attributes:
        name: what its file is called; unique, also without its suffix.
        width, height: px as displayed.
        split: train, val, test or pool; None of a clip's frames.
        things: its objects.
        file: the image, or None.
        pixels: uint8 (height, width, 3), BGR, of a video's frame; None where there is a file or no
            picture at all.
        labelled: whether somebody looked at it: one without objects has none, then.
        clip, frame: which frame (from 0) of what; None of images.
    """

    name: str
    width: int
    height: int
    split: str | None
    things: tuple[Thing, ...]
    file: Path | None = None
    pixels: NDArray[np.uint8] | None = None
    labelled: bool = True
    clip: Clip | None = None
    frame: int = 0

    def having(self, things: tuple[Thing, ...]) -> Picture:
        """The same picture with other objects."""
        return replace(self, things=things)


@dataclass(frozen=True)
class Material:
    """A data set or the tracks of videos.

    Attributes:
        names: class names.
        clips: the videos; empty for images.
        pictures: all of them as a stream, which may be asked for again; of clips every frame, one
            clip after the other.
        splits: of the images that there are.
    """

    names: tuple[str, ...]
    clips: tuple[Clip, ...]
    pictures: Callable[[], Iterator[Picture]]
    splits: tuple[str, ...] = ()

    def mapped(self, change: Callable[[Picture], Picture]) -> Material:
        """With every picture changed as it comes by."""
        return replace(self, pictures=lambda: map(change, self.pictures()))
