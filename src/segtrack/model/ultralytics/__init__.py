"""The networks of ultralytics: YOLO with masks. The one place that knows this library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from segtrack.base.metrics import Report
from segtrack.model.families import register_family
from segtrack.model.port import (
    Detector,
    FeatureExtractor,
    ModelFamily,
    Network,
    Request,
    TrainingData,
    Weights,
)
from segtrack.model.ultralytics.settings import NAMES, READS, SHIPPED, YoloSegSettings
from segtrack.settings import ModelSettings, TrainerSettings

if TYPE_CHECKING:
    import numpy as np


class Ultralytics(ModelFamily):
    """YOLOv8, YOLOv9, YOLO11 and YOLO26 with masks."""

    name = "ultralytics"
    models = NAMES
    settings = YoloSegSettings
    libraries = ("ultralytics", "torch")
    shipped: ClassVar = SHIPPED
    exports: ClassVar = {
        "onnx": ("onnx", "onnxruntime"),
        "openvino": ("openvino",),
        "tensorrt": ("onnx", "tensorrt"),
    }
    quantizes: ClassVar = {"openvino": ("nncf",)}
    reads = READS
    embeds = True
    original: ClassVar = {"backend": "torch", "precision": "float32"}
    written: ClassVar = {"backend": "auto", "precision": "float32"}

    def read(self, settings: ModelSettings, path: Path, origin: str, note: str = "") -> Weights:
        from segtrack.model.ultralytics.weights import read_export, read_weights

        assert isinstance(settings, YoloSegSettings)
        if path.suffix in READS:
            return read_export(path, origin, note, settings.end2end, settings.imgsz)
        return read_weights(path, origin, note, settings.trust, settings.end2end)

    def require(self, settings: ModelSettings, device: Any, path: Path | None) -> None:
        from segtrack.model.ultralytics.backends import named_backend

        named_backend(settings, device, path)

    def scratch(self, settings: ModelSettings, note: str = "") -> Weights:
        from segtrack.model.ultralytics.weights import untrained

        assert isinstance(settings, YoloSegSettings)
        return untrained(settings.name, note, settings.end2end)

    def download(self, settings: ModelSettings) -> tuple[Path | None, str]:
        from segtrack.model.ultralytics.weights import download_weights

        return download_weights(f"{settings.name}.pt")

    def export(self, network: Network, form: str, folder: Path) -> Path:
        from segtrack.model.ultralytics.exporting import export_network

        return export_network(network, form, folder)

    def export_int8(
        self, network: Network, form: str, folder: Path, images: Iterable[np.ndarray]
    ) -> Path:
        from segtrack.model.ultralytics.quantizing import quantize_network

        return quantize_network(network, images, folder)

    def detector(self, network: Network, request: Request) -> Detector:
        from segtrack.model.devices import device_class
        from segtrack.model.ultralytics.backends import backend_of

        if device_class(network.device) == "cuda" and backend_of(network)[0] == "torch":
            from segtrack.model.ultralytics.card import CardDetector

            return CardDetector(network, request)
        from segtrack.model.ultralytics.detector import YoloDetector

        return YoloDetector(network, request)

    def extractor(self, network: Network) -> FeatureExtractor:
        from segtrack.model.ultralytics.features import YoloFeatures

        return YoloFeatures(network)

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
        from segtrack.model.devices import device_class, first_device

        if trainer is None:
            from segtrack.model.ultralytics.backends import backend_of, precision_of

            backend, release = backend_of(network)
            if backend != "torch":
                precision = precision_of(network)
                return {"device": "cpu", "precision": precision, "backend": f"{backend} {release}"}
        device = device_class(network.device)
        precision = "float32"
        if device == "cuda" if trainer is None else trainer.amp:  # see card.CardRuntime
            from segtrack.model.ultralytics import library

            if library.half_works(first_device(network.device)):
                precision = "float16"
            elif device == "cpu" and library.bfloat16_cpu():
                precision = "bfloat16"
        return {"device": device, "precision": precision}


register_family(Ultralytics())
