"""The network that detects: what every family of models has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from segtrack.settings.knobs import Group, Problem, knob
from segtrack.settings.trainer import TrainerSettings


@dataclass
class ModelSettings(Group):
    """The network that detects, its weights, and what it keeps; a family adds what only it has."""

    name: str = knob(MISSING, "of the network; the option of the group")
    weights: str | None = knob(
        None,
        "a path (of a checkpoint, or of what the stage export wrote), shipped (where weights come "
        "with it), run:<MLflow run id>, scratch, or auto (weights_folder, download, shipped, "
        "scratch); null: the data set's starting_weights",
        local=True,
    )
    trust: bool = knob(
        False,
        "unpickle the weights in full, which lets them run any code: for a file that is refused "
        "otherwise, such as one of a network with layers of its own, and whose maker you trust",
        local=True,
    )
    weights_folder: str | None = knob(
        None,
        "where auto looks first for the network's weights, by its name",
        env="SEGTRACK_WEIGHTS",
        local=True,
    )
    imgsz: int | None = knob(
        None,
        "longer side of the network's input; null: the size that the weights were trained with",
        unit="px",
        low=32,
        high=4096,
    )
    conf_floor: float = knob(
        0.05,
        "detections below are not kept; thresholds of a tracker apply afterwards, so must lie "
        "above",
        low=0.0001,
        high=0.99,
    )
    max_det: int = knob(
        300, "detections per image", unit="objects", low=1, high=10000, origin="ultralytics"
    )
    sam: str = knob(
        "mobile_sam.pt",
        "Segment Anything, for dataset.box_masks=sam and labellerr.assist=sam: a path, or a name "
        "(sam_b.pt, sam2.1_t.pt ...) that model.weights_folder has or that is downloaded",
        origin="the smallest one (MobileSAM)",
        local=True,
        formerly="labellerr.sam",
    )
    batch: int | None = knob(
        None,
        "images predicted at once, halved where memory runs out; null: 8, on a GPU of more than "
        "7 GB 16, of more than 20 GB 32",
        unit="images",
        low=1,
        high=1024,
        local=True,
    )

    def problems(self) -> Iterator[Problem]:
        """What is wrong between its own knobs, or with what they name."""
        folder = self.weights_folder
        if folder is not None and not Path(folder).expanduser().is_dir():
            yield Problem("model.weights_folder", folder, "no such folder; null for none")
        weights = self.weights or ""
        if weights.startswith("run:") and not re.fullmatch(r"run:[0-9a-f]{32}", weights):
            allowed = "an MLflow run's id has 32 hexadecimal digits; copy it from `make ui`"
            yield Problem("model.weights", weights, allowed)

    def trainer_problems(self, trainer: TrainerSettings) -> Iterator[Problem]:
        """What of ``trainer`` this family cannot train with."""
        yield from ()
