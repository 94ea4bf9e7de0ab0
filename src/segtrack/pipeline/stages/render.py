"""A video with its trajectories drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import counting, tracker
from segtrack import dataset as datasets
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Given, Recipe, Stage, register
from segtrack.pipeline.videos import wants_video

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.tracker import Tracks

FILE = "annotated.mp4"


def render(ask: Ask, sequence: VideoSequence) -> Recipe | Given:
    """The annotated video; None where none is wanted, or there are no frames."""
    if not wants_video(ask.settings) or not sequence.path:
        return Given(None)
    associated = ask("associate", sequence=sequence)
    tracks: Tracks = associated.value
    trail = ask.settings.render.trail
    counted = ask("count", sequence=sequence)

    def build(folder: Path, report: Report) -> None:
        frames = datasets.read_frames(sequence)
        drawn = None
        if counted.value is not None:
            rules = counting.rules_for(ask.settings.counting, sequence, tracks)
            drawn = counting.Drawn(rules, counted.value)
        tracker.render_video(frames, tracks, tracks.info.names, folder / FILE, trail, drawn)

    inputs = {"tracks": associated.key, "video": sequence.sha256}
    if counted.value is not None:
        inputs["counted"] = counted.key
    return Recipe(build, {"trail": trail}, inputs)


def _load(folder: Path) -> Path:
    return folder / FILE


STAGE = register(
    Stage(
        name="render",
        make=render,
        version=3,
        inputs=("associate", "count"),
        libraries=("opencv-python", "pillow", "av"),
        load=_load,
        listed=False,
    )
)
