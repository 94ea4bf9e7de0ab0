"""The whole configuration of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from segtrack.settings.counting import CountingSettings
from segtrack.settings.dataset import DatasetSettings
from segtrack.settings.evaluation import EvaluationSettings
from segtrack.settings.export import ExportSettings
from segtrack.settings.knobs import knob
from segtrack.settings.labellerr import LabellerrSettings
from segtrack.settings.mlflow import MlflowSettings
from segtrack.settings.model import ModelSettings
from segtrack.settings.render import RenderSettings
from segtrack.settings.scale import ScaleSettings
from segtrack.settings.select import SelectSettings
from segtrack.settings.suspect import SuspectSettings
from segtrack.settings.tracker import TrackerSettings
from segtrack.settings.tracks import TracksSettings
from segtrack.settings.trainer import TrainerSettings

# The whole loop, as far as the embedded data set can do it without an account.
DEFAULT_STAGES = ["prepare", "train", "evaluate", "track", "review", "pull"]


@dataclass
class Settings:
    """The whole composed configuration of one run."""

    dataset: DatasetSettings = knob(MISSING, "what is learnt from and tested on")
    model: ModelSettings = knob(MISSING, "the network that detects")
    trainer: TrainerSettings = knob(MISSING, "how it is trained")
    tracker: TrackerSettings = knob(MISSING, "how detections become trajectories")
    tracks: TracksSettings = knob(TracksSettings, "which trajectories stay, and what is filled in")
    counting: CountingSettings = knob(
        CountingSettings, "crossings, visits and speeds, along the trajectories"
    )
    render: RenderSettings = knob(RenderSettings, "the annotated video")
    labellerr: LabellerrSettings = knob(MISSING, "the annotation platform")
    evaluation: EvaluationSettings = knob(MISSING, "how masks are compared with labels")
    export: ExportSettings = knob(ExportSettings, "the network as a file for other programs")
    scale: ScaleSettings = knob(ScaleSettings, "predictions of very many images or videos")
    suspect: SuspectSettings = knob(SuspectSettings, "labels that are probably wrong")
    select: SelectSettings = knob(SelectSettings, "which images to annotate next")
    mlflow: MlflowSettings = knob(MISSING, "where runs are recorded", local=True)
    seed: int = knob(
        0,
        "of splits, training and everything else that draws; the simulator has its own, "
        "dataset.seed",
        low=0,
        high=2**31 - 1,
    )
    device: Any = knob(
        "auto",
        "auto (first GPU, else CPU), cpu, cuda, mps, a GPU such as 0 or cuda:0, or a list [0,1] of "
        "several, of which the first predicts",
        kind="text, whole number or list",
        local=True,
    )
    stages: list[str] = knob(
        lambda: list(DEFAULT_STAGES),
        "always run in this order; one not listed never runs (push reads the data set itself). "
        "Where none are named, those that have nothing to do are passed by",
    )
    video: str | None = knob(
        None,
        "a file, folder or glob that replaces the data set's videos; or, live: a camera's number "
        "(0), rtsp://..., http(s)://... and other addresses of streams",
        local=True,
    )
    video_seconds: float | None = knob(
        None,
        "a live video ends after so long; null: at its end or by Ctrl-C",
        unit="s",
        low=0.1,
        high=1e7,
        local=True,
    )
    objective: Any = knob(
        None,
        "a metric's name, returned to Hydra's sweepers, such as track/hota: of the tuning "
        "sequences where there are such; or a list of several",
        kind="text or list",
        local=True,
    )
    prune: int | None = knob(
        None,
        "a search over trainings ends one after so many epochs or later, where the objective "
        "(val/...) is worse than the median of the earlier trials at that epoch; null: none",
        unit="epochs",
        low=1,
        local=True,
    )
    plan: bool = knob(False, "print each stage with hit or miss and why, then stop", local=True)
    store: str = knob(
        ".segtrack",
        "folder of the stages' results by content, or an address such as s3://BUCKET/FOLDER; "
        "several runs and machines may share it",
        env="SEGTRACK_STORE",
        local=True,
    )
    store_cache: str = knob(
        ".segtrack/cache",
        "folder in front of a store at an address; what is no result, such as searches and the "
        "emulator's projects, is there alone",
        env="SEGTRACK_STORE_CACHE",
        local=True,
    )
    store_cache_gb: float | None = knob(
        None,
        "results in that folder beyond which those that were not used for longest go; null: all "
        "stay",
        unit="GB",
        low=0.001,
        high=1e6,
        local=True,
    )
    parent_run: str | None = knob(
        None, "set by a sweep itself: the id of its parent MLflow run", local=True
    )

    @property
    def objectives(self) -> list[str]:
        """The names of all metrics that ``objective`` lists; empty where there is none."""
        given = [] if self.objective is None else self.objective
        return [str(name) for name in (given if isinstance(given, list) else [given])]
