"""Detections and masks in a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.frame_times import TimesRead
from segtrack.base.metrics import Report
from segtrack.base.names import level
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.videos import metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.model import Predictions, Weights
    from segtrack.pipeline.runner import Run


def detect(ask: Ask, sequence: VideoSequence) -> Recipe:
    """Predictions of every frame, of the classes that are tracked."""
    settings = ask.settings
    weights: Weights = ask("weights").value
    network = model.Network(settings.model, weights, settings.device)
    names, class_map = ask("classes").value
    request = network.request(names, class_map, one_class=True)
    model.wanted_classes(weights, request)  # refuses, before any work, where none is left

    def build(folder: Path, report: Report) -> None:
        times = TimesRead()
        frames = datasets.read_frames(sequence, times)
        model.predict_video(frames, sequence, network, request, folder, report, times)

    return Recipe(
        build,
        network.prediction(request),
        # The frame rate stands in the result, and a folder of frames can change it alone.
        {"video": sequence.sha256, "fps": sequence.fps, "weights": weights.sha256},
        network.family.libraries,
        metric=metric_of(sequence),
    )


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


def _publish(run: Run, made: Result, sequence: VideoSequence) -> None:
    truncated = made.value.info.truncated
    if truncated:
        print(f"warning: {truncated}")
        run.tag({f"truncated.{level(sequence.name)}": truncated})


STAGE = register(
    Stage(
        name="detect",
        make=detect,
        version=2,
        inputs=("weights", "classes"),
        load=_load,
        publish=_publish,
        listed=False,
    )
)
