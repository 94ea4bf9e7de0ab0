"""Detections and masks in a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.metrics import Report
from segtrack.pipeline.networks import computing
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.videos import metric_of

if TYPE_CHECKING:
    from segtrack.dataset import Sequence
    from segtrack.model import Predictions, Weights
    from segtrack.pipeline.runner import Run


def detect(ask: Ask, sequence: Sequence) -> Recipe:
    """Predictions of every frame, of the classes that are tracked."""
    settings = ask.settings
    weights: Weights = ask("weights").value
    names, class_map = ask("classes").value

    network = model.Network(settings.model, weights, settings.device)

    def build(folder: Path, report: Report) -> None:
        frames, request = datasets.read_frames(sequence), network.request(names, class_map)
        model.predict_video(frames, sequence, network, request, folder, report)

    return Recipe(
        build,
        {
            "imgsz": settings.model.imgsz or weights.imgsz,
            "names": names,
            "class_map": class_map,
            **computing(network),
        },
        # The frame rate stands in the result, and a folder of frames can change it alone.
        {"video": sequence.sha256, "fps": sequence.fps, "weights": weights.sha256},
        network.family.libraries,
        metric=metric_of(sequence),
    )


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


def _publish(run: Run, made: Result, sequence: Sequence) -> None:
    truncated = made.value.info.truncated
    if truncated:
        print(f"warning: {truncated}")
        run.tag({f"truncated.{sequence.name}": truncated})


STAGE = register(
    Stage(
        name="detect",
        make=detect,
        version=1,
        reads=("model.name", "model.conf_floor", "model.max_det", "model.nms_iou"),
        inputs=("weights", "classes"),
        load=_load,
        publish=_publish,
        listed=False,
    )
)
