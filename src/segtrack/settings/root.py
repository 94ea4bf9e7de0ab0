"""The whole configuration of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from segtrack.settings.dataset import DatasetSettings
from segtrack.settings.evaluation import EvaluationSettings
from segtrack.settings.labellerr import LabellerrSettings
from segtrack.settings.mlflow import MlflowSettings
from segtrack.settings.model import ModelSettings
from segtrack.settings.tracker import TrackerSettings
from segtrack.settings.trainer import TrainerSettings


@dataclass
class Settings:
    """The whole composed configuration of one run."""

    dataset: DatasetSettings = MISSING
    model: ModelSettings = MISSING
    trainer: TrainerSettings = MISSING
    tracker: TrackerSettings = MISSING
    labellerr: LabellerrSettings = MISSING
    evaluation: EvaluationSettings = MISSING
    mlflow: MlflowSettings = MISSING
    seed: int = 0
    device: Any = "auto"
    stages: list[str] = field(default_factory=list)
    video: str | None = None
    objective: str | None = None
    plan: bool = False
    store: str = ".segtrack"
    parent_run: str | None = None
