"""The network that detects."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class ModelSettings:
    name: str = MISSING
    weights: str | None = None
    weights_folder: str | None = None
    imgsz: int | None = None
    conf_floor: float = 0.05
    nms_iou: float = 0.7
    max_det: int = 300
    batch: int = 8
