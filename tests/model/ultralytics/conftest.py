"""A data set of a few drawn images, and the smallest settings."""

import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from segtrack.model import Weights
from segtrack.settings import TrainerSettings
from tests.model.conftest import make_tiny_weights

NAMES = ("car", "person")


@pytest.fixture(scope="session")
def start_weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return make_tiny_weights(tmp_path_factory.mktemp("start") / "tiny.pt", ("car", "truck"))


@pytest.fixture
def drawn(tmp_path: Path) -> types.SimpleNamespace:
    """Eight training and four validation images in a folder with an awkward name."""
    return draw(tmp_path / "my data, [1] (ü)=ß")


def draw(folder: Path) -> types.SimpleNamespace:
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for i in range(count):
            image = rng.integers(90, 120, (64, 64, 3), np.uint8)
            lines = []
            for class_id, colour in enumerate([(0, 0, 255), (255, 0, 0)]):
                x, y = rng.integers(4, 30, 2)
                corners = np.array([[x, y], [x + 28, y], [x + 28, y + 28], [x, y + 28]])
                cv2.fillPoly(image, [corners], colour)
                lines.append(f"{class_id} " + " ".join(f"{v / 64:.5f}" for v in corners.ravel()))
            cv2.imwrite(str(images / f"{i}.jpg"), image)
            (labels / f"{i}.txt").write_text("\n".join(lines))
    description = {"path": ".", "train": "images/train", "val": "images/val"}
    description["names"] = dict(enumerate(NAMES))
    (folder / "data.yaml").write_text(yaml.safe_dump(description))
    return types.SimpleNamespace(names=NAMES, yolo_yaml=folder / "data.yaml", folder=folder)


def smallest(**changes) -> TrainerSettings:
    settings = {
        "name": "test",
        "epochs": 1,
        "batch": 4,
        "imgsz": 64,
        "optimizer": "SGD",
        "warmup_epochs": 0.0,
        "mosaic": 0.0,
        "close_mosaic": 0,
    }
    return TrainerSettings(**{**settings, **changes})
