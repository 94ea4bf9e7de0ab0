"""From the detections of a video to its trajectories."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack import dataset as datasets
from segtrack import tracker
from segtrack.base.files import content_digest
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register
from segtrack.pipeline.videos import detections_of, metric_of, tracker_kind

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.model import Predictions
    from segtrack.settings import TrackerSettings, TracksSettings
    from segtrack.tracker import Tracks


def associate(ask: Ask, sequence: VideoSequence) -> Recipe:
    """The trajectories that the chosen tracker makes of the detections."""
    settings, after = ask.settings.tracker, ask.settings.tracks
    kind = tracker_kind(ask, sequence)
    detected, moved = detections_of(ask, sequence), ask("motion", sequence=sequence)
    looks = kind.needs_frames(settings)
    inputs: dict[str, Any] = {"predictions": detected.key, "fps": sequence.fps}
    if moved.value is not None:
        inputs["motion"] = moved.key
    if looks:
        inputs["video"] = sequence.sha256
    for number, path in enumerate(kind.files(settings)):
        inputs[f"file {number}"] = content_digest(path)

    look_in = sequence if looks else None
    motion = None if moved.value is None else moved.folder
    device = ask.settings.device
    build = partial(_build, detected.value, settings, after, look_in, motion, device)
    facts: dict[str, Any] = {"version": kind.version}
    if compute := kind.computes(settings, device):
        facts["compute"] = compute
    named = metric_of(sequence)
    # Those that look at frames may compute with a network, which is loaded once here.
    return Recipe(build, facts, inputs, kind.libraries, metric=named, apart=not looks)


def _build(
    detected: Predictions,
    settings: TrackerSettings,
    after: TracksSettings,
    look_in: VideoSequence | None,
    moved: Path | None,
    device: Any,
    folder: Path,
    report: Report,
) -> None:
    frames = None if look_in is None else datasets.read_frames(look_in)
    motion = None if moved is None else tracker.load_motion(moved)
    tracker.associate(detected, settings, after, folder, report, frames, motion, device)


def _load(folder: Path) -> Tracks:
    return tracker.Tracks.load(folder)


STAGE = register(
    Stage(
        name="associate",
        make=associate,
        version=4,
        reads=("tracker", "tracks"),
        inputs=("detections", "detect", "motion"),
        load=_load,
        listed=False,
    )
)
