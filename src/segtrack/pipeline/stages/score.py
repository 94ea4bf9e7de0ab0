"""The trajectories of a video against its ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import scoring
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Given, Recipe, Stage, register
from segtrack.pipeline.videos import merged_classes, metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.tracker import Tracks

CHUNK_FRAMES = 50  # of the parts that a bootstrap draws where sequences are few


def score(ask: Ask, sequence: VideoSequence) -> Recipe | Given:
    """HOTA, CLEAR and Identity by class; None where there is no ground truth."""
    parsed = ask("truth", sequence=sequence)
    if parsed.value is None:
        return Given(None)
    associated = ask("associate", sequence=sequence)
    tracks: Tracks = associated.value
    merge = merged_classes(ask.settings.dataset)

    def build(folder: Path, report: Report) -> None:
        truth = scoring.Truth.load(parsed.folder)
        names = tracks.info.names
        scoring.score_tracks(truth, tracks, names, folder, report, CHUNK_FRAMES, merge)

    return Recipe(
        build,
        {"merge": merge, "chunk_frames": CHUNK_FRAMES},
        {"tracks": associated.key, "truth": parsed.key},
        metric=metric_of(sequence),
    )


STAGE = register(
    Stage(name="score", make=score, version=1, inputs=("truth", "associate"), listed=False)
)
