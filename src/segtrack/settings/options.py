"""Which options each config group has."""

from __future__ import annotations

from segtrack.settings.dataset import (
    CocoSettings,
    ImagesSettings,
    LabellerrDatasetSettings,
    ReviewedSettings,
    SequencesSettings,
    TrafficSimSettings,
    UltralyticsSettings,
    YoloSettings,
)
from segtrack.settings.evaluation import EvaluationSettings
from segtrack.settings.labellerr import LabellerrSettings
from segtrack.settings.mlflow import MlflowSettings
from segtrack.settings.model import ModelSettings
from segtrack.settings.root import Settings
from segtrack.settings.tracker import (
    BotSortSettings,
    ByteTrackSettings,
    DeepOcSortSettings,
    FastTrackSettings,
    OcSortSettings,
    TrackTrackSettings,
)
from segtrack.settings.trainer import TrainerSettings

SCHEMAS: dict[str, dict[str, type]] = {
    "": {"schema": Settings},
    "dataset": {
        "traffic_sim": TrafficSimSettings,
        "yolo": YoloSettings,
        "images": ImagesSettings,
        "coco": CocoSettings,
        "ultralytics": UltralyticsSettings,
        "sequences": SequencesSettings,
        "labellerr": LabellerrDatasetSettings,
        "reviewed": ReviewedSettings,
    },
    "model": {"model": ModelSettings},
    "trainer": {"trainer": TrainerSettings},
    "tracker": {
        "bytetrack": ByteTrackSettings,
        "botsort": BotSortSettings,
        "ocsort": OcSortSettings,
        "deepocsort": DeepOcSortSettings,
        "fasttrack": FastTrackSettings,
        "tracktrack": TrackTrackSettings,
    },
    "labellerr": {"labellerr": LabellerrSettings},
    "evaluation": {"evaluation": EvaluationSettings},
    "mlflow": {"mlflow": MlflowSettings},
}


def register() -> None:
    """Put every schema into Hydra's ConfigStore as ``GROUP/schema_NAME`` (root: ``schema``)."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for group, nodes in SCHEMAS.items():
        for name, node in nodes.items():
            if group:
                store.store(group=group, name=f"schema_{name}", node=node, provider="segtrack")
            else:
                store.store(name=name, node=node, provider="segtrack")
