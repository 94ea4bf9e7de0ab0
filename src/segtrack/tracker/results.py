"""``results.json`` 2.0 and the text formats beside it, written object by object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.atomic import replacing
from segtrack.base.errors import DataError
from segtrack.base.json_stream import read_whole
from segtrack.dataset import VideoSequence
from segtrack.model import PredictionsInfo
from segtrack.tracker.motfiles import mot_lines, mots_ids, mots_lines
from segtrack.tracker.tracks import TrackRows, Tracks, TracksInfo, TrackSummary

SCHEMA_VERSION = "2.0"
RUN_KEYS = ("mlflow_run_id", "config_hash", "git_commit", "created_at")


def write_results(
    tracks: Tracks,
    sequence: VideoSequence,
    predictions_info: PredictionsInfo,
    tracker: dict[str, Any],
    run: dict[str, Any],
    folder: Path,
) -> None:
    """Write ``results.json``, ``mot.txt`` and ``mots.txt`` into ``folder``, memory flat.

    ``bbox_xyxy`` is the detection's own box, clipped to the frame as ``yolo track`` does;
    ``tracker_bbox_xyxy`` and mot.txt have the tracker's estimate as it is. ``mots.txt`` holds the
    objects that have masks.

    Args:
        tracks: the trajectories.
        sequence: the video; names it in the file.
        predictions_info: says which model was used; without a ``model_name`` the detections were
            brought along and ``model`` is null.
        tracker: every resolved setting, its ``name`` among them (``tracks.info.tracker``).
        run: mlflow_run_id, config_hash, git_commit, created_at; None where there is none.

    Raises:
        StageError: a file could not be written; none is left half-written.
    """
    info = tracks.info
    ids = mots_ids(tracks.summary())
    with ExitStack() as stack:
        mots = stack.enter_context(replacing(folder / "mots.txt")) if ids is not None else None
        mot = stack.enter_context(replacing(folder / "mot.txt"))
        results = stack.enter_context(replacing(folder / "results.json"))
        results.write(_head(info, sequence, predictions_info, tracker, run))
        between, times = "", tracks.times
        for rows in tracks.frames():
            for line in object_lines(rows, info, times.seconds(rows.frame)):
                results.write(between + line)
                between = ",\n"
            mot.writelines(mot_lines(rows))
            if mots is not None and ids is not None:
                mots.writelines(mots_lines(rows, ids, info.height, info.width))
        results.write('\n],\n"tracks": [\n')
        results.write(",\n".join(track_line(track, info) for track in tracks.summary()))
        results.write("\n]\n}\n")


def validate_results(path: Path) -> dict[str, Any]:
    """Check a results.json against the schema in this package, and return what it holds.

    Raises:
        DataError: it is not one; says where and why.
    """
    import jsonschema

    try:
        document: dict[str, Any] = read_whole(path)
        problem = jsonschema.exceptions.best_match(
            jsonschema.Draft202012Validator(results_schema()).iter_errors(document)
        )
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from error
    if problem is not None:
        raise DataError(
            f"{path}: not a results.json {SCHEMA_VERSION}: at {problem.json_path}: "
            f"{problem.message:.300}"
        )
    return document


def results_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of results.json 2.0."""
    text = resources.files(__package__).joinpath("results.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _head(
    info: TracksInfo,
    sequence: VideoSequence,
    predicted: PredictionsInfo,
    tracker: dict[str, Any],
    run: dict[str, Any],
) -> str:
    """Everything before the first object, a block per line."""
    video = {
        "name": sequence.name,
        "sha256": sequence.sha256,
        "width": info.width or sequence.width,
        "height": info.height or sequence.height,
        "fps": float(info.fps or sequence.fps),
        "frame_count": info.frame_count,  # that were read; a container may declare another number
    }
    return head_text({"video": video}, info.names, predicted, tracker, run)


def head_text(
    first: dict[str, Any],
    names: tuple[str, ...],
    predicted: PredictionsInfo,
    tracker: dict[str, Any],
    run: dict[str, Any],
) -> str:
    """The file up to its first object; ``first`` are blocks behind the version."""
    model = {
        "name": predicted.model_name,
        "weights_sha256": predicted.weights_sha256,
        "imgsz": predicted.imgsz,
        "classes": {str(i): name for i, name in enumerate(names)},
    }
    blocks = {
        "schema_version": SCHEMA_VERSION,
        **first,
        "model": model if predicted.model_name else None,
        "tracker": tracker,
        "run": {key: run[key] for key in RUN_KEYS},
    }
    lines = "".join(f'"{key}": {_json(value)},\n' for key, value in blocks.items())
    return "{\n" + lines + '"objects": [\n'


def object_lines(rows: TrackRows, info: TracksInfo, time_s: float) -> Iterator[str]:
    """The elements of ``objects`` of one frame."""
    names = _quoted(info.names)
    boxes = rows.bbox_xyxy.astype(np.float32)
    if info.width and info.height:
        limits = np.array([info.width, info.height] * 2, np.float32)
        boxes = np.clip(boxes, np.float32(0), limits)
    estimates = rows.tracker_bbox_xyxy.astype(np.float32)
    # str() of a float32 is the shortest text that reads back as the same float32.
    for i, (track_id, class_id) in enumerate(
        zip(rows.track_id.tolist(), rows.class_id.tolist(), strict=True)
    ):
        box, estimate = (", ".join(map(str, one[i])) for one in (boxes, estimates))
        counts = rows.rle[i]
        mask = "null"
        if counts is not None:
            text = _json(counts.decode("ascii"))
            mask = f'{{"size": [{info.height}, {info.width}], "counts": {text}}}'
        yield (
            f'{{"frame": {rows.frame}, "time_s": {time_s}, "track_id": {track_id}, '
            f'"class_id": {class_id}, "class_name": {names[class_id]}, '
            f'"score": {rows.score[i]!s}, "bbox_xyxy": [{box}], '
            f'"tracker_bbox_xyxy": [{estimate}], '
            f'"interpolated": {"true" if rows.interpolated[i] else "false"}, '
            f'"segmentation": {mask}}}'
        )


@lru_cache(maxsize=8)
def _quoted(names: tuple[str, ...]) -> tuple[str, ...]:
    """Once for all frames: COCO's 80 names took half the time of a frame's lines."""
    return tuple(map(_json, names))


def track_line(track: TrackSummary, info: TracksInfo) -> str:
    """An element of ``tracks``."""
    return _json(
        {
            "track_id": track.track_id,
            "class_id": track.class_id,
            "class_name": info.names[track.class_id],
            "first_frame": track.first_frame,
            "last_frame": track.last_frame,
            "frames_seen": track.frames_seen,
            "mean_score": round(track.mean_score, 6),
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
