"""The networks of rfdetr: RF-DETR with masks. The one place that knows this library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

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
from segtrack.model.rfdetr.settings import NAMES, RfdetrSegSettings
from segtrack.settings import ModelSettings, TrainerSettings


class Rfdetr(ModelFamily):
    """RF-DETR of all sizes, with masks."""

    name = "rfdetr"
    models = NAMES
    settings = RfdetrSegSettings
    libraries = ("rfdetr", "torch")
    exports_else = (
        "rfdetr does it: RFDETRSegNano.from_checkpoint('FILE.pt').export(format='onnx'), or the "
        "class of another size"
    )
    embeds = True
    # Its own defaults for the rest: the rates that suit YOLO would ruin a transformer.
    trains_with: ClassVar = frozenset(
        ("epochs", "batch", "imgsz", "patience", "workers", "threads", "amp", "extra")
    )

    def read(self, settings: ModelSettings, path: Path, origin: str, note: str = "") -> Weights:
        from segtrack.model.rfdetr.weights import read_weights

        return read_weights(settings.name, path, origin, note, settings.trust)

    def scratch(self, settings: ModelSettings, note: str = "") -> Weights:
        from segtrack.model.rfdetr.weights import untrained

        return untrained(settings.name, note)

    def download(self, settings: ModelSettings) -> tuple[Path | None, str]:
        from segtrack.model.rfdetr.weights import download_weights

        return download_weights(settings.name)

    def detector(self, network: Network, request: Request) -> Detector:
        from segtrack.model.rfdetr.detector import RfdetrDetector

        return RfdetrDetector(network, request)

    def extractor(self, network: Network) -> FeatureExtractor:
        from segtrack.model.rfdetr.features import RfdetrFeatures

        return RfdetrFeatures(network)

    def train(
        self,
        data: TrainingData,
        network: Network,
        trainer: TrainerSettings,
        seed: int,
        folder: Path,
        report: Report,
    ) -> None:
        from segtrack.model.rfdetr.train import train

        train(data, network, trainer, seed, folder, report)

    def compute(
        self, network: Network, trainer: TrainerSettings | None = None
    ) -> Mapping[str, str]:
        from segtrack.model.devices import device_class

        device = device_class(network.device)
        if trainer is None:
            return {"device": device, "precision": "float32"}
        from segtrack.model.rfdetr.train import precision

        return {"device": device, "precision": precision(device, trainer.amp)}


register_family(Rfdetr())
