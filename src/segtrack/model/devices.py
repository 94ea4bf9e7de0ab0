"""The setting ``device`` as torch understands it; of use to every family that computes with it."""

from __future__ import annotations

from typing import Any

from segtrack.base.errors import SettingsError


def device_argument(device: Any) -> str:
    """The setting ``device`` as "cpu", "mps", or the GPUs' indices, such as "0" or "0,1".

    Raises:
        SettingsError: there is no such GPU.
    """
    if device == "cpu":
        return "cpu"
    import torch

    if device == "mps":
        if not torch.backends.mps.is_available():
            raise SettingsError(
                "device=mps: torch finds no Apple GPU on this machine; use device=auto or cpu"
            )
        return "mps"
    if device == "auto":
        return "0" if torch.cuda.is_available() else "cpu"
    indices = list(device) if isinstance(device, list | tuple) else str(device).split(",")
    count = torch.cuda.device_count()
    for index in indices:
        if not str(index).strip().isdigit() or int(index) >= count:
            raise SettingsError(
                f"device={device!r}: there is no GPU {index}; torch sees {count}. "
                "Use device=auto, device=cpu, or indices below that number."
            )
    return ",".join(str(int(index)) for index in indices)


def first_device(device: Any) -> str:
    """The one of them that predicts, as ``torch.device`` names it: "cpu", "mps" or "cuda:0".

    Raises:
        SettingsError: there is no such GPU.
    """
    place = device_argument(device).split(",")[0]
    return f"cuda:{place}" if place.isdigit() else place


def device_class(device: Any) -> str:
    """What kind of device it is, which results may depend on: "cpu", "cuda" or "mps".

    Raises:
        SettingsError: there is no such GPU.
    """
    return first_device(device).partition(":")[0]
