"""A video or an image sequence as tracking input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class VideoSequence:
    """One video to track in.

    Attributes:
        name: the video's stem or the sequence's folder name, unique within a run.
        path: the video file, or the folder that holds the frames; None for a sequence of which only
            detections and ground truth are there.
        sha256: digest of the file, or of the digests of the frames.
        width, height: pixels; fps: frames per second; frame_count: as declared by the container
            (0 where it does not say).
        gt: ground truth file, or None. gt_format: mot15 | mot17 | mot20 |
            visdrone | kitti | kitti_mots | None.
        mots: file with mask ground truth (KITTI-MOTS rows), or None.
        det: file with detections that the data set brought along, or None.
        role: tuning | test | None: what the sequence may be used for in a sweep.
        gt_classes, mots_classes: names of the class ids in ``gt`` and ``mots``, as (id, name);
            empty where the file has no class column or nothing is known of it.
        image_numbers: numbers in the names of the frames' files, where these say something
            (``frame_numbers.image_numbers``); text files may go by them.
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
    gt_classes: tuple[tuple[int, str], ...] = ()
    mots_classes: tuple[tuple[int, str], ...] = ()
    image_numbers: tuple[int, ...] = ()


_PATHS = ("path", "gt", "mots", "det")


def to_json(sequence: VideoSequence, folder: Path) -> dict[str, Any]:
    """As plain values; paths inside of ``folder`` become relative, since it is renamed later.

    All others become absolute: they are relative to where the command is run.
    """
    row = asdict(sequence)
    for key in _PATHS:
        if row[key] is not None:
            path = Path(row[key])
            row[key] = (
                path.relative_to(folder).as_posix()
                if path.is_relative_to(folder)
                else str(path.absolute())
            )
    return row


def from_json(row: dict[str, Any], folder: Path) -> VideoSequence:
    """What ``to_json`` gave."""
    row = dict(row)
    for key in _PATHS:
        if row[key] is not None:
            row[key] = folder / row[key]
    for key in ("gt_classes", "mots_classes"):
        row[key] = tuple((int(i), str(name)) for i, name in row[key])
    row["image_numbers"] = tuple(row["image_numbers"])
    return VideoSequence(**row)
