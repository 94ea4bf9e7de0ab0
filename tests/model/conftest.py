"""A network small enough for tests, and the real weights."""

from pathlib import Path

import pytest

from segtrack.model import Weights
from segtrack.model.ultralytics.weights import read_weights


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """YOLOv8-seg with a sixteenth of its width, three classes, untrained: 2 ms at 32 px."""
    return make_tiny_weights(tmp_path_factory.mktemp("tiny") / "tiny.pt")


@pytest.fixture(scope="session")
def coco_weights(shared_data: Path) -> Weights:
    return read_weights(shared_data / "weights" / "yolov8n-seg.pt", "path")


@pytest.fixture(scope="session")
def random_sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileSAM as it is, untrained."""
    return make_random_sam(tmp_path_factory.mktemp("sam") / "mobile_sam.pt")


def make_random_sam(path: Path, sure: bool = True) -> Path:
    """``sure``: it finds its masks good enough for ultralytics to keep them."""
    import torch
    from ultralytics.models.sam.build import build_mobile_sam

    torch.manual_seed(0)
    content = build_mobile_sam().state_dict()
    if sure:
        content["mask_decoder.iou_prediction_head.layers.2.bias"] += 2
    torch.save(content, path)
    return path


def make_tiny_weights(
    path: Path, names: tuple[str, ...] = ("car", "truck", "boat"), network: str = "yolov8n-seg"
) -> Weights:
    import torch
    from ultralytics.nn.tasks import SegmentationModel

    from segtrack.model.ultralytics import library

    torch.manual_seed(0)
    config = library.architecture(network)
    config["scales"] = {"n": [0.33, 0.0625, 1024]}
    model = SegmentationModel(config, nc=len(names), verbose=False)
    model.names = dict(enumerate(names))
    content = {"model": model.half(), "train_args": {"imgsz": 64, "task": "segment"}}
    library.torch_save(content, path)
    return read_weights(path, "path")
