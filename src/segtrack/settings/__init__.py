"""Every knob as a typed dataclass, and the rules that hold between them.

Nothing heavy is imported here: composing and validating takes well under a second. The
dataclasses are filled once by ``OmegaConf.to_object`` and not changed afterwards.
"""

from __future__ import annotations

from segtrack.settings.counting import CountingSettings, HomographySettings, PointUnit, points_of
from segtrack.settings.dataset import (
    MAX_PIXELS,
    SPLITS,
    DatasetSettings,
    Detections,
    FolderSettings,
    SplitFractions,
)
from segtrack.settings.device import gpu_indices
from segtrack.settings.effects import CHANGE_NO_RESULT, CHANGE_NO_SCORE, among
from segtrack.settings.evaluation import EvaluationSettings
from segtrack.settings.export import ExportSettings
from segtrack.settings.groups import option, options, register
from segtrack.settings.knobs import Group, Knob, Problem, knob, knobs_of, shaping, walk
from segtrack.settings.labellerr import (
    AnnotatorSettings,
    Assist,
    LabellerrMode,
    LabellerrSettings,
    TransportChoice,
)
from segtrack.settings.mlflow import MlflowMode, MlflowSettings
from segtrack.settings.model import ModelSettings
from segtrack.settings.render import RenderSettings
from segtrack.settings.root import DEFAULT_STAGES, Settings
from segtrack.settings.rules import validate
from segtrack.settings.scale import ScaleSettings
from segtrack.settings.select import SelectSettings
from segtrack.settings.suspect import SuspectSettings
from segtrack.settings.tracker import TrackerSettings
from segtrack.settings.tracks import TracksSettings
from segtrack.settings.trainer import TrainerSettings
from segtrack.settings.values import plain
from segtrack.settings.words import override_words

__all__ = [
    "CHANGE_NO_RESULT",
    "CHANGE_NO_SCORE",
    "DEFAULT_STAGES",
    "MAX_PIXELS",
    "SPLITS",
    "AnnotatorSettings",
    "Assist",
    "CountingSettings",
    "DatasetSettings",
    "Detections",
    "EvaluationSettings",
    "ExportSettings",
    "FolderSettings",
    "Group",
    "HomographySettings",
    "Knob",
    "LabellerrMode",
    "LabellerrSettings",
    "MlflowMode",
    "MlflowSettings",
    "ModelSettings",
    "PointUnit",
    "Problem",
    "RenderSettings",
    "ScaleSettings",
    "SelectSettings",
    "Settings",
    "SplitFractions",
    "SuspectSettings",
    "TrackerSettings",
    "TracksSettings",
    "TrainerSettings",
    "TransportChoice",
    "among",
    "gpu_indices",
    "knob",
    "knobs_of",
    "option",
    "options",
    "override_words",
    "plain",
    "points_of",
    "register",
    "shaping",
    "validate",
    "walk",
]
