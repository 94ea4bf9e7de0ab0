"""COCO with track ids read: the videos of one JSON file.

Track ids are ``track_id`` or ``instance_id`` of an annotation, or stand among its ``attributes``,
as in CVAT's export. Frames are ``frame_id`` (from 0) of the images, else their order in the file; a
file without ``videos`` is one video.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.base.errors import DataError
from segtrack.base.json_stream import Element, elements
from segtrack.convert.clips import TrackedClip
from segtrack.convert.material import Clip, Thing
from segtrack.dataset import of_cvat

_HEAD = 1 << 22
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def has_tracks(path: Path) -> bool:
    """Whether the annotations of a COCO file begin with ones that have track ids."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return b'"track_id"' in head or b'"instance_id"' in head


def coco_clips(path: Path) -> list[TrackedClip]:
    """The videos of a COCO file, in its order.

    Annotations without a track id, and single ones that cannot be read, are left out with a note;
    more than one, and more than 1 in 20 of the file, refuse it.

    Raises:
        DataError: it is no COCO JSON, or names frames twice.
    """
    reader = _Reader(path)
    try:
        for element in elements(path):
            if element.listed:
                reader.take(element)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except _ODD as error:
        raise DataError(f"{path}: is no COCO JSON of tracks ({error}); export it again") from error
    return reader.clips()


class _Reader:
    """Keeps what the file says until it is whole, since its keys come in any order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.videos: dict[Any, dict[str, Any]] = {}
        self.images: dict[Any, dict[str, Any]] = {}
        self.categories: dict[Any, str] = {}
        self.annotations: list[tuple[int, dict[str, Any]]] = []

    def take(self, element: Element) -> None:
        value = element.value
        if element.key == "videos":
            self.videos[value["id"]] = value
        elif element.key == "images":
            self.images[value["id"]] = value
        elif element.key == "categories":
            self.categories[value["id"]] = str(value["name"])
        elif element.key == "annotations":
            self.annotations.append((element.line, value))

    def clips(self) -> list[TrackedClip]:
        frames = self._frames()
        places = {number: i for i, number in enumerate(self.categories)}
        found: dict[Any, defaultdict[int, list[Thing]]] = defaultdict(lambda: defaultdict(list))
        without, broken, first = 0, 0, ""
        for line, value in self.annotations:
            try:
                image = self.images[value["image_id"]]
                track_id = track_of(value)
                if track_id is None and not _is_crowd(value):
                    without += 1
                    continue
                thing = _thing(value, places[value["category_id"]], track_id, image)
            except _ODD as error:
                broken += 1
                first = first or f"line {line}: {type(error).__name__}: {error}"
                continue
            found[image.get("video_id")][frames[value["image_id"]]].append(thing)
        total = len(self.annotations) - without
        if broken > max(1, total / 20) or (broken and broken == total):
            raise DataError(
                f"{self.path}: {broken} of {total} annotations cannot be read; the first is in "
                f"{first}; mend them, only up to one in 20 is left out"
            )
        notes = []
        if without:
            notes.append(f"{without} annotations without a track id are left out")
        if broken:
            notes.append(f"{broken} annotations that cannot be read are left out; first: {first}")
        return self._made(frames, found, tuple(notes))

    def _frames(self) -> dict[Any, int]:
        """By image the number of its frame in its video."""
        counts: dict[Any, int] = defaultdict(int)
        frames, seen = {}, set()
        for key, image in self.images.items():
            video = image.get("video_id")
            frame = image.get("frame_id", counts[video])
            counts[video] += 1
            if not isinstance(frame, int) or frame < 0 or (video, frame) in seen:
                raise ValueError(f"image {key}: frame {frame!r:.40} of its video is none, or twice")
            seen.add((video, frame))
            frames[key] = frame
        return frames

    def _made(
        self,
        frames: dict[Any, int],
        found: dict[Any, defaultdict[int, list[Thing]]],
        notes: tuple[str, ...],
    ) -> list[TrackedClip]:
        clips = []
        names = tuple(self.categories.values())
        used = dict.fromkeys(image.get("video_id") for image in self.images.values())
        for number, key in enumerate(used):
            own = {k: image for k, image in self.images.items() if image.get("video_id") == key}
            one = next(iter(own.values()))
            video = self.videos.get(key, {})
            clip = Clip(
                str(video.get("name") or (self.path.stem if key is None else key)),
                int(one.get("width") or 0),
                int(one.get("height") or 0),
                float(video.get("fps") or 0),
                max(int(video.get("length") or 0), max(frames[k] for k in own) + 1),
            )
            files = {
                frames[k]: file
                for k, image in own.items()
                if (file := self._file(str(image.get("file_name", "")))) is not None
            }
            said = notes if number == 0 else ()
            clips.append(TrackedClip(clip, found[key], names, files=files, notes=said))
        return clips

    def _file(self, name: str) -> Path | None:
        home = self.path.parent
        roots = (home, home.parent) if home.name == "annotations" else (home,)
        for root in roots:
            for place in (root, root / "images", root / "images" / "default"):
                if name and (place / name).is_file():
                    return place / name
        return None


def track_of(value: dict[str, Any]) -> int | None:
    """The track id of an annotation, or None."""
    attributes = value.get("attributes")
    inner = attributes.get("track_id") if isinstance(attributes, dict) else None
    given = next((g for g in (value.get("track_id"), value.get("instance_id"), inner)
                  if g is not None), None)  # fmt: skip
    return None if given is None else int(given)


def _is_crowd(value: dict[str, Any]) -> bool:
    return bool(value.get("iscrowd")) and not of_cvat(value)


def _thing(value: dict[str, Any], class_id: int, track_id: int | None, image: Any) -> Thing:
    segmentation = value.get("segmentation")
    polygons: tuple[Any, ...] = ()
    counts = b""
    if isinstance(segmentation, dict):
        counts = rle.compressed(segmentation, int(image["width"]), int(image["height"]))
    elif segmentation:
        polygons = tuple(np.array(part, np.float64).reshape(-1, 2) for part in segmentation)
        if any(len(part) < 3 or not np.isfinite(part).all() for part in polygons):
            raise ValueError("a polygon has less than 3 points, or one that is no number")
    x, y, w, h = (float(side) for side in value["bbox"])
    score = value.get("score")
    return Thing(
        class_id,
        (x, y, x + w, y + h),
        polygons,
        counts,
        crowd=_is_crowd(value),
        score=None if score is None else float(score),
        track_id=track_id,
        visible=value.get("visible_fraction"),
        interpolated=bool(value.get("interpolated")),
        ignored=bool(value.get("ignore")),
    )
