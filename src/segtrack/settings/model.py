"""The network that detects."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from segtrack.settings.knobs import knob


@dataclass
class ModelSettings:
    """The network that detects, its weights, and what it keeps."""

    name: str = knob(MISSING, "of the network; the option of the group")
    weights: str | None = knob(
        None,
        "a path, shipped (yolov8n-seg only), run:<MLflow run id>, scratch, or auto "
        "(weights_folder, download, shipped, scratch); null: the data set's starting_weights",
        local=True,
    )
    weights_folder: str | None = knob(
        None,
        "where auto looks first for the network's weights, such as yolov8n-seg.pt",
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
    nms_iou: float = knob(
        0.7,
        "boxes of a class that overlap more are one object",
        low=0.05,
        high=1,
        origin="ultralytics",
    )
    max_det: int = knob(
        300, "detections per image", unit="objects", low=1, high=10000, origin="ultralytics"
    )
    batch: int = knob(8, "images predicted at once", unit="images", low=1, high=1024, local=True)
