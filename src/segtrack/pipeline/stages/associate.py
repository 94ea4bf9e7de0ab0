"""From the detections of a video to its trajectories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack import dataset as datasets
from segtrack import tracker
from segtrack.base.files import content_digest
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register
from segtrack.pipeline.videos import detections_of, metric_of, require_frames

if TYPE_CHECKING:
    from segtrack.dataset import Sequence
    from segtrack.tracker import Tracks


def associate(ask: Ask, sequence: Sequence) -> Recipe:
    """The trajectories that the chosen tracker makes of the detections."""
    settings = ask.settings.tracker
    detected, moved = detections_of(ask, sequence), ask("motion", sequence=sequence)
    looks = tracker.needs_frames(settings)
    inputs: dict[str, Any] = {"predictions": detected.key, "fps": sequence.fps}
    if moved.value is not None:
        inputs["motion"] = moved.key
    if looks:
        require_frames(sequence, f"tracker={settings.name}")
        inputs["video"] = sequence.sha256
    if getattr(settings, "with_reid", False):
        inputs["reid"] = content_digest(Path(vars(settings)["model"]))

    def build(folder: Path, report: Report) -> None:
        frames = datasets.read_frames(sequence) if looks else None
        motion = None if moved.value is None else tracker.load_motion(moved.folder)
        tracker.associate(detected.value, settings, folder, report, frames, motion)

    return Recipe(build, inputs=inputs, metric=metric_of(sequence))


def _load(folder: Path) -> Tracks:
    return tracker.Tracks.load(folder)


STAGE = register(
    Stage(
        name="associate",
        make=associate,
        version=2,
        reads=("tracker",),
        inputs=("detections", "detect", "motion"),
        libraries=("ultralytics", "lap", "opencv-python"),
        load=_load,
        listed=False,
    )
)
