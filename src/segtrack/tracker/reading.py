"""The reader of results.json 2.0; ``results`` is its writer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.base.errors import DataError
from segtrack.tracker.results import validate_results
from segtrack.tracker.tracks import TrackRows


@dataclass(frozen=True)
class Results:
    """What a results.json says.

    Attributes:
        video, tracker, run: as in the file; model: likewise, or None.
        names: class names by ``class_id``, of the model or of the objects.
        frames: the frames that have objects, ascending. times: of these, in seconds.
    """

    video: dict[str, Any]
    model: dict[str, Any] | None
    tracker: dict[str, Any]
    run: dict[str, Any]
    names: dict[int, str]
    frames: tuple[TrackRows, ...]
    times: dict[int, float]


def read_results(path: Path) -> Results:
    """Read a results.json and check it against the schema.

    Raises:
        DataError: it does not follow the schema, an id comes twice in a frame, a number is beyond
            all videos, or a mask has another size than the video; with path, place and value.
    """
    document = validate_results(path)
    video = document["video"]
    names: dict[int, str] = {}
    if document["model"] is not None:
        names = {int(i): name for i, name in document["model"]["classes"].items()}
    by_frame: dict[int, list[dict[str, Any]]] = {}
    seen: set[tuple[int, int]] = set()
    for number, one in enumerate(document["objects"]):
        key = (one["frame"], one["track_id"])
        mask = one["segmentation"]
        if key in seen:
            problem = f"track_id {key[1]} is there twice in frame {key[0]}"
            raise DataError(f"{path}: at $.objects[{number}]: {problem}")
        try:
            if mask is not None:
                rle.compressed(mask, video["width"], video["height"])
        except ValueError as error:
            raise DataError(f"{path}: at $.objects[{number}]: {error}") from error
        seen.add(key)
        names.setdefault(one["class_id"], one["class_name"])
        by_frame.setdefault(one["frame"], []).append(one)
    try:
        frames = tuple(_rows(frame, by_frame[frame]) for frame in sorted(by_frame))
    except OverflowError as error:
        raise DataError(f"{path}: an id is beyond all numbers ({error})") from error
    times = {frame: float(by_frame[frame][0]["time_s"]) for frame in by_frame}
    shared = (video, document["model"], document["tracker"], document["run"])
    return Results(*shared, names, frames, times)


def _rows(frame: int, objects: list[dict[str, Any]]) -> TrackRows:
    objects = sorted(objects, key=lambda one: int(one["track_id"]))
    masks = [one["segmentation"] for one in objects]
    return TrackRows(
        frame,
        np.array([one["track_id"] for one in objects], np.int64),
        np.array([one["class_id"] for one in objects], np.int16),
        np.array([one["score"] for one in objects], np.float32),
        np.array([one["bbox_xyxy"] for one in objects], np.float32).reshape(-1, 4),
        [None if mask is None else mask["counts"].encode("ascii") for mask in masks],
        np.array([one["interpolated"] for one in objects], bool),
        np.array([one["tracker_bbox_xyxy"] for one in objects], np.float32).reshape(-1, 4),
    )
