"""A video or an image sequence as tracking input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sequence:
    """One video to track in.

    Attributes:
        name: the video's stem or the sequence's folder name, unique within a run.
        path: the video file, or the folder that holds the frames; None for a sequence of which only
            detections and ground truth are there.
        sha256: digest of the file, or of the digests of the frames.
        width, height: pixels; fps: frames per second; frame_count: as declared by the container
            (0 where it does not say).
        gt: ground truth file, or None. gt_format: mot15 | mot17 | kitti_mots | None.
        mots: file with mask ground truth (KITTI-MOTS rows), or None.
        det: file with detections that the data set brought along, or None.
        role: tuning | test | None: what the sequence may be used for in a sweep.
    """

    name: str
    path: Path | None
    sha256: str
    width: int
    height: int
    fps: float
    frame_count: int
    gt: Path | None = None
    gt_format: str | None = None
    mots: Path | None = None
    det: Path | None = None
    role: str | None = None
