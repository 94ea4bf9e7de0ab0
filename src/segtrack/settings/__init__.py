"""Every knob as a typed dataclass, and the rules that hold between them.

Nothing heavy is imported here: composing and validating takes well under a second. The
dataclasses are filled once by ``OmegaConf.to_object`` and not changed afterwards.
"""

from __future__ import annotations

from segtrack.settings.dataset import (
    PARENT,
    SPLITS,
    CocoSettings,
    DatasetSettings,
    Detections,
    ImagesSettings,
    LabellerrDatasetSettings,
    Light,
    ReviewedSettings,
    SequencesSettings,
    SplitFractions,
    TrafficSimSettings,
    UltralyticsSettings,
    Unlabelled,
    YoloSettings,
)
from segtrack.settings.evaluation import EvaluationSettings
from segtrack.settings.labellerr import (
    AnnotatorSettings,
    Assist,
    LabellerrMode,
    LabellerrSettings,
    TransportChoice,
)
from segtrack.settings.mlflow import MlflowMode, MlflowSettings
from segtrack.settings.model import ModelSettings
from segtrack.settings.options import SCHEMAS, register
from segtrack.settings.plain import plain
from segtrack.settings.root import Settings
from segtrack.settings.tracker import (
    Association,
    BotSortSettings,
    ByteTrackSettings,
    DeepOcSortSettings,
    FastTrackSettings,
    GmcMethod,
    OcSortSettings,
    TrackerSettings,
    TrackTrackSettings,
)
from segtrack.settings.trainer import TrainerSettings

__all__ = [
    "PARENT",
    "SCHEMAS",
    "SPLITS",
    "AnnotatorSettings",
    "Assist",
    "Association",
    "BotSortSettings",
    "ByteTrackSettings",
    "CocoSettings",
    "DatasetSettings",
    "DeepOcSortSettings",
    "Detections",
    "EvaluationSettings",
    "FastTrackSettings",
    "GmcMethod",
    "ImagesSettings",
    "LabellerrDatasetSettings",
    "LabellerrMode",
    "LabellerrSettings",
    "Light",
    "MlflowMode",
    "MlflowSettings",
    "ModelSettings",
    "OcSortSettings",
    "ReviewedSettings",
    "SequencesSettings",
    "Settings",
    "SplitFractions",
    "TrackTrackSettings",
    "TrackerSettings",
    "TrafficSimSettings",
    "TrainerSettings",
    "TransportChoice",
    "UltralyticsSettings",
    "Unlabelled",
    "YoloSettings",
    "plain",
    "register",
]
