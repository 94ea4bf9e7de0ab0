"""COCO with track ids read: the videos of one JSON file.

Track ids are ``track_id`` or ``instance_id`` of an annotation, or stand among its ``attributes``,
as in CVAT's export; a negative one is none. Frames are ``frame_id`` of the images, from 0 (as
MMTracking writes) or from 1 (ByteTrack); else the order of the numbers in their names, else that in
the file. A file without ``videos`` is one video. Shapes and single values are read as those of
images are (``coco_shapes``, ``coco_values``).
"""

from __future__ import annotations

import mmap
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.json_stream import Element, elements
from segtrack.convert.clips import TrackedClip
from segtrack.convert.material import Clip, Thing
from segtrack.dataset import flag, id_key, number, numbers_of, of_cvat, read_object, whole

_KEYS = (b'"track_id"', b'"instance_id"')
_ID = re.compile(rb'"(?:track|instance)_id"\s*:\s*"?\d')
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def has_tracks(path: Path) -> bool:
    """Whether an annotation of a COCO file has a track id; -1 and null are none."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
        ):
            places = [place for key in _KEYS if (place := text.find(key)) >= 0]
            return bool(places) and _ID.search(text, min(places)) is not None
    except (OSError, ValueError):  # of an empty file there is no map
        return False


def coco_clips(path: Path) -> list[TrackedClip]:
    """The videos of a COCO file, in its order.

    Annotations without a track id, and single ones that cannot be read, are left out with a note;
    more than one, and more than 1 in 20 of the file, refuse it.

    Raises:
        DataError: it is no COCO JSON, names an image, a frame or a track of a frame twice, or has
            frames of one video with different sizes.
    """
    reader = _Reader(path)
    try:
        for element in elements(path):
            if element.listed:
                reader.take(element)
        return reader.clips()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except _ODD as error:
        why = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else error
        raise DataError(f"{path}: is no COCO JSON of tracks ({why}); export it again") from error


class _Reader:
    """Keeps what the file says until it is whole, since its keys come in any order.

    Ids are compared by ``id_key``: 1 and "1" are the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.videos: dict[Any, dict[str, Any]] = {}
        self.images: dict[Any, dict[str, Any]] = {}
        self.categories: dict[Any, str] = {}
        self.annotations: list[tuple[int, dict[str, Any]]] = []
        self.notes: list[str] = []

    def take(self, element: Element) -> None:
        value = element.value
        if element.key == "videos":
            self.videos[_key(value, "id")] = value
        elif element.key == "images":
            key = _key(value, "id")
            first = self.images.setdefault(key, value)
            if first.get("file_name") != value.get("file_name"):
                names = f"{first.get('file_name')} and {value.get('file_name')}"
                raise ValueError(f"image id {key} is there twice, for {names}")
        elif element.key == "categories":
            self.categories[_key(value, "id")] = str(value["name"])
        elif element.key == "annotations":
            self.annotations.append((element.line, value))

    def clips(self) -> list[TrackedClip]:
        videos: defaultdict[Any, list[Any]] = defaultdict(list)
        for key, image in self.images.items():
            videos[id_key(image.get("video_id"))].append(key)
        frames = self._frames(videos)
        places = {key: i for i, key in enumerate(self.categories)}
        found: dict[Any, defaultdict[int, list[Thing]]] = defaultdict(lambda: defaultdict(list))
        tracks: set[tuple[Any, int]] = set()
        without, broken, first = 0, 0, ""
        for line, value in self.annotations:
            try:
                key = _key(value, "image_id")
                if key not in self.images:
                    raise ValueError(f"there is no image {key!r:.40}")
                track_id = track_of(value)
                if track_id is None and not _is_crowd(value):
                    without += 1
                    continue
                kind = _key(value, "category_id")
                if kind not in places:
                    raise ValueError(f"category_id {kind!r:.40} is not in categories")
                thing = _thing(value, places[kind], track_id, self.images[key])
            except _ODD as error:
                broken += 1
                why = str(error) if isinstance(error, ValueError) else repr(error)
                first = first or f"line {line}: {why}"
                continue
            if track_id is not None and (key, track_id) in tracks:
                raise ValueError(f"line {line}: track {track_id} is there twice in image {key}")
            if track_id is not None:
                tracks.add((key, track_id))
            found[id_key(self.images[key].get("video_id"))][frames[key]].append(thing)
        total = len(self.annotations) - without
        if broken > max(1, total / 20) or (broken and broken == total):
            raise DataError(
                f"{self.path}: {broken} of {total} annotations cannot be read; the first is in "
                f"{first}; mend them, only up to one in 20 is left out"
            )
        if without:
            self.notes.append(f"{without} annotations without a track id are left out")
        if broken:
            note = f"{broken} annotations that cannot be read are left out; first: {first}"
            self.notes.append(note)
        return self._made(videos, frames, found)

    def _frames(self, videos: dict[Any, list[Any]]) -> dict[Any, int]:
        """By image the number of its frame in its video, from 0."""
        frames: dict[Any, int] = {}
        numbered: dict[Any, list[int]] = {}
        for video, keys in videos.items():
            given = [self.images[key].get("frame_id") for key in keys]
            if all(one is None for one in given):
                frames |= {key: i for i, key in enumerate(self._in_order(keys))}
                continue
            numbers = [n for one in given if (n := whole(one)) is not None]
            if len(set(numbers)) < len(keys) or min(numbers) < 0:
                wrong = next(
                    (one for one in given if (whole(one) or 0) < 0 or one is None),
                    next((n for n in numbers if numbers.count(n) > 1), given),
                )
                raise ValueError(
                    f"frame_id {wrong!r:.40} of an image of video {video} is no frame, or is there "
                    "twice"
                )
            numbered[video] = numbers
            frames |= dict(zip(keys, numbers, strict=True))
        if not numbered or min(map(min, numbered.values())) < 1:
            return frames
        if all(self._from_one(video, numbers) for video, numbers in numbered.items()):
            self.notes.append("frame_id counts from 1: frame 1 is the first of each video")
            return {
                key: frame - (id_key(self.images[key].get("video_id")) in numbered)
                for key, frame in frames.items()
            }
        self.notes.append(
            f"frame_id begins with {min(map(min, numbered.values()))} and is counted from 0, with "
            "frames before that have no image"
        )
        return frames

    def _from_one(self, video: Any, numbers: list[int]) -> bool:
        """Whether the frames of a video are those from 1 on to its end."""
        length = whole(self.videos.get(video, {}).get("length")) or len(numbers)
        return sorted(numbers) == list(range(1, length + 1))

    def _in_order(self, keys: list[Any]) -> list[Any]:
        """Images of a video whose file does not number them."""
        names = [str(self.images[key].get("file_name", "")) for key in keys]
        paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
        numbers = numbers_of([str(path.with_suffix("")) if path.name else "" for path in paths])
        if not numbers:
            return keys
        low, high = min(numbers), max(numbers)
        if high - low + 1 > len(keys):
            self.notes.append(
                f"{len(keys)} images are numbered {low} to {high} with gaps, and have no frame_id; "
                f"they are the frames 0 to {len(keys) - 1}, one after the other"
            )
        ordered = [key for _, key in sorted(zip(numbers, keys, strict=True), key=lambda n: n[0])]
        if ordered != keys:
            self.notes.append(
                "images are not in the order of the numbers in their names; these count, "
                f"{low} to {high}"
            )
        return ordered

    def _made(
        self,
        videos: dict[Any, list[Any]],
        frames: dict[Any, int],
        found: dict[Any, defaultdict[int, list[Thing]]],
    ) -> list[TrackedClip]:
        clips = []
        names = tuple(self.categories.values())
        for i, (key, own) in enumerate(videos.items()):
            video = self.videos.get(key, {})
            name = video.get("name") or video.get("file_name")
            clip = Clip(
                str(name or (self.path.stem if key is None else key)),
                *self._size(own),
                float(video.get("fps") or 0),
                max(whole(video.get("length")) or 0, max(frames[k] for k in own) + 1),
            )
            files = {
                frames[k]: file
                for k in own
                if (file := self._file(str(self.images[k].get("file_name", "")))) is not None
            }
            said = tuple(self.notes) if i == 0 else ()
            clips.append(TrackedClip(clip, found[key], names, files=files, notes=said))
        return clips

    def _size(self, keys: list[Any]) -> tuple[int, int]:
        """Width and height of the frames of a video; 0 where the file does not say."""
        said = [(key, size) for key in keys if all(size := _sides(self.images[key]))]
        for key, size in said:
            other, first = said[0]
            if size != first:
                raise ValueError(
                    f"image {key} is {size[0]} x {size[1]} pixels, image {other} of the same "
                    f"video {first[0]} x {first[1]}; dataset=coco reads it as single images"
                )
        return said[0][1] if said else (0, 0)

    def _file(self, name: str) -> Path | None:
        home = self.path.parent
        roots = (home, home.parent) if home.name == "annotations" else (home,)
        for root in roots:
            for place in (root, root / "images", root / "images" / "default"):
                if name and (place / name).is_file():
                    return place / name
        return None


def _key(value: dict[str, Any], name: str) -> Any:
    key = id_key(value[name])
    if key is None:
        raise ValueError(f"{name} is {value[name]!r:.40}, no id")
    return key


def _sides(image: dict[str, Any]) -> tuple[int, int]:
    width, height = (whole(image.get(side)) or 0 for side in ("width", "height"))
    return width, height


def track_of(value: dict[str, Any]) -> int | None:
    """The track id of an annotation, or None.

    Raises:
        ValueError: it is no whole number.
    """
    attributes = value.get("attributes")
    inner = attributes.get("track_id") if isinstance(attributes, dict) else None
    given = next((g for g in (value.get("track_id"), value.get("instance_id"), inner)
                  if g is not None), None)  # fmt: skip
    if given is None:
        return None
    found = whole(given)
    if found is None:
        raise ValueError(f"its track id is {given!r:.40}, no whole number")
    return found if found >= 0 else None  # -1 of ByteTrack's files of single images


def _is_crowd(value: dict[str, Any]) -> bool:
    return bool(flag(value.get("iscrowd"))) and not of_cvat(value)


def _thing(
    value: dict[str, Any], class_id: int, track_id: int | None, image: dict[str, Any]
) -> Thing:
    shape = read_object(value, _sides(image))
    return Thing(
        class_id,
        shape.bbox_xyxy,
        tuple(shape.polygons),
        shape.rle,
        crowd=_is_crowd(value),
        score=number(value.get("score")),
        track_id=track_id,
        visible=number(value.get("visible_fraction")),
        interpolated=bool(flag(value.get("interpolated"))),
        ignored=bool(flag(value.get("ignore"))),
    )
