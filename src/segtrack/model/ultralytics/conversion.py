"""How a checkpoint's network becomes another library's file; see ``exporting``.

Importing this imports ultralytics.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segtrack.base.errors import StageError, of_machine
from segtrack.model.devices import first_device
from segtrack.model.port import Network
from segtrack.model.ultralytics.home import import_openvino, save_openvino
from segtrack.model.ultralytics.runtimes import load_network, outputs_of, stride_of

OPSET = 17
Facts = dict[str, Any]
Shape = tuple[int, int] | None


def load_whole(network: Network) -> tuple[torch.nn.Module, int]:
    """The network with what comes before it, on the CPU, and its stride in px."""
    model = load_network(network, torch.device("cpu"))
    stride = stride_of(model)
    return _Whole(model, stride).eval(), stride


def write(
    form: str, whole: torch.nn.Module, key: str, facts: Facts, path: Path, shape: Shape, device: Any
) -> None:
    """Write the file at ``path``, with the facts as JSON text under ``key``.

    Args:
        device: the setting ``device``; an engine is made by its GPU, and for that one.
    """
    functions: dict[str, Callable[..., None]] = {
        "openvino": _write_openvino,
        "onnx": _write_onnx,
        "tensorrt": partial(_write_tensorrt, device),
    }
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch about its own tracing
        functions[form](whole, key, facts, path, shape)


class _Whole(torch.nn.Module):  # type: ignore[misc]
    """The network with what comes before it."""

    def __init__(self, model: Any, stride: int) -> None:
        super().__init__()
        self.model, self.stride = model, stride
        for parameter in model.parameters():
            parameter.requires_grad = False
        head = model.model[-1]
        head.export = head.dynamic = True  # anchors from the shape of each input

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # The cast comes first: of layers for uint8 TensorRT has no other.
        images = pixels.float().permute(0, 3, 1, 2).flip(1) / 255
        return outputs_of(self.model(images))


def _example(whole: torch.nn.Module) -> torch.Tensor:
    size = (1, 2 * whole.stride, 3 * whole.stride, 3)
    return torch.from_numpy(np.zeros(size, np.uint8))


def _write_openvino(
    whole: torch.nn.Module, key: str, facts: Facts, path: Path, shape: Shape
) -> None:
    openvino = import_openvino()
    traced = torch.jit.freeze(torch.jit.trace(whole, _example(whole), check_trace=False))
    size = [-1, -1, -1, 3] if shape is None else [1, *shape, 3]
    model = openvino.convert_model(traced, input=[(openvino.PartialShape(size), openvino.Type.u8)])
    model.set_rt_info(json.dumps(facts), [key])
    save_openvino(model, path)


def _write_onnx(whole: torch.nn.Module, key: str, facts: Facts, path: Path, shape: Shape) -> None:
    import onnx

    example = _example(whole) if shape is None else torch.zeros((1, *shape, 3), dtype=torch.uint8)
    free = {"pixels": {0: "batch", 1: "height", 2: "width"}}
    free |= {"candidates": {0: "batch", 2: "anchors"}}
    free |= {"prototypes": {0: "batch", 2: "mask_height", 3: "mask_width"}}
    torch.onnx.export(
        whole,
        (example,),
        str(path),
        dynamo=False,
        opset_version=OPSET,
        input_names=["pixels"],
        output_names=["candidates", "prototypes"],
        dynamic_axes=free if shape is None else None,
    )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {key: json.dumps(facts)})
    onnx.save(model, path)


def _write_tensorrt(
    device: Any, whole: torch.nn.Module, key: str, facts: Facts, path: Path, shape: Shape
) -> None:
    """The library's own way from ONNX to an engine, with its header that holds the facts."""
    from ultralytics.utils.export.engine import onnx2engine

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "network.onnx"
        _write_onnx(whole, key, facts, file, shape)
        try:
            with torch.cuda.device(first_device(device)):
                onnx2engine(str(file), path, metadata=facts)
        except (RuntimeError, ValueError, AssertionError) as error:
            if of_machine(error):
                raise
            raise StageError(
                f"export.format=tensorrt: TensorRT makes no engine of it "
                f"({' '.join(str(error).split())[:200]}); use export.format=onnx"
            ) from error
