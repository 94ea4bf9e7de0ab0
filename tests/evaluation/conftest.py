"""Real predictions, made once for all tests that compare with other evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from segtrack.dataset import Dataset, YoloSettings, prepare
from segtrack.model import (
    Network,
    Predictions,
    Request,
    model_settings,
    predict_images,
    resolve_weights,
)
from segtrack.settings import EvaluationSettings, SplitFractions


@dataclass(frozen=True)
class Real:
    """coco100-val, all of it as the split "val", and what YOLOv8n-seg predicts there at 640 px."""

    dataset: Dataset
    predictions: Predictions
    weights: Path


@pytest.fixture(scope="session")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    folder = tmp_path_factory.mktemp("real")
    source = YoloSettings(
        path=str(shared_data / "images" / "coco100-val"),
        splits=SplitFractions(train=0, val=1, test=0, pool=0),
        workers=1,
    )
    (folder / "data").mkdir()
    prepare(source, 0, folder / "data", _nothing, folder / "cache")
    dataset = Dataset.load(folder / "data")
    path = shared_data / "weights" / "yolov8n-seg.pt"
    model = model_settings("yolov8n-seg", weights=str(path), imgsz=640)
    limits = EvaluationSettings()
    (folder / "predictions").mkdir()
    predict_images(
        dataset.iter_images("val"),
        Network(model, resolve_weights(model, Path), "cpu"),
        Request(dataset.names, dataset.class_map, limits.conf_floor, limits.max_det),
        folder / "predictions",
        _nothing,
    )
    return Real(dataset, Predictions.load(folder / "predictions"), path)


def _nothing(name: str, value: float, step: int = 0) -> None:
    """A report that nobody reads."""
