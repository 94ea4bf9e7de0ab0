"""The camera's motion in a video, for trackers that follow it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import tracker
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Given, Recipe, Stage, register
from segtrack.pipeline.videos import metric_of, tracker_kind

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence


def motion(ask: Ask, sequence: VideoSequence) -> Recipe | Given:
    """How each frame's pixels moved from the one before; None where no tracker asks for it."""
    if not tracker_kind(ask, sequence).needs_motion(ask.settings.tracker):
        return Given(None)

    inputs = {"video": sequence.sha256}
    return Recipe(partial(_build, sequence), inputs=inputs, metric=metric_of(sequence), apart=True)


def _build(sequence: VideoSequence, folder: Path, report: Report) -> None:
    tracker.camera_motion(datasets.read_frames(sequence), folder, report)


STAGE = register(
    Stage(name="motion", make=motion, version=2, libraries=("opencv-python",), listed=False)
)
