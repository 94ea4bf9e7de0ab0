"""RF-DETR's smallest network, untrained, at a small input."""

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from segtrack.model import Weights

if find_spec("rfdetr") is None:  # importing it takes seconds, in each worker
    pytest.skip("the extra rfdetr is not installed", allow_module_level=True)

NAME = "rfdetr-seg-nano"
NAMES = ("car", "truck", "boat")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a machine that is busy, threads that wait for one another take thirty times as long."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """Three classes, 96 px, saved as rfdetr did in its first year."""
    from segtrack.model.rfdetr.weights import read_weights

    path = tmp_path_factory.mktemp("nano") / "nano.pth"
    save(path, {"args": argparse.Namespace(class_names=list(NAMES), num_classes=3)})
    return read_weights(NAME, path, "path")


def save(path: Path, said: dict, classes: int = 3) -> None:
    """A checkpoint with ``said`` beside its parameters; scores and masks are spread out."""
    import torch

    from segtrack.model.rfdetr import library

    torch.manual_seed(0)
    state = library.build(library.config_of(NAME, classes, 96)).state_dict()
    state["class_embed.bias"] += 3 * torch.rand(classes + 1)
    torch.save({"model": state, **said}, path)
