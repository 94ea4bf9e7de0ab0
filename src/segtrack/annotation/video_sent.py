"""Tracked videos that were sent to be reviewed, as a folder on disk.

videos.json   the project and what was sent
NAME.json     the outlines of each trajectory, as they were sent
NAME/         the trajectories of the tracker, whose scores a review says
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.annotation.video_outlines import OutlineTrack
from segtrack.base.atomic import write_whole
from segtrack.base.errors import DataError
from segtrack.tracker import Tracks

FILE = "videos.json"


@dataclass(frozen=True)
class SentVideo:
    """A video under review.

    Attributes:
        name: of the sequence; file_name: the project's name of it. file_id: the project's id.
        path, sha256: of the file that was sent.
        width, height: px. fps: frames per second, on average. frame_count: that were tracked.
        every: 1 where the outlines of all frames were sent; n where of those only whose number n
            divides, and of the ends of each trajectory.
        track_ids: the tracker's, of each trajectory in the order of ``file``.
        file: name of the file of outlines. tracks: name of the folder of trajectories.
    """

    name: str
    file_name: str
    file_id: str
    path: str
    sha256: str
    width: int
    height: int
    fps: float
    frame_count: int
    every: int
    track_ids: tuple[int, ...]
    file: str
    tracks: str


@dataclass(frozen=True)
class SentVideos:
    """What was sent to be reviewed; ``folder`` holds it.

    Attributes:
        name: the data set's, which the project's begins with.
        names: class names by class id. questions: id of each class's question on the platform.
    """

    folder: Path
    project_id: str
    project_name: str
    name: str
    names: tuple[str, ...]
    questions: Mapping[str, str]
    videos: tuple[SentVideo, ...]

    @staticmethod
    def load(folder: Path) -> SentVideos:
        """Open a folder that ``review_videos`` made.

        Raises:
            DataError: it holds no review of videos.
        """
        path = folder / FILE
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            videos = tuple(
                SentVideo(**{**one, "track_ids": tuple(one["track_ids"])}) for one in raw["videos"]
            )
            found = {**raw, "names": tuple(raw["names"]), "videos": videos}
            return SentVideos(folder=folder, **found)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{path}: no videos were sent for review from here ({error}); give "
                "stages=[track,review] again, which sends nothing twice"
            ) from error

    def save(self) -> None:
        """Write ``videos.json``, whole or not at all."""
        raw = {key: value for key, value in asdict(self).items() if key != "folder"}
        write_whole(self.folder / FILE, json.dumps(raw, indent=1))

    def tracks(self, video: SentVideo) -> Tracks:
        """The trajectories of the tracker.

        Raises:
            DataError: they are not there.
        """
        return Tracks.load(self.folder / video.tracks)


def sent_tracks(sent: SentVideos, video: SentVideo) -> list[OutlineTrack]:
    """The trajectories of a video as they were sent, with the tracker's ids.

    Raises:
        DataError: the file is damaged.
    """
    path = sent.folder / video.file
    try:
        (value,) = json.loads(path.read_text(encoding="utf-8"))
        found = [
            (annotation["question_name"], track)
            for annotation in value["annotations"]
            for track in annotation["answer"]
        ]
        return [
            OutlineTrack(
                track_id,
                name,
                {
                    int(frame): np.array([[p["x"], p["y"]] for p in entry["answer"]], np.float64)
                    for frame, entry in track["frames"].items()
                },
            )
            for track_id, (name, track) in zip(video.track_ids, found, strict=True)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: damaged or missing ({error}): give the command with stages=[track,review] "
            "again, which writes it anew and sends nothing twice."
        ) from error
