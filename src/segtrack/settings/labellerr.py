"""The annotation platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class LabellerrMode(Enum):
    off = "off"
    emulator = "emulator"
    cloud = "cloud"


class TransportChoice(Enum):
    """How the platform is spoken to; auto takes the SDK where it is installed."""

    auto = "auto"
    sdk = "sdk"
    http = "http"


class Assist(Enum):
    """Whose masks are proposed for the images that are pushed."""

    model = "model"
    sam = "sam"


@dataclass
class AnnotatorSettings:
    """The simulated annotator of the emulator; ``labellerr_loopback.annotator.Rates``."""

    accept_iou: float = 0.85
    match_iou: float = 0.3
    shift: float = 0.5
    miss_correction: float = 0.05
    miss_deletion: float = 0.05
    miss_addition: float = 0.05
    wrong_deletion: float = 0.02
    seed: int = 0


@dataclass
class LabellerrSettings:
    """The annotation platform. Credentials are never settings: they come from the environment."""

    mode: LabellerrMode = LabellerrMode.off
    url: str | None = None
    transport: TransportChoice = TransportChoice.auto
    timeout: float = 1800.0
    workers: int = 8
    name: str | None = None
    project_id: str | None = None
    test_project_id: str | None = None
    statuses: list[str] = field(
        default_factory=lambda: [
            "review",
            "r_assigned",
            "client_review",
            "cr_assigned",
            "accepted",
        ]
    )
    conf: float = 0.25
    conf_bucket: bool = True
    simplify_px: float = 0.5
    videos: bool = False
    assist: Assist | None = None
    sam: str = "mobile_sam.pt"
    annotator: AnnotatorSettings = field(default_factory=AnnotatorSettings)
