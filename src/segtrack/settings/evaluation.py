"""How masks are compared with labels."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class EvaluationSettings:
    conf_floor: float = 0.001
    max_det: int = 300
    confusion_conf: float = 0.25
    confusion_iou: float = 0.5
    visible_bins: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])
    gallery: int = 12
