"""From the detections of one video to its trajectories."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.base.names import level
from segtrack.base.progress import progress
from segtrack.base.secrets import told_apart
from segtrack.model import FrameDetections, Predictions, PredictionsInfo
from segtrack.settings import TrackerSettings, TracksSettings, plain
from segtrack.tracker.port import TRACKERS, TrackedFrame, Tracker, make_tracker
from segtrack.tracker.postprocess import Settled, Tally, disjoint, interpolated, kept, take
from segtrack.tracker.tracks import (
    FlipsWriter,
    TrackRows,
    Tracks,
    TracksInfo,
    TracksWriter,
    write_info,
)

RAW = "raw"  # folder of what the first pass writes


def associate(
    predictions: Predictions,
    settings: TrackerSettings,
    after: TracksSettings,
    folder: Path,
    report: Report,
    frames: Iterable[np.ndarray] | None = None,
    motion: np.ndarray | None = None,
    device: Any = "auto",
) -> None:
    """Track the detections of one video and write its trajectories into ``folder``.

    Two passes over files keep memory flat. The first writes the rows as the tracker gives them,
    but for those that ``min_area`` and ``max_aspect_ratio`` exclude. The second drops tracks with
    fewer than ``min_length`` of these rows, numbers the others from 1 in the order of their first
    row, gives every row its track's class, which is that of its detections whose scores sum highest
    (one detection that is sure outweighs several that are not), makes the masks of a frame
    disjoint, and fills gaps.

    Args:
        predictions: of one video; frames without detections are given to the tracker too.
        settings: the config group ``tracker``.
        after: the config group ``tracks``: what applies to the rows that the tracker gives.
        folder: gets ``tracks.parquet``, ``tracks.json`` and the predictions' frame times; read them
            with ``Tracks.load``. And ``flips.parquet`` (``read_flips``).
        report: gets ``track/tracks``, ``track/objects`` (rows that were detected),
            ``track/count/<class>`` (tracks of each class that was detected at all),
            ``track/class_flips`` (share of rows whose detection was of another class than the
            track), ``track/interpolated`` (rows filled in, where that is asked for) and
            ``speed/associate_ms`` (per frame, reading the detections and writing the trajectories
            included).
        frames: BGR uint8 (H, W, 3) from frame 0, for trackers that look at the picture
            (``needs_frames``); no more than ``predictions.info.frame_count`` of them are taken.
        motion: float (T, 2, 3), the camera's motion to each frame from the one before
            (``load_motion``).
        device: the setting ``device``, for trackers that compute with a network.

    Raises:
        DataError: ``frames`` or ``motion`` are those of another video: too few, or another size.
    """
    info = predictions.info
    if not TRACKERS.get(settings.name).needs_frames(settings):
        frames = None
    if motion is not None and len(motion) < info.frame_count:
        raise DataError(
            f"the camera's motion is known for {len(motion)} frames, but the predictions in "
            f"{predictions.folder} have {info.frame_count}: they are of different videos"
        )
    tracker = make_tracker(settings, info.fps, info.height, device)
    begin = time.perf_counter()  # after the tracker's library is imported
    raw = folder / RAW
    shutil.rmtree(raw, ignore_errors=True)
    raw.mkdir()
    shared = TracksInfo(
        info.names,
        info.frame_count,
        info.width,
        info.height,
        info.fps,
        resolved(settings, after, info.fps),
        info.truncated,
    )
    tally, detected = _first_pass(predictions, tracker, after, raw, frames, motion)
    settled = tally.settle(after.min_length)
    filled = _second_pass(Tracks(raw, shared), settled, after, folder)
    shutil.rmtree(raw)
    predictions.times.save(folder)
    write_info(folder, shared, settled.tracks)
    elapsed_ms = 1000 * (time.perf_counter() - begin)
    report("track/tracks", len(settled.tracks))
    report("track/objects", settled.rows)
    for class_id in sorted(detected):
        count = sum(track.class_id == class_id for track in settled.tracks)
        report(f"track/count/{level(info.names[class_id])}", count)
    report("track/class_flips", settled.flips / max(settled.rows, 1))
    if after.interpolate:
        report("track/interpolated", filled)
    report("speed/associate_ms", elapsed_ms / max(info.frame_count, 1))


def resolved(settings: TrackerSettings, after: TracksSettings, fps: float) -> dict[str, Any]:
    """Every setting that shapes the trajectories, with what follows from others filled in.

    Those of both groups together, since ``results.json`` says them all under ``tracker``.
    """
    derived = TRACKERS.get(settings.name).derived(settings, fps)
    known: dict[str, Any] = told_apart({**plain(settings), **derived, **plain(after)})
    return known


def _first_pass(
    predictions: Predictions,
    tracker: Tracker,
    after: TracksSettings,
    folder: Path,
    frames: Iterable[np.ndarray] | None,
    motion: np.ndarray | None,
) -> tuple[Tally, set[int]]:
    """Write the rows as the tracker gives them; what the tally says, and classes detected."""
    info = predictions.info
    tally = Tally(len(info.names))
    detected: set[int] = set()
    pictures = None if frames is None else _checked(frames, info)
    every = _every_frame(predictions)
    with TracksWriter(folder / "tracks.parquet") as writer:
        for frame in progress(every, "associate", info.frame_count, "frames"):
            detected.update(frame.class_id.tolist())
            image = None if pictures is None else next(pictures)
            moved = None if motion is None else motion[frame.frame]
            rows = rows_of(frame, tracker.update(frame, image, moved), after)
            writer.add(rows)
            tally.add(rows.frame, rows.track_id, rows.class_id, rows.score)
    return tally, detected


def _second_pass(raw: Tracks, settled: Settled, after: TracksSettings, folder: Path) -> int:
    """Write the rows that stay, and those that fill gaps; how many the latter are."""
    filled = 0
    with (
        FlipsWriter(folder, raw.info.names) as flips,
        TracksWriter(folder / "tracks.parquet") as writer,
    ):
        frames = settled.apply(raw.frames(), flips.add)
        if after.disjoint_masks:
            frames = disjoint(frames, raw.info.height, raw.info.width)
        if after.interpolate:
            frames = interpolated(frames, after.interpolate)
        for rows in frames:
            filled += int(rows.interpolated.sum())
            writer.add(rows)
    return filled


def _checked(frames: Iterable[np.ndarray], info: PredictionsInfo) -> Iterator[np.ndarray]:
    """Images of the size and, at least, the number that the predictions say."""
    count = 0
    for image in frames:
        height, width = image.shape[:2]
        if info.height and (height, width) != (info.height, info.width):
            raise DataError(
                f"frame {count} is {width}x{height} pixels, but the predictions are of a video of "
                f"{info.width}x{info.height}: they are of different videos"
            )
        yield image
        count += 1
    raise DataError(
        f"the video ends after {count} frames, but its predictions have {info.frame_count}: they "
        "are of different videos"
    )


def _every_frame(predictions: Predictions) -> Iterator[FrameDetections]:
    """Frames 0 to ``frame_count`` - 1; one without detections comes as an empty one."""
    number = 0
    for frame in predictions.frames():
        for empty in range(number, frame.frame):
            yield _empty(empty)
        yield frame
        number = frame.frame + 1
    for empty in range(number, predictions.info.frame_count):
        yield _empty(empty)


def _empty(number: int) -> FrameDetections:
    no_box = np.empty((0, 4), np.float32)
    return FrameDetections(number, np.empty(0, np.int16), np.empty(0, np.float32), no_box, [])


def rows_of(frame: FrameDetections, tracked: TrackedFrame, after: TracksSettings) -> TrackRows:
    """The tracks of a frame with their detections, but those that a filter on boxes excludes."""
    rows = TrackRows(
        tracked.frame,
        tracked.track_id,
        tracked.class_id,
        tracked.score,
        frame.bbox_xyxy[tracked.det_index],
        [frame.rle[i] for i in tracked.det_index.tolist()],
        np.zeros(len(tracked), bool),
        tracked.bbox_xyxy,
    )
    stays = kept(rows.tracker_bbox_xyxy, after.min_area, after.max_aspect_ratio)
    return rows if stays.all() else take(rows, np.flatnonzero(stays))
