"""What the stages of a video have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.settings import DatasetSettings, Detections, Settings

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.pipeline.stage import Ask, Result
    from segtrack.tracker import TrackerKind

REPORT = "tracking.json"  # in the run's folder: where lie the numbers behind its figures


def detections_of(ask: Ask, sequence: VideoSequence) -> Result:
    """The detections of a video: those that it brings along, or the model's.

    Raises:
        DataError: it is to bring some along and has none.
    """
    wanted = ask.settings.dataset.detections
    if wanted is Detections.file and sequence.det is None:
        raise DataError(
            f"sequence {sequence.name}: dataset.detections=file, but it has no det/det.txt; "
            "add the file or choose dataset.detections=model"
        )
    return ask(detecting(ask, sequence), sequence=sequence)


def detecting(ask: Ask, sequence: VideoSequence) -> str:
    """The stage that gives its detections."""
    wanted = ask.settings.dataset.detections
    brought = wanted is Detections.file or (wanted is Detections.auto and not sequence.path)
    return "detections" if brought and sequence.det is not None else "detect"


def metric_of(sequence: VideoSequence) -> Callable[[str], str]:
    """The name of a number of one video in the journal: ``track/video/<name>/hota``."""

    def named(name: str) -> str:
        group, _, rest = name.partition("/")
        return f"{group}/video/{level(sequence.name)}/{rest}"

    return named


def merged_classes(dataset: DatasetSettings) -> dict[str, str]:
    """The class that is scored, by the name that the ground truth has for it."""
    from segtrack.dataset import parse_classes

    chosen = parse_classes(dataset.classes) or {}
    return {old: new for new, olds in chosen.items() for old in olds}


def wants_video(settings: Settings) -> bool:
    """Whether annotated videos are made: in cells of a sweep only where they are asked for."""
    wanted = settings.render.enabled
    return settings.parent_run is None if wanted is None else wanted


def tracker_kind(ask: Ask, sequence: VideoSequence) -> TrackerKind[Any]:
    """The chosen tracker, and whether this video has what it needs.

    Raises:
        DataError: it looks at the frames, and only detections and ground truth are there.
    """
    from segtrack.tracker import TRACKERS

    settings = ask.settings.tracker
    kind = TRACKERS.get(settings.name)
    looks = kind.needs_frames(settings) or kind.needs_motion(settings)
    if looks and sequence.path is None:
        raise DataError(
            f"sequence {sequence.name}: tracker={kind.name} looks at the frames, and there are "
            f"none; add the folder img1, or do without: {kind.without_frames}"
        )
    return kind
