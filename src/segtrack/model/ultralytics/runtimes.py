"""A checkpoint's own network, computed by PyTorch. Importing this imports ultralytics."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import numpy as np
import torch

from segtrack.model.devices import first_device
from segtrack.model.port import Network
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.runtime import Outputs
from segtrack.model.ultralytics.settings import YoloSegSettings


class TorchRuntime:
    """The checkpoint's own network in PyTorch, on any device."""

    size: tuple[int, int] | None = None

    def __init__(self, network: Network) -> None:
        self.device = torch.device(first_device(network.device))
        self.model = load_network(network, self.device)
        if self.device.type == "cpu":  # 10 to 25 % faster there, at equal results
            self.model = self.model.to(memory_format=torch.channels_last)
        library.set_threads()
        self.stride = stride_of(self.model)
        self.batch = network.batch_size

    def start(self, pixels: np.ndarray) -> Future[Outputs]:
        done: Future[Outputs] = Future()
        with torch.inference_mode():
            tensor = torch.from_numpy(pixels).to(self.device)
            tensor = tensor.permute(0, 3, 1, 2).flip(1).contiguous().float().div_(255)
            candidates, prototypes = outputs_of(self.model(tensor))
            done.set_result((_array(candidates), _array(prototypes)))
        return done


def _array(tensor: torch.Tensor) -> np.ndarray:
    array: np.ndarray = tensor.float().cpu().numpy()
    return array


def load_network(network: Network, device: torch.device) -> Any:
    """The network of a checkpoint, its normalisations folded into its convolutions.

    Of YOLO26 with the head that is wanted: the layers of the end-to-end one take the place of the
    usual ones, so that what follows knows one kind of network, which gives all its candidates.
    """
    settings = network.settings
    assert isinstance(settings, YoloSegSettings)
    with library.trusting(settings.trust):
        model, _ = library.load_checkpoint(network.weights.path, device=device)
    if settings.end2end:
        head = model.model[-1]
        for name, layers in tuple(head.named_children()):
            if name.startswith("one2one_"):
                setattr(head, name.removeprefix("one2one_"), layers)
    model.end2end = False
    return model.fuse(verbose=False).eval()  # drops the head that is not used


def stride_of(model: Any) -> int:
    """px that the sides of the input are multiples of."""
    return max(int(model.stride.max()), 32)


def outputs_of(result: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates and prototypes from what the network returns."""
    if isinstance(result[0], tuple):
        candidates, prototypes = result[0]
    else:
        candidates, prototypes = result[:2]
    return candidates, prototypes
