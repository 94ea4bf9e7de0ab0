"""Reading uploaded answers: COCO files of images, video_json of trajectories.

What is taken and what is silently left out follows what was seen of the platform: a file counts as
updated only if at least one answer reached it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labellerr_loopback.behaviour import Quirks
from labellerr_loopback.envelope import ApiError, is_plain
from segtrack.base.json_stream import elements

FARTHEST = 1e7  # px; no image reaches farther
_LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class Answer:
    """``data`` is JSON: a ring [x, y, ...] in px, a box [x, y, w, h], or a track of a video."""

    file_id: str
    question_id: str
    kind: str
    data: str
    score: float | None = None


Take = Callable[[Answer], None]


@dataclass
class Outcome:
    """What a job tells of itself, each name once, in the order of the file.

    Attributes:
        annotations, files: that were taken.
    """

    questions_ignored: list[str] = field(default_factory=list)
    files_not_updated: list[str] = field(default_factory=list)
    annotations: int = 0
    files: int = 0


class ProjectFiles:
    """Looks up files of a project by name; ``hidden`` names are not found, None hides all."""

    def __init__(self, db: sqlite3.Connection, project_id: str, exact: bool) -> None:
        self.hidden: frozenset[str] | None = frozenset()
        self._db, self._project, self._collation = db, project_id, "" if exact else "COLLATE NOCASE"

    def find(self, name: str) -> str | None:
        """The id, or None where no file or more than one has the name."""
        if self.hidden is None or name in self.hidden:
            return None
        query = (
            "SELECT file_id FROM project_files WHERE project_id = ?"
            f" AND file_name = ? {self._collation} LIMIT 2"
        )
        rows = self._db.execute(query, (self._project, name)).fetchall()
        return str(rows[0]["file_id"]) if len(rows) == 1 else None


def check_file(path: Path, answer_format: str) -> None:
    """
    Raises:
        ApiError: 400 where a file is not of the format at all.
    """
    try:
        if answer_format == "video_json":
            _videos(path)
        else:
            _check_coco(path)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"not a {answer_format} file: {error}") from error


def read_answers(
    path: Path,
    answer_format: str,
    questions: list[dict[str, Any]],
    files: ProjectFiles,
    quirks: Quirks,
    take: Take,
) -> Outcome:
    """Hand the answers that reach a file and a question to ``take``; returns what did not."""
    by_name = {_key(q["question"], quirks): q for q in questions}
    if answer_format == "video_json":
        return _read_videos(path, by_name, files, quirks, take)
    return _read_coco(path, by_name, files, quirks, take)


def _key(name: str, quirks: Quirks) -> str:
    return name if quirks.exact_questions else name.strip().casefold()


def _check_coco(path: Path) -> None:
    seen = set()
    for element in elements(path):
        if element.key not in _LISTS:
            continue
        if not element.listed and element.value == []:
            continue  # the beginning of a list
        if not element.listed or not isinstance(element.value, dict):
            raise ValueError(f"line {element.line}: {element.key!r} must be a list of objects")
        seen.add(element.key)
        need = {"images": ("id", "file_name"), "categories": ("id", "name")}
        keys = need.get(element.key, ("image_id", "category_id"))
        if missing := [key for key in keys if key not in element.value]:
            raise ValueError(f"line {element.line}: {element.key!r} without {missing}")
        for key in keys:
            if not isinstance(element.value[key], int | str):
                raise ValueError(f"line {element.line}: {key!r} is neither a number nor a text")
            if not is_plain(element.value[key]):
                raise ValueError(f"line {element.line}: {key!r} has characters that are none")
    if "images" not in seen:
        raise ValueError("no images")


def _read_coco(
    path: Path, by_name: dict[str, dict[str, Any]], files: ProjectFiles, quirks: Quirks, take: Take
) -> Outcome:
    names: dict[Any, str] = {}
    categories: dict[Any, str] = {}
    for element in elements(path):
        if element.key == "images" and element.listed:
            names[element.value["id"]] = str(element.value["file_name"])
        elif element.key == "categories" and element.listed:
            categories[element.value["id"]] = str(element.value["name"])
    ids = {key: files.find(name) for key, name in names.items()}
    ignored: dict[str, None] = {}
    updated, annotated = set(), set()
    for element in elements(path):
        if element.key != "annotations" or not element.listed:
            continue
        value = element.value
        image = value["image_id"]
        annotated.add(image)
        category = categories.get(value["category_id"], str(value["category_id"]))
        question = by_name.get(_key(category, quirks))
        if question is None:
            ignored[category] = None
            continue
        file_id = ids.get(image)
        if file_id is None:
            continue
        score = value.get("score")
        score = float(score) if _is_number(score) else None
        for kind, data in _shapes(value, question["option_type"], quirks):
            updated.add(image)
            take(Answer(file_id, question["question_id"], kind, json.dumps(data), score))
    expected = names if quirks.empty_listed else annotated & names.keys()
    lost = [name for key, name in names.items() if key in expected and key not in updated]
    lost += [f"image_id {key}" for key in annotated - names.keys()]
    return Outcome(list(ignored), list(dict.fromkeys(lost)))


def _shapes(
    value: dict[str, Any], option_type: str, quirks: Quirks
) -> Iterator[tuple[str, list[float]]]:
    """The rings of an annotation, or its box; every ring is an answer of its own."""
    box = _numbers(value.get("bbox"))
    if option_type == "polygon":
        segmentation = value.get("segmentation")
        rings = segmentation if isinstance(segmentation, list) else []
        good = [r for r in map(_numbers, rings) if len(r) >= 6 and not len(r) % 2]
        for ring in good:
            yield "polygon", ring
        if not good and not quirks.boxes_ignored and len(box) == 4:
            x, y, w, h = box
            yield "polygon", [x, y, x + w, y, x + w, y + h, x, y + h]
    elif option_type == "BoundingBox" and len(box) == 4:
        yield "box", box


def _numbers(value: Any) -> list[float]:
    """The value where it is a list of usable numbers, else an empty list."""
    return value if isinstance(value, list) and all(map(_is_number, value)) else []


def _is_number(value: Any) -> bool:
    """NaN is not, since it compares to nothing."""
    return isinstance(value, int | float) and -FARTHEST <= value <= FARTHEST


def _videos(path: Path) -> list[dict[str, Any]]:
    """
    Raises:
        ValueError: not a list of ``{"file_name", "annotations": [{"question_name",
            "question_type", "answer": [{"frames": {}}]}]}``.
    """
    videos = json.loads(path.read_bytes())
    if not isinstance(videos, list) or not is_plain(videos):
        raise ValueError("must be a list of videos in plain JSON")
    for i, video in enumerate(videos):
        annotations = video.get("annotations") if isinstance(video, dict) else None
        if not isinstance(annotations, list) or not isinstance(video.get("file_name"), str):
            raise ValueError(f"video {i} needs file_name and annotations")
        for annotation in annotations:
            tracks = annotation.get("answer") if isinstance(annotation, dict) else None
            named = isinstance(tracks, list) and "question_name" in annotation
            if not named or "question_type" not in annotation:
                text = "an annotation needs question_name, question_type and answer"
                raise ValueError(f"video {video['file_name']!r}: {text}")
            for track in tracks or ():
                check_track(track, video["file_name"])
    return videos


def check_track(track: Any, name: str) -> None:
    """
    Raises:
        ValueError: not ``{"frames": {"3": {"answer": ...}}}``; ``name`` is the video's.
    """
    frames = track.get("frames") if isinstance(track, dict) else None
    if not isinstance(frames, dict) or not frames:
        raise ValueError(f"video {name!r}: a track needs frames")
    for number, frame in frames.items():
        if not number.isdecimal() or not isinstance(frame, dict) or "answer" not in frame:
            raise ValueError(f"video {name!r}: frame {number!r} needs a number and an answer")


def _read_videos(
    path: Path, by_name: dict[str, dict[str, Any]], files: ProjectFiles, quirks: Quirks, take: Take
) -> Outcome:
    ignored: dict[str, None] = {}
    lost: dict[str, None] = {}
    for video in _videos(path):
        file_id = files.find(video["file_name"])
        updated = False
        for annotation in video["annotations"]:
            name = str(annotation["question_name"])
            question = by_name.get(_key(name, quirks))
            if question is None or question["option_type"] != annotation["question_type"]:
                ignored[name] = None
            elif file_id is not None:
                for track in annotation["answer"]:
                    data = json.dumps(track)
                    take(Answer(file_id, question["question_id"], "track", data))
                    updated = True
        if not updated:
            lost[video["file_name"]] = None
    return Outcome(list(ignored), list(lost))
