"""The trajectories of a video against its ground truth."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import scoring
from segtrack.base.errors import some
from segtrack.base.metrics import Report
from segtrack.base.saying import say
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
    merge = merged_classes(ask.settings.dataset)
    return Recipe(
        partial(_build, parsed.folder, associated.value, merge),
        {"merge": merge},
        {"tracks": associated.key, "truth": parsed.key},
        metric=metric_of(sequence),
        apart=True,
    )


def _build(
    truth: Path, tracks: Tracks, merge: dict[str, str], folder: Path, report: Report
) -> None:
    parsed, names = scoring.Truth.load(truth), tracks.info.names
    scoring.score_tracks(parsed, tracks, names, folder, report, merge)


def _publish(run: Run, made: Result, sequence: VideoSequence) -> None:
    if made.value is None:
        return
    document = json.loads((made.folder / "scores.json").read_text(encoding="utf-8"))
    if missing := document["missing"]:
        text = f"{sequence.name}: the ground truth judges {some(missing)}, which the detections"
        say(f"warning: {text} lack: all of it counts as missed")
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
