"""Whether a checkpoint's network can be computed at all, and in the memory that networks take.

Its layers come from a file, and so do their numbers: one that enlarges its input a thousand times
takes all memory before any result is wrong. Importing this imports torch.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import nn

MOST = 64  # px of a layer's kernel, step, border, ..., and how often it enlarges its input
MOST_NUMBERS = 100  # times those of the input that a layer gives; of yolov8x-seg it is 7
_FROM_ONE = ("kernel_size", "stride", "dilation")
_FROM_ZERO = (
    *("padding", "output_padding", "_reversed_padding_repeated_twice"),
    *("size", "scale_factor", "output_size", "upscale_factor", "downscale_factor"),
)


class Uncomputable(Exception):
    """A network that gives no prediction, or takes far more memory than any."""


def require_computable(model: Any) -> None:
    """Predict once with ``model``, a small picture, and refuse what no network needs.

    Raises:
        Uncomputable: it cannot be done, or a layer's numbers are beyond those of any network.
    """
    for layer in model.modules():
        _require_sizes(layer)
    side = 2 * max(math.ceil(float(model.stride.max())), 32)
    picture = torch.zeros(1, 3, side, side)
    most = MOST_NUMBERS * picture.numel()

    def watch(layer: nn.Module, _: Any, given: Any) -> None:
        if isinstance(given, torch.Tensor) and given.numel() > most:
            shape = "x".join(map(str, given.shape))
            raise Uncomputable(f"a layer {type(layer).__name__} makes {shape} numbers of {side} px")

    hooks = [layer.register_forward_hook(watch) for layer in model.modules()]
    try:
        with torch.inference_mode():
            model(picture)
    except Uncomputable:
        raise
    except Exception as error:  # of any layer; so small a picture needs no memory
        raise Uncomputable(f"{type(error).__name__}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()


def _require_sizes(layer: nn.Module) -> None:
    for name in (*_FROM_ONE, *_FROM_ZERO):
        given = getattr(layer, name, None)
        values = given if isinstance(given, list | tuple) else [given]
        for value in values:  # a tensor is taken for a number, and the strides are one
            numbers = value.flatten().tolist() if isinstance(value, torch.Tensor) else [value]
            for number in numbers:
                least = 1 if name in _FROM_ONE else 0
                if isinstance(number, Real) and not least <= float(number) <= MOST:
                    raise Uncomputable(f"{name}={number} of a layer {type(layer).__name__}")
