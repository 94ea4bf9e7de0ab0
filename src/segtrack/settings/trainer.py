"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TrainerSettings:
    name: str = MISSING
    epochs: int = MISSING
    batch: int = 16
    imgsz: int | None = None
    patience: int = 50
    optimizer: str = "auto"
    lr0: float = 0.01
    lrf: float = 0.01
    momentum: float = 0.937
    weight_decay: float = 0.0005
    warmup_epochs: float = 3.0
    cos_lr: bool = False
    freeze: int | None = None
    mosaic: float = 1.0
    close_mosaic: int = 10
    mixup: float = 0.0
    copy_paste: float = 0.0
    scale: float = 0.5
    translate: float = 0.1
    degrees: float = 0.0
    fliplr: float = 0.5
    hsv_h: float = 0.015
    hsv_s: float = 0.7
    hsv_v: float = 0.4
    mask_ratio: int = 4
    workers: int = 0
    threads: int | None = None
    cache: bool = False
    amp: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
