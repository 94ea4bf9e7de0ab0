"""The one place that imports rfdetr, after making it a quiet guest.

Importing this module imports torch and rfdetr (about 4 s), so others import it inside functions.
The library then logs warnings only, through Python's logging, and torch computes as precisely as
before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.model.rfdetr.settings import lacking, size_of

if why := lacking():
    raise SettingsError(f"model: RF-DETR {why}")

import torch


@contextlib.contextmanager
def guest() -> Iterator[None]:
    """Keep the library's warnings, prints and its choice of a lower precision to itself."""
    precision = torch.get_float32_matmul_precision()
    quiet = contextlib.ExitStack()
    with quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet.enter_context(contextlib.redirect_stdout(quiet.enter_context(_nowhere())))
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)


def _nowhere() -> Any:
    return Path(os.devnull).open("w", encoding="utf-8")


with guest():
    from rfdetr import variants
    from rfdetr.assets.model_weights import download_pretrain_weights
    from rfdetr.models import build_model_from_config
    from rfdetr.models.weights import interpolate_position_embeddings
    from rfdetr.utilities.tensors import nested_tensor_from_tensor_list

__all__ = [
    "backbone_layers",
    "build",
    "config_of",
    "download",
    "fill",
    "guest",
    "variant",
]

# Said at every construction, and nothing that a reader could act upon.
_NOISE = ("loading DINOv2 backbone weights", "not optimized for inference")


def _worth_saying(record: logging.LogRecord) -> bool:
    return not any(noise in str(record.msg) for noise in _NOISE)


_LOG = logging.getLogger("rf-detr")
_LOG.handlers.clear()  # it wrote to stdout; from here on Python's logging decides
_LOG.propagate = True
_LOG.setLevel(logging.WARNING)
_LOG.addFilter(_worth_saying)


def variant(name: str) -> str:
    """What the library calls the network, such as ``RFDETRSegNano``."""
    size_of(name)
    size = name.removeprefix("rfdetr-seg-")
    words = {"xlarge": "XLarge", "2xlarge": "2XLarge"}
    return f"RFDETRSeg{words.get(size, size.capitalize())}"


def config_of(name: str, classes: int, imgsz: int) -> Any:
    """The network's description: rfdetr's ``ModelConfig`` without published weights.

    Args:
        classes: it has one output more, which means nothing.
        imgsz: px of the square input.
    """
    kind = getattr(variants, variant(name))._model_config_class
    with guest():
        return kind(
            pretrain_weights=None,
            num_classes=classes,
            resolution=imgsz,
            device="cpu",
            model_name=variant(name),
        )


def build(config: Any) -> Any:
    """The untrained network that ``config`` describes, on the CPU; nothing is downloaded."""
    with guest():
        return build_model_from_config(config)


def fill(model: Any, config: Any, state: dict[str, torch.Tensor]) -> None:
    """Give ``model`` the parameters ``state``; those of places are stretched to its input size.

    Raises:
        ValueError: they are of another network.
    """
    state = dict(state)
    interpolate_position_embeddings(state, config.positional_encoding_size)
    try:
        found = model.load_state_dict(state, strict=False)
    except RuntimeError as error:  # of other shapes
        lines = str(error).splitlines()
        raise ValueError(lines[min(1, len(lines) - 1)].strip()) from error
    wrong = [*found.missing_keys, *found.unexpected_keys]
    wrong = [key for key in wrong if key != "_kp_active_mask"]  # of poses; follows from the config
    if wrong:
        raise ValueError(
            f"{len(wrong)} of its parameters are missing or of another network, such as {wrong[0]}"
        )


def backbone_layers(model: Any, pixels: torch.Tensor) -> list[torch.Tensor]:
    """What the decoder is given of images (B, 3, size, size): (B, C, h, w) of each layer."""
    layers = model.backbone(nested_tensor_from_tensor_list(pixels))[0]
    return [layer.tensors for layer in layers]


def download(target: Path) -> None:
    """Fetch the published weights that ``target`` is named like, whole, their checksum checked.

    Raises:
        Exception: of the network, of the server, or of a file that is another one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(guest())
        if not sys.stderr.isatty():  # its progress bar
            stack.enter_context(contextlib.redirect_stderr(stack.enter_context(_nowhere())))
        download_pretrain_weights(str(target))
    if not target.is_file():
        raise OSError(f"{target.name} is not among the published weights")
