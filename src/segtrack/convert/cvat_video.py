"""CVAT for video 1.1 read: the tracks of an ``annotations.xml``, of one task or of a project's.

CVAT lists every frame of a track, also those that it interpolated (``keyframe="0"``), and shapes
that are ``outside`` where the object is gone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from segtrack.base import rle
from segtrack.base.errors import DataError
from segtrack.convert.clips import TrackedClip
from segtrack.convert.material import Clip, Thing
from segtrack.dataset import turned
from segtrack.formats import MAX_SIDE

_HEAD = 1 << 20
_SHAPED = re.compile(rb"<(track|image)\s")
_ODD = (AttributeError, LookupError, TypeError, ValueError)


def is_cvat_video(path: Path) -> bool:
    """Whether a file is CVAT's XML of tracks.

    The first track or image decides: a task of a video can be exported as images too, and says
    that it is one of a video (``mode``) then as well.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    if b"<annotations" not in head:
        return False
    first = _SHAPED.search(head)
    return first[1] == b"track" if first else b"<mode>interpolation" in head


def cvat_clips(path: Path) -> list[TrackedClip]:
    """The tracks of each task, in the order of the file's head.

    Shapes that cannot be read are left out with a note; more than one, and more than 1 in 20 of a
    task, refuse the file.

    Raises:
        DataError: it is no XML of tracks, or has frames or ids that are none.
    """
    reader = _Reader(path)
    try:
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            reader.take(event, element)
    except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as CVAT's XML ({error}); export it again"
        ) from error
    tasks = [one for one in reader.tasks.values() if any(one.size) or one.last >= 0]
    tasks = tasks or list(reader.tasks.values())  # one without a track is no video, beside others
    return [task.clip(tuple(reader.names), len(tasks) == 1) for task in tasks]


class _Reader:
    """Takes the elements of the file in their order.

    Attributes:
        names: class ids by name.
        tasks: by the ids that tracks have; of a file of one task, which have none, by "".
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[str, int] = {}
        self.tasks: dict[str, _Task] = {}
        self.task: _Task | None = None  # of the track that is being read
        self.in_meta = False

    def take(self, event: str, element: ElementTree.Element) -> None:
        if event == "start":
            self.in_meta |= element.tag == "meta"
            if element.tag == "track":
                label = element.get("label", "").strip()
                number = int(element.get("id", "x"))
                shown: dict[str, Any] = {"frames": set(), "until": None}
                self.task = self._task(element.get("task_id", ""))
                self.task.track = {"id": number, "class": self._class(label), **shown}
            elif element.tag == "image" and not self.in_meta:
                raise ValueError("it is of images, not of tracks")
            return
        if element.tag == "meta":
            self._meta(element)
            self.in_meta = False
            element.clear()
        elif element.tag == "track":
            self.task = None
            element.clear()
        elif self.task is not None and element.get("frame") is not None:
            self.task.take(element)
            element.clear()

    def _meta(self, meta: ElementTree.Element) -> None:
        for label in meta.iter("label"):
            name = label.findtext("name")
            if name and label.find("parent") is None:
                self._class(name.strip())
        listed = list(meta.iterfind("project/tasks/task"))
        for task in listed:
            self.tasks[task.findtext("id", "").strip()] = _Task(self.path, task, task)
        if len(listed) < 2:  # nothing can be another task's
            whole = next(iter([*listed, *meta.iter("task"), *meta.iter("job")]), meta)
            self.tasks = {"": _Task(self.path, whole, meta)}

    def _task(self, key: str) -> _Task:
        if len(self.tasks) == 1 and "" in self.tasks:
            return self.tasks[""]
        nothing = ElementTree.Element("task")
        return self.tasks.setdefault(key, _Task(self.path, nothing, nothing))

    def _class(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))


class _Task:
    """The tracks of one video.

    Args:
        path: of the file.
        head: what the file's head says of the task. around: where its frames' size is said.
    """

    def __init__(self, path: Path, head: ElementTree.Element, around: ElementTree.Element) -> None:
        self.path = path
        self.name, self.count = (head.findtext(key, "").strip() for key in ("name", "size"))
        sides = next(around.iter("original_size"), around)
        self.size = (int(sides.findtext("width") or 0), int(sides.findtext("height") or 0))
        self.track: dict[str, Any] = {}
        self.frames: defaultdict[int, list[Thing]] = defaultdict(list)
        self.left: dict[str, int] = defaultdict(int)
        self.total, self.broken, self.first = 0, 0, ""
        self.last = -1
        self.unlisted = 0
        said = re.search(r"step\s*=\s*(\d+)", around.findtext(".//frame_filter", ""))
        self.step = max(1, int(said[1])) if said else 1  # of the frames that the task takes

    def take(self, element: ElementTree.Element) -> None:
        """A shape of ``track``."""
        frame = int(element.attrib["frame"])
        if frame < 0:
            raise ValueError(f"a shape of track {self.track['id']} is in frame {frame}")
        self.last = max(self.last, frame)
        until, self.track["until"] = self.track["until"], frame
        if element.get("outside") == "1":
            self.track["until"] = None
            return
        if until is not None and frame > until + self.step:
            self.unlisted += (frame - until - 1) // self.step
        if element.tag not in ("box", "polygon", "mask"):
            self.left[element.tag] += 1
            return
        if frame in self.track["frames"]:
            raise ValueError(f"track {self.track['id']} has two shapes in frame {frame}")
        self.total += 1
        try:
            thing = self._thing(element)
        except _ODD as error:
            self.broken += 1
            self.first = self.first or (
                f"{element.tag} of track {self.track['id']} in frame {frame}: {error}"
            )
            return
        self.track["frames"].add(frame)
        self.frames[frame].append(thing)

    def _thing(self, element: ElementTree.Element) -> Thing:
        kept: dict[str, Any] = {"track_id": self.track["id"]}
        for attribute in element.iter("attribute"):
            if attribute.get("name") == "score" and attribute.text:
                kept["score"] = float(attribute.text)
        if element.tag == "box":
            x, y, u, v = (float(element.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
            degrees = float(element.get("rotation") or 0)
            if not (-MAX_SIDE < x <= u < MAX_SIDE and -MAX_SIDE < y <= v < MAX_SIDE):
                raise ValueError(f"a box from {x:g}, {y:g} to {u:g}, {v:g}")
            if not degrees:
                return Thing(self.track["class"], (x, y, u, v), **kept)
            points = np.array([[x, y], [u, y], [u, v], [x, v]])
            points = turned(points, points.mean(axis=0), degrees)
        elif element.tag == "polygon":
            pairs = [pair.split(",") for pair in element.attrib["points"].split(";")]
            points = np.array([[float(x), float(y)] for x, y in pairs])
        if element.tag != "mask":
            if len(points) < 3 or not (np.abs(points) < MAX_SIDE).all():
                raise ValueError(f"{len(points)} points, to {np.abs(points).max():g}")
            (x, y), (u, v) = points.min(0).tolist(), points.max(0).tolist()
            return Thing(self.track["class"], (x, y, u, v), (points,), **kept)
        counts = self._mask(element)
        x, y, u, v = rle.mask_box(rle.run_lengths(counts), self.size[1])
        box = (float(x), float(y), float(u), float(v))
        return Thing(self.track["class"], box, rle=counts, **kept)

    def _mask(self, element: ElementTree.Element) -> bytes:
        x, y, w, h = (int(float(element.attrib[k])) for k in ("left", "top", "width", "height"))
        runs = [int(run) for run in element.attrib["rle"].split(",")]
        if w < 1 or h < 1 or sum(runs) != w * h or min(runs) < 0:
            raise ValueError(f"its mask covers {sum(runs)} pixels, its box has {w * h}")
        if x < 0 or y < 0 or x + w > self.size[0] or y + h > self.size[1]:
            raise ValueError("its mask reaches out of the frame")
        pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(h, w)
        return rle.encode_box(pixels, self.size[1], self.size[0], (x, y))

    def clip(self, names: tuple[str, ...], alone: bool) -> TrackedClip:
        """All of it; pictures are looked for where the task is ``alone`` in the file."""
        if self.broken > max(1, self.total / 20) or (self.broken and self.broken == self.total):
            raise DataError(
                f"{self.path}: {self.broken} of {self.total} shapes cannot be read; the first is a "
                f"{self.first}; mend them, only up to one in 20 is left out"
            )
        notes = [f"{n} shapes of type {kind} are left out" for kind, n in self.left.items()]
        if self.broken:
            notes.append(f"{self.broken} shapes that cannot be read are left out, a {self.first}")
        if self.step > 1:
            notes.append(f"the task has one of {self.step} frames of its video (step={self.step})")
        if self.unlisted:
            notes.append(
                f"{self.unlisted} frames between shapes of a track are not listed and stay empty, "
                "where CVAT would interpolate; its own exports list every frame"
            )
        count = int(self.count or 0)
        name = self.name or self.path.parent.name
        clip = Clip(name, *self.size, 0.0, max(count, self.last + 1))
        images = self.path.parent / "images"
        files = {
            int(file.stem.rsplit("_", 1)[-1]): file
            for file in (images.glob("frame_*") if alone else ())
            if file.stem.rsplit("_", 1)[-1].isdecimal()
        }
        return TrackedClip(clip, self.frames, names, files=files, notes=tuple(notes))
