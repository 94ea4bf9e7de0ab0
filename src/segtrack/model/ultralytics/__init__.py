"""The networks of ultralytics: YOLO with masks. The one place that knows this library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from segtrack.base.metrics import Report
from segtrack.model.port import (
    Detector,
    ModelFamily,
    Network,
    Request,
    TrainingData,
    Weights,
    register_family,
)
from segtrack.model.ultralytics.settings import NAMES, SHIPPED, YoloSegSettings
from segtrack.settings import ModelSettings, TrainerSettings


class Ultralytics(ModelFamily):
    """YOLOv8 and YOLO11, of all sizes, with masks."""

    name = "ultralytics"
    models = NAMES
    settings = YoloSegSettings
    libraries = ("ultralytics", "torch")
    shipped: ClassVar = SHIPPED

    def read(self, settings: ModelSettings, path: Path, origin: str, note: str = "") -> Weights:
        from segtrack.model.ultralytics.weights import read_weights

        return read_weights(path, origin, note, settings.trust)

    def scratch(self, settings: ModelSettings, note: str = "") -> Weights:
        from segtrack.model.ultralytics.weights import untrained

        return untrained(settings.name, note)

    def download(self, settings: ModelSettings) -> tuple[Path | None, str]:
        from segtrack.model.ultralytics.weights import download_weights

        return download_weights(f"{settings.name}.pt")

    def detector(self, network: Network, request: Request) -> Detector:
        from segtrack.model.ultralytics.detector import YoloDetector

        return YoloDetector(network, request)

    def train(
        self,
        data: TrainingData,
        network: Network,
        trainer: TrainerSettings,
        seed: int,
        folder: Path,
        report: Report,
    ) -> None:
        from segtrack.model.ultralytics.train import train

        train(data, network, trainer, seed, folder, report)

    def compute(
        self, network: Network, trainer: TrainerSettings | None = None
    ) -> Mapping[str, str]:
        from segtrack.model.devices import device_class

        device = device_class(network.device)
        if trainer is None or not trainer.amp:
            return {"device": device, "precision": "float32"}
        if device != "cpu":
            return {"device": device, "precision": "float16"}
        from segtrack.model.ultralytics import library

        precision = "bfloat16" if library.bfloat16_cpu() else "float32"
        return {"device": device, "precision": precision}


register_family(Ultralytics())
