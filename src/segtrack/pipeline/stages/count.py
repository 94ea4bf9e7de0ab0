"""What the trajectories of a video cross, where they stay, and how fast they are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import counting
from segtrack.base.files import hand_out
from segtrack.base.metrics import Report
from segtrack.base.names import level
from segtrack.pipeline.stage import Ask, Given, Recipe, Result, Stage, register
from segtrack.pipeline.videos import metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.pipeline.runner import Run
    from segtrack.settings import CountingSettings, Settings
    from segtrack.tracker import Tracks


def count(ask: Ask, sequence: VideoSequence) -> Recipe | Given:
    """Tables of crossings, visits and speeds; None where ``counting`` names nothing to count."""
    if not ask.settings.counting.wanted:
        return Given(None)
    require_rules(ask.settings, [sequence])
    associated = ask("associate", sequence=sequence)
    build = partial(_build, ask.settings.counting, sequence, associated.value)
    size = {"width": sequence.width, "height": sequence.height}
    inputs, named = {"tracks": associated.key}, metric_of(sequence)
    return Recipe(build, size, inputs, metric=named, apart=True)


def _build(
    settings: CountingSettings,
    sequence: VideoSequence,
    tracks: Tracks,
    folder: Path,
    report: Report,
) -> None:
    rules = counting.rules_for(settings, sequence, tracks)
    counting.count_tracks(tracks, rules, folder, report)


def require_rules(settings: Settings, sequences: Iterable[VideoSequence]) -> None:
    """Look whether all points lie in the frames, as far as their size is known yet.

    Raises:
        DataError: one does not.
    """
    for one in sequences if settings.counting.wanted else ():
        if one.width:
            counting.rules_of(settings.counting, one.width, one.height, one.name)


def _publish(run: Run, made: Result, sequence: VideoSequence) -> None:
    """Say what was counted, and put tables and figures beside the video's results."""
    if made.value is None:
        return
    totals = counting.load_totals(made.folder)
    run.named("line", totals["lines"])
    run.named("zone", totals["zones"])
    for line in counting.said(totals):
        run.say(f"{sequence.name}: {line}")
    folder = run.output / "tracking" / level(sequence.name) / "counting"
    folder.mkdir(parents=True, exist_ok=True)
    if run.settings.parent_run is None:  # a sweep makes figures for the cells that matter
        counting.write_figures(made.folder, folder)
    for name in counting.FILES:
        if (made.folder / name).is_file():
            hand_out(made.folder / name, folder / name)


STAGE = register(
    Stage(
        name="count",
        make=count,
        version=1,
        reads=("counting",),
        inputs=("associate",),
        load=lambda folder: folder,
        publish=_publish,
        listed=False,
    )
)
