"""The detections that a sequence brings along, as predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import model
from segtrack.base.files import file_digest
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Stage, register
from segtrack.pipeline.videos import merged_classes, metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence
    from segtrack.model import Predictions


def detections(ask: Ask, sequence: VideoSequence) -> Recipe:
    """The rows of ``det.txt`` from the model's confidence floor on, all of one class."""
    floor = ask.settings.model.conf_floor
    det_class = ask.settings.dataset.det_class
    name = merged_classes(ask.settings.dataset).get(det_class, det_class)
    assert sequence.det is not None

    def build(folder: Path, report: Report) -> None:
        model.read_detections(sequence, name, floor, folder, report)

    return Recipe(
        build,
        {
            "names": [name],
            "frames": sequence.frame_count,
            "images": sequence.image_numbers,
        },
        {"det": file_digest(sequence.det), "fps": sequence.fps},
        metric=metric_of(sequence),
    )


def _load(folder: Path) -> Predictions:
    return model.Predictions.load(folder)


STAGE = register(
    Stage(
        name="detections",
        make=detections,
        version=2,
        reads=("model.conf_floor",),
        load=_load,
        listed=False,
    )
)
