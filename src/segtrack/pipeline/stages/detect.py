"""Detections and masks in a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.frame_times import TimesRead
from segtrack.base.metrics import Report
from segtrack.base.names import level
from segtrack.base.saying import say
from segtrack.pipeline.stage import Ask, Given, Recipe, Result, Stage, register
from segtrack.pipeline.videos import metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.model import Predictions, Together, Weights
    from segtrack.pipeline.runner import Run


def network(ask: Ask) -> Given:
    """The network that detects in every video of a command, and what is wanted of it."""
    settings = ask.settings
    weights: Weights = ask("weights").value
    chosen = model.Network(settings.model, weights, settings.device)
    names, class_map = ask("classes").value
    request = chosen.request(names, class_map, one_class=True)
    model.wanted_classes(weights, request)  # refuses, before any work, where none is left
    return Given(model.Together(chosen, request))


def detect(ask: Ask, sequence: VideoSequence) -> Recipe:
    """Predictions of every frame, of the classes that are tracked."""
    together: Together = ask("network").value
    network, request = together.network, together.request

    def build(folder: Path, report: Report) -> None:
        times = TimesRead()
        frames = datasets.read_frames(sequence, times)
        how = network, request, folder, report, times, together.lend
        model.predict_video(frames, sequence, *how)

    return Recipe(
        build,
        network.prediction(request),
        # The frame rate stands in the result, and a folder of frames can change it alone.
        {"video": sequence.sha256, "fps": sequence.fps, "weights": network.weights.sha256},
        network.family.libraries,
        metric=metric_of(sequence),
        crew=together,
        amount=sequence.frame_count,
    )


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


def _publish(run: Run, made: Result, sequence: VideoSequence) -> None:
    truncated = made.value.info.truncated
    if truncated:
        say(f"warning: {truncated}")
        run.tag({f"truncated.{level(sequence.name)}": truncated})


NETWORK = register(Stage(name="network", make=network, inputs=("weights", "classes"), listed=False))
STAGE = register(
    Stage(
        name="detect",
        make=detect,
        version=2,
        inputs=("network",),
        load=_load,
        publish=_publish,
        listed=False,
    )
)
