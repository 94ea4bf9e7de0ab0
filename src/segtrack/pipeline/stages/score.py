"""The trajectories of a video against its ground truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import scoring
from segtrack.base.errors import some
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Given, Recipe, Result, Stage, register
from segtrack.pipeline.videos import merged_classes, metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.pipeline.runner import Run
    from segtrack.tracker import Tracks


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
        scoring.score_tracks(truth, tracks, names, folder, report, merge)

    return Recipe(
        build,
        {"merge": merge},
        {"tracks": associated.key, "truth": parsed.key},
        metric=metric_of(sequence),
    )


def _publish(run: Run, made: Result, sequence: VideoSequence) -> None:
    if made.value is None:
        return
    document = json.loads((made.folder / "scores.json").read_text(encoding="utf-8"))
    if missing := document["missing"]:
        text = f"{sequence.name}: the ground truth judges {some(missing)}, which the detections"
        print(f"warning: {text} lack: all of it counts as missed", flush=True)
    if not any(
        scoring.has_objects(one) for one in scoring.SequenceScores.load(made.folder).counts.values()
    ):
        run.say(f"{sequence.name}: its ground truth has no object that is judged: no scores (n/a)")


STAGE = register(
    Stage(
        name="score",
        make=score,
        version=5,
        inputs=("truth", "associate"),
        publish=_publish,
        listed=False,
    )
)
