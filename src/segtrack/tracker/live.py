"""Tracking while frames arrive: results and video are whole files at every moment.

``results.json`` grows by objects; what follows them in the file, tracks and video, is written
anew behind them each time. The annotated video is made of fragments. So what was seen is there
after a lost connection, a full disk or a kill.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from segtrack.base.progress import progress
from segtrack.model import Detector, FrameDetections, PredictionsInfo, RawDetections
from segtrack.settings import TrackerSettings, TracksSettings
from segtrack.tracker.association import resolved, rows_of
from segtrack.tracker.motfiles import mot_lines
from segtrack.tracker.motion import CameraFollower
from segtrack.tracker.port import TRACKERS, make_tracker
from segtrack.tracker.postprocess import Tally
from segtrack.tracker.results import head_text, object_lines, track_line
from segtrack.tracker.tracks import TrackRows, TracksInfo

WARM_UP = 5  # frames from whose pace the tracker's frame rate is known
FLUSH_S, WORTH = 1.0, 20  # between two states of results.json: seconds, and times what one costs
TICK = Fraction(1, 90_000)
VIDEO = "annotated.mp4"
NO_FILE = "0" * 64  # in place of the digest of a video's bytes, which a stream does not keep


class Frame(Protocol):
    """BGR uint8 (H, W, 3), and seconds since the first frame."""

    @property
    def image(self) -> np.ndarray: ...

    @property
    def time_s(self) -> float: ...


@dataclass(frozen=True)
class LiveVideo:
    """What is tracked in: a name, size in px, and frames per second that it declares."""

    name: str
    width: int
    height: int
    fps: float


@dataclass(frozen=True)
class LiveTracker:
    """How it is tracked.

    Attributes:
        detector: predicts one frame at a time. predicted: names the network in the results.
        trail: frames of path in the annotated video; None draws none.
        device: the setting ``device``, for trackers that compute with a network.
    """

    detector: Detector
    predicted: PredictionsInfo
    settings: TrackerSettings
    after: TracksSettings
    trail: int | None
    device: Any = "auto"


@dataclass(frozen=True)
class LiveSummary:
    """What came of it: frames, seconds from the first to the last, objects, tracks by class, and
    how many detections were left out, by the weights' name of their class."""

    frames: int
    seconds: float
    objects: int
    tracks: dict[str, int]
    left_out: dict[str, int]


def track_live(
    video: LiveVideo,
    frames: Iterable[Frame],
    how: LiveTracker,
    run: dict[str, Any],
    folder: Path,
    stop: Callable[[float], bool],
) -> LiveSummary:
    """Track until the frames end or ``stop`` says so.

    An object's class is that of its track so far. The tracker's frame rate is that of the first
    frames as they are really worked on, since it counts frames that it sees.

    Args:
        run: as for ``write_results``.
        folder: gets ``results.json``, ``mot.txt`` and ``annotated.mp4``.
        stop: is asked after each frame, with its seconds.
    """
    session: _Session | None = None
    waiting: list[tuple[Frame, RawDetections]] = []
    begin = 0.0
    try:
        for frame in progress(frames, "live", None, "frames"):
            (found,) = how.detector.predict([how.detector.prepare(frame.image)])
            waiting.append((frame, found))
            begin = begin or time.monotonic()  # the first one warms the network up
            over = stop(frame.time_s)
            if session is None and len(waiting) > WARM_UP:
                pace = WARM_UP / max(time.monotonic() - begin, 1e-3)
                fps = round(min(video.fps, max(pace, 0.1)), 3)
                session = _Session(video, how, run, folder, fps)
            if session is not None:
                session.take(waiting)
            if over:
                break
        if session is None:
            session = _Session(video, how, run, folder, video.fps)
            session.take(waiting)
    finally:
        if session is not None:
            session.close()
    return session.summary()


class _Session:
    """The tracker of one stream and the files that it fills."""

    def __init__(
        self, video: LiveVideo, how: LiveTracker, run: dict[str, Any], folder: Path, fps: float
    ) -> None:
        from segtrack.tracker.painter import Painter
        from segtrack.tracker.video import Encoder

        names = how.predicted.names
        settings = resolved(how.settings, how.after, fps)
        info = TracksInfo(names, 0, video.width, video.height, fps, settings)
        kind = TRACKERS.get(how.settings.name)
        self.after, self.info = how.after, info
        self.tracker = make_tracker(how.settings, fps, video.height, how.device)
        self.follower = CameraFollower() if kind.needs_motion(how.settings) else None
        self.tally, self.frames, self.seconds = Tally(len(names)), 0, 0.0
        self.left_out = Counter[str]()
        self.results = LiveResults(folder, video.name, info, how.predicted, run, self.tally)
        self.painter: Painter | None = None
        if how.trail is not None:
            self.painter = Painter(video.width, video.height, names, how.trail)
            self.encoder = Encoder(folder / VIDEO, self.painter.size, fps, TICK, live=True)

    def take(self, waiting: list[tuple[Frame, RawDetections]]) -> None:
        """Track in frames that were predicted, and forget them."""
        for frame, found in waiting:
            decoded = found.decode(self.frames)
            self.left_out.update(decoded.left_out)
            rows = self._rows(frame, decoded)
            self.frames, self.seconds = self.frames + 1, frame.time_s
            self.results.add(rows, self.frames, frame.time_s)
            if self.painter is not None:
                shown = self.painter.paint(frame.image, rows if len(rows) else None)
                self.encoder.add(shown, frame.time_s)
        waiting.clear()

    def _rows(self, frame: Frame, found: FrameDetections) -> TrackRows:
        moved = None
        if self.follower is not None:
            affine = self.follower.step(frame.image)
            moved = np.eye(2, 3) if affine is None else affine
        rows = rows_of(found, self.tracker.update(found, frame.image, moved), self.after)
        self.tally.add(rows.frame, rows.track_id, rows.class_id, rows.score)
        if len(rows):
            rows = replace(rows, class_id=self.tally.classes(rows.track_id).astype(np.int16))
        if self.after.disjoint_masks:
            rows = replace(rows, rle=rows.disjoint_masks(self.info.height, self.info.width))
        return rows

    def close(self) -> None:
        """End the files."""
        try:
            self.results.close()
        finally:
            if self.painter is not None:
                self.encoder.close()

    def summary(self) -> LiveSummary:
        """What came of it."""
        settled = self.tally.settle(1)
        tracks = Counter(self.info.names[track.class_id] for track in settled.tracks)
        counts = dict(tracks), dict(self.left_out)
        return LiveSummary(self.frames, self.seconds, settled.rows, *counts)


class LiveResults:
    """``results.json`` and ``mot.txt`` that are whole at every moment."""

    def __init__(
        self,
        folder: Path,
        name: str,
        info: TracksInfo,
        predicted: PredictionsInfo,
        run: dict[str, Any],
        tally: Tally,
    ) -> None:
        """Begin the files in ``folder``; ``tally`` knows the tracks."""
        self._name, self._info, self._tally = name, info, tally
        self._frames, self._seconds = 0, 0.0
        self._lines: list[str] = []
        self._begun = False
        self._due, self._ending = 0.0, b""
        self._mot = (folder / "mot.txt").open("w", encoding="utf-8")
        self._file = (folder / "results.json").open("wb", buffering=0)
        head = head_text({}, info.names, predicted, info.tracker, run).encode()
        self._file.write(head)
        self._end = len(head)  # of the last object
        self._flush()

    def add(self, rows: TrackRows, frames: int, time_s: float) -> None:
        """The objects of a frame, which is the ``frames``-th."""
        self._frames, self._seconds = frames, time_s
        self._lines.extend(object_lines(rows, self._info, time_s))
        self._mot.writelines(mot_lines(rows))
        if time.monotonic() > self._due:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        try:
            self._flush()
        finally:
            self._file.close()
            self._mot.close()

    def _flush(self) -> None:
        """Objects in place of what followed the ones before, and that behind them.

        Where they do not fit, the file becomes again what it was.
        """
        begin = time.monotonic()
        between = ",\n" if self._begun and self._lines else ""
        objects = (between + ",\n".join(self._lines)).encode()
        tail = self._tail().encode()
        try:
            self._write(objects + tail)
        except OSError:
            self._write(self._ending)
            raise
        self._end += len(objects)
        self._ending = tail
        self._begun = self._begun or bool(self._lines)
        self._lines.clear()
        self._mot.flush()
        # The ending has every track: a long stream writes it less often, not ever more of the time.
        self._due = time.monotonic() + max(FLUSH_S, WORTH * (time.monotonic() - begin))

    def _write(self, text: bytes) -> None:
        """``text`` from the end of the objects on, and nothing behind it."""
        self._file.seek(self._end)
        done = 0
        while done < len(text):
            done += self._file.write(text[done:]) or 0
        self._file.truncate()

    def _tail(self) -> str:
        tracks = ",\n".join(track_line(one, self._info) for one in self._tally.settle(1).tracks)
        video = {
            "name": self._name,
            "sha256": NO_FILE,
            "width": self._info.width,
            "height": self._info.height,
            "fps": self._info.fps,
            "frame_count": self._frames,
        }
        return f'\n],\n"tracks": [\n{tracks}\n],\n"video": {json.dumps(video)}\n}}\n'
