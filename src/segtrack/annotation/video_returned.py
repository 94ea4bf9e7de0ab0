"""Trajectories that came back from people, by the names and classes with which they were sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from segtrack.annotation.video_outlines import OutlineTrack


@dataclass
class ReturnedVideos:
    """What came back of one review of videos.

    Attributes:
        names: of the project's files that came back.
        read: the trajectories of one of them; those of a file are in memory while it is looked at.
        unknown: file names that came back, but were not sent.
        statuses: number of files that did not come back, by the platform's word for their status.
        remarks: a line for each outline or trajectory that was cut or left out; complete for the
            files that were read.
    """

    names: set[str]
    read: Callable[[str], list[OutlineTrack]]
    unknown: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
