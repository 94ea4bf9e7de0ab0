"""The platform's export of a review of videos.

No sample of the trajectories that Labellerr returns is public. The loopback platform returns them
in the form that Labellerr takes (see ``video_json``), with its own ids of files, questions and
answers added; this is what is read here. Whatever else comes is refused, and nothing guessed.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from segtrack.annotation.labellerr.checks import match_file_names
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.video_json import FORMAT
from segtrack.annotation.video_outlines import OutlineTrack
from segtrack.annotation.video_returned import ReturnedVideos
from segtrack.annotation.video_sent import SentVideo, SentVideos
from segtrack.base.errors import DataError, NothingToExport
from segtrack.base.frame_times import FrameTimes
from segtrack.base.polygons import Polygon
from segtrack.dataset import clip, signed_area

_SMALLEST = 0.01  # px²: less is a line or a point
_OUTSIDE = 1.0  # px by which rounding may put a point outside of the frame
_RATE = 0.01  # share by which two rates may differ and be called the same
_CHUNK = 1 << 22


@contextmanager
def pull_videos(session: Session, sent: SentVideos, scratch: Path) -> Iterator[ReturnedVideos]:
    """Export what was reviewed of ``sent``; see ``AnnotationPlatform.pull_videos``."""
    platform, settings = session.platform, session.settings
    statuses = list(settings.statuses)
    project = platform.project(sent.project_id)
    files = {f.file_name: f.status for f in platform.project_files(sent.project_id)}
    try:
        report_id = platform.start_export(
            sent.project_id, "segtrack videos", statuses, format=FORMAT
        )
    except NothingToExport as error:
        waiting = _counted(files)
        raise NothingToExport(
            f"project {sent.project_id}: of {len(files)} videos none has one of the statuses "
            f"{', '.join(statuses)} ({waiting})",
            error.status,
        ) from error
    platform.wait_export(sent.project_id, report_id, settings.timeout)
    raw = scratch / "export.json"
    try:
        platform.download_export(sent.project_id, report_id, raw)
        questions = platform.template(project.template_id).questions
        yield read_videos(raw, sent, questions, files)
    finally:
        raw.unlink(missing_ok=True)  # it names the people who worked on it


def read_videos(
    path: Path,
    sent: SentVideos,
    questions: tuple[Question, ...],
    files: Mapping[str, str] | None = None,
) -> ReturnedVideos:
    """Join an export with what was sent: by file id, else by name, whose case may differ.

    Args:
        path: the export, which stays until its trajectories were read.
        questions: of the project's template by now; one may be called otherwise than it was.
        files: status of every file of the project by its name.

    Raises:
        DataError: it is not such a file, has trajectories of a question that is no class, or is of
            frames that were counted otherwise than those that were sent.
    """
    with _told(path):
        return _Export(path, sent, questions, files or {}).returned


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path.name}: the platform's export is not {FORMAT} in the form in which trajectories "
            f"are sent ({type(error).__name__}: {error}); nothing was changed. If Labellerr's own "
            "form is another, please report it with a sample: none is public."
        ) from error


class _Export:
    """An export file: where its videos lie in it, and what they hold."""

    def __init__(
        self,
        path: Path,
        sent: SentVideos,
        questions: tuple[Question, ...],
        files: Mapping[str, str],
    ) -> None:
        self.path, self.sent = path, sent
        self.class_of = _classes(sent, questions)
        self.places: dict[str, int] = {}  # of each video that was sent, in the file
        by_id = {video.file_id: video for video in sent.videos if video.file_id}
        by_name = {video.file_name: video for video in sent.videos}
        self.returned = ReturnedVideos(set(), self.tracks)
        for number, value in enumerate(_values(path)):
            name = value["file_name"]
            video = by_id.get(str(value.get("labellerr_file_id", "")))
            if video is None:
                mended, _ = match_file_names([name], by_name)
                video = by_name.get(mended.get(name, ""))
            if video is None:
                self.returned.unknown.append(name)
                continue
            _require_rate(value, video)
            self.places[video.name] = number
            self.returned.names.add(video.name)
        come = {v.file_name for v in sent.videos if v.name in self.places}
        left = [status for name, status in files.items() if name not in come]
        self.returned.statuses = dict(Counter(left))

    def tracks(self, name: str) -> list[OutlineTrack]:
        """The trajectories of a video by the name of its sequence, in the order of the file."""
        (video,) = (one for one in self.sent.videos if one.name == name)
        with _told(self.path):
            value = next(v for i, v in enumerate(_values(self.path)) if i == self.places[name])
            return list(self._tracks(value, video))

    def _tracks(self, value: Mapping[str, Any], video: SentVideo) -> Iterator[OutlineTrack]:
        times = FrameTimes.load(self.sent.folder / video.tracks, video.fps)
        number = 0
        for annotation in value["annotations"]:
            question = annotation["question_name"]
            of = str(annotation.get("labellerr_question_id", ""))
            name = self.class_of.get(of) or self.class_of.get(question)
            if name is None:
                count = len(annotation["answer"])
                self._remark(f"{video.file_name}: {count} tracks of {question!r}, no class")
                continue
            for track in annotation["answer"]:
                outlines = self._outlines(track, video, times)
                if outlines:
                    yield OutlineTrack(number, name, outlines)
                number += 1

    def _outlines(
        self, track: Mapping[str, Any], video: SentVideo, times: FrameTimes
    ) -> dict[int, Polygon]:
        found = {}
        for key, entry in sorted(track["frames"].items(), key=lambda item: int(item[0])):
            frame = int(key)
            where = f"{video.file_name}: frame {frame}"
            if not 0 <= frame < video.frame_count:
                self._remark(f"{where} is none of its {video.frame_count} frames")
                continue
            _require_time(entry, frame, video, times)
            ring = self._ring(entry["answer"], video, where)
            if ring is not None:
                found[frame] = ring
        return found

    def _ring(self, answer: Any, video: SentVideo, where: str) -> Polygon | None:
        """The outline inside of the frame; None, with a remark, where nothing is left."""
        if isinstance(answer, Mapping):
            x1, y1, x2, y2 = (float(answer[key]) for key in ("xmin", "ymin", "xmax", "ymax"))
            points = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)
        else:
            points = np.array([[point["x"], point["y"]] for point in answer], np.float64)
            points = points.reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            self._remark(f"{where} has an outline of {len(points)} usable points")
            return None
        limit = np.array([video.width, video.height]) + _OUTSIDE
        if (points < -_OUTSIDE).any() or (points > limit).any():
            self._remark(f"{where} has an outline that reaches out of it; cut at its border", "")
        if (points < 0).any() or (points > limit - _OUTSIDE).any():
            points = clip(points, (video.width, video.height))
        if len(points) < 3 or abs(signed_area(points)) < _SMALLEST:
            self._remark(f"{where} has an outline without area inside of it")
            return None
        return points

    def _remark(self, text: str, end: str = "; left out") -> None:
        if (line := text + end) not in self.returned.remarks:
            self.returned.remarks.append(line)


def _classes(sent: SentVideos, questions: tuple[Question, ...]) -> dict[str, str]:
    """The class by a question's id and by its text, which may have been changed since."""
    by_id = {question_id: name for name, question_id in sent.questions.items() if question_id}
    texts = {q.name.strip(): by_id.get(q.question_id) for q in questions}
    found = {text: name for text, name in texts.items() if name}
    found |= {q.name: by_id[q.question_id] for q in questions if q.question_id in by_id}
    taken = set(found.values())
    found |= {name: name for name in sent.names if name not in taken and name not in found}
    return {**found, **by_id}


def _require_rate(value: Mapping[str, Any], video: SentVideo) -> None:
    """Frames are numbers on both sides, which says nothing where they are counted otherwise."""
    for annotation in value["annotations"]:
        for track in annotation["answer"]:
            for entry in track["frames"].values():
                fps = entry.get("fps")
                if fps is not None and abs(float(fps) - video.fps) > _RATE * video.fps:
                    raise DataError(
                        f"{video.file_name}: its trajectories came back counted at {fps:g} "
                        f"frames/s, the video was sent with {video.fps:g}; frame numbers would "
                        "mean other moments. Set the project's rate to that of the video."
                    )


def _require_time(
    entry: Mapping[str, Any], frame: int, video: SentVideo, times: FrameTimes
) -> None:
    seconds = entry.get("timestamp")
    if seconds is None or video.fps <= 0 or not math.isfinite(float(seconds)):
        return
    wanted = times.seconds(frame)
    # Half a frame, and the drift of a rate that was rounded.
    if abs(float(seconds) - wanted) > 0.75 / video.fps + _RATE * wanted:
        raise DataError(
            f"{video.file_name}: frame {frame} came back as the one at {float(seconds):g} s, in "
            f"the video that was sent it is at {wanted:g} s: the platform counts frames otherwise. "
            "Set the project's rate to that of the video."
        )


def _counted(files: Mapping[str, str]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for status in files.values():
        counts[status] += 1
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _values(path: Path) -> Iterator[dict[str, Any]]:
    """The videos of an export, one at a time in memory.

    Raises:
        ValueError: not a list of objects in JSON.
    """
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(_CHUNK).lstrip()
        if not text.startswith("["):
            raise ValueError("it is no list of videos")
        text, first = text[1:], True
        while True:
            text = _ahead(file, text)
            if text.startswith("]"):
                return
            if not first:
                if not text.startswith(","):
                    raise ValueError(f"{text[:20]!r} where the next video, or its end, belongs")
                text = _ahead(file, text[1:])
            first = False
            value, text = _decoded(file, decoder, text)
            if not isinstance(value, dict):
                raise ValueError(f"{str(value)[:40]!r} where a video belongs")
            yield value


def _ahead(file: TextIO, text: str) -> str:
    text = text.lstrip()
    while not text:
        more = file.read(_CHUNK)
        if not more:
            raise ValueError("it ends in the middle")
        text = more.lstrip()
    return text


def _decoded(file: TextIO, decoder: json.JSONDecoder, text: str) -> tuple[Any, str]:
    """The value that a text begins with, and what follows; reads on until it is whole."""
    wanted = _CHUNK
    while True:
        try:
            value, end = decoder.raw_decode(text)
            return value, text[end:]
        except json.JSONDecodeError:
            more = file.read(wanted)
            if not more:
                raise
            text += more
            wanted *= 2  # what is read again grows with what is new
