"""From the detections of one video to its trajectories."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.metrics import Report
from segtrack.model.predictions import FrameDetections, Predictions
from segtrack.progress import progress
from segtrack.settings import TrackerSettings
from segtrack.tracker.trackers import TrackedFrame, Tracker, make_tracker, resolved
from segtrack.tracker.tracks import (
    SCHEMA,
    TrackRows,
    TracksInfo,
    TrackSummary,
    TracksWriter,
    write_info,
)


def associate(
    predictions: Predictions, settings: TrackerSettings, folder: Path, report: Report
) -> None:
    """Track the detections of one video and write its trajectories into ``folder``.

    Two passes over files keep memory flat: the first writes every row as the tracker gives it,
    the second drops tracks shorter than ``settings.min_length`` frames, numbers the others from 1
    in the order of their appearance, and gives every row its track's class, which is the most
    frequent one of its detections (the higher sum of scores where that is a tie).

    Args:
        predictions: of one video; frames without detections are given to the tracker too.
        settings: the config group ``tracker``.
        folder: gets ``tracks.parquet`` and ``tracks.json``; read them with ``Tracks.load``.
        report: gets ``track/tracks``, ``track/objects``, ``track/count/<class>`` (tracks of each
            class that was detected at all) and ``speed/associate_ms`` (per frame, reading the
            detections and writing the trajectories included).
    """
    info = predictions.info
    tracker = make_tracker(settings, info.fps)
    begin = time.perf_counter()  # after the tracker's library is imported
    raw = folder / "tracks.raw.parquet"
    tallies, detected = _first_pass(predictions, tracker, raw)
    tracks = _second_pass(raw, tallies, settings.min_length, folder / "tracks.parquet")
    raw.unlink()
    write_info(
        folder,
        TracksInfo(
            info.names,
            info.frame_count,
            info.width,
            info.height,
            info.fps,
            resolved(settings, info.fps),
            info.truncated,
        ),
        tracks,
    )
    elapsed_ms = 1000 * (time.perf_counter() - begin)
    report("track/tracks", len(tracks))
    report("track/objects", sum(track.frames_seen for track in tracks))
    for class_id in sorted(detected):
        count = sum(track.class_id == class_id for track in tracks)
        report(f"track/count/{info.names[class_id]}", count)
    report("speed/associate_ms", elapsed_ms / max(info.frame_count, 1))


@dataclass
class _Tally:
    """What is known of a track while it grows; ``votes`` are rows and sum of scores by class."""

    first_frame: int
    last_frame: int = 0
    frames_seen: int = 0
    score_sum: float = 0.0
    votes: dict[int, tuple[int, float]] = field(default_factory=dict)

    def add(self, frame: int, class_id: int, score: float) -> None:
        self.last_frame = frame
        self.frames_seen += 1
        self.score_sum += score
        rows, total = self.votes.get(class_id, (0, 0.0))
        self.votes[class_id] = (rows + 1, total + score)

    def class_id(self) -> int:
        return max(self.votes, key=lambda class_id: (self.votes[class_id], -class_id))


def _first_pass(
    predictions: Predictions, tracker: Tracker, path: Path
) -> tuple[dict[int, _Tally], set[int]]:
    """Write every row as the tracker gives it; tallies by the tracker's id, classes detected."""
    info = predictions.info
    tallies: dict[int, _Tally] = {}
    detected: set[int] = set()
    with TracksWriter(path) as writer:
        for frame in progress(_every_frame(predictions), "associate", info.frame_count):
            detected.update(frame.class_id.tolist())
            tracked = tracker.update(frame)
            writer.add(_track_rows(frame, tracked))
            for track_id, class_id, score in zip(
                tracked.track_id.tolist(),
                tracked.class_id.tolist(),
                tracked.score.tolist(),
                strict=True,
            ):
                tally = tallies.setdefault(track_id, _Tally(frame.frame))
                tally.add(frame.frame, class_id, score)
    return tallies, detected


def _second_pass(
    raw: Path, tallies: dict[int, _Tally], min_length: int, path: Path
) -> list[TrackSummary]:
    """Drop short tracks, renumber, and settle each track's class."""
    largest = max(tallies, default=0)
    new_id = np.zeros(largest + 1, np.int64)  # 0: dropped
    new_class = np.zeros(largest + 1, np.int16)
    tracks: list[TrackSummary] = []
    for track_id, tally in sorted(tallies.items()):
        if tally.frames_seen < min_length:
            continue
        new_id[track_id] = len(tracks) + 1
        new_class[track_id] = tally.class_id()
        tracks.append(
            TrackSummary(
                len(tracks) + 1,
                int(new_class[track_id]),
                tally.first_frame,
                tally.last_frame,
                tally.frames_seen,
                tally.score_sum / tally.frames_seen,
            )
        )
    with pq.ParquetFile(raw) as source, pq.ParquetWriter(path, SCHEMA, compression="zstd") as out:
        for group in range(source.num_row_groups):
            table = source.read_row_group(group)
            old = table["track_id"].to_numpy()
            table = table.set_column(1, SCHEMA.field(1), pa.array(new_id[old]))
            table = table.set_column(2, SCHEMA.field(2), pa.array(new_class[old]))
            table = table.filter(new_id[old] > 0)
            if len(table):
                out.write_table(table)
    return tracks


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


def _track_rows(frame: FrameDetections, tracked: TrackedFrame) -> TrackRows:
    return TrackRows(
        tracked.frame,
        tracked.track_id,
        tracked.class_id,
        tracked.score,
        tracked.bbox_xyxy,
        [frame.rle[i] for i in tracked.det_index.tolist()],
        np.zeros(len(tracked), bool),
    )
