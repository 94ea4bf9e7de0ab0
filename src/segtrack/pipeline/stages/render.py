"""A video with its trajectories drawn in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import counting, tracker
from segtrack import dataset as datasets
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Given, Recipe, Stage, register
from segtrack.pipeline.videos import wants_video

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.settings import CountingSettings
    from segtrack.tracker import Tracks

FILE = "annotated.mp4"


def render(ask: Ask, sequence: VideoSequence) -> Recipe | Given:
    """The annotated video; None where none is wanted, or there are no frames."""
    if not wants_video(ask.settings) or not sequence.path:
        return Given(None)
    associated = ask("associate", sequence=sequence)
    trail = ask.settings.render.trail
    counted = ask("count", sequence=sequence)
    counts = None if counted.value is None else (ask.settings.counting, counted.value)
    build = partial(_build, sequence, associated.value, trail, counts)
    inputs = {"tracks": associated.key, "video": sequence.sha256}
    if counted.value is not None:
        inputs["counted"] = counted.key
    return Recipe(build, {"trail": trail}, inputs, apart=True)


def _build(
    sequence: VideoSequence,
    tracks: Tracks,
    trail: int,
    counts: tuple[CountingSettings, Path] | None,
    folder: Path,
    report: Report,
) -> None:
    """``counts``: what was to be counted, and the folder of what was."""
    drawn = None
    if counts is not None:
        drawn = counting.Drawn(counting.rules_for(counts[0], sequence, tracks), counts[1])
    frames, names = datasets.read_frames(sequence), tracks.info.names
    tracker.render_video(frames, tracks, names, folder / FILE, trail, drawn)


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
