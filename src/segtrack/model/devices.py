"""The setting ``device`` as torch understands it; of use to every family that computes with it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.base.processes import cores
from segtrack.settings import gpu_indices


def device_argument(device: Any) -> str:
    """The setting ``device`` as "cpu", "mps", or the GPUs' indices, such as "0" or "0,1".

    Raises:
        SettingsError: there is no such GPU.
    """
    if device == "cpu" or (device == "auto" and "torch" not in sys.modules and not _driver()):
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
    indices, count = gpu_indices(device), torch.cuda.device_count()
    missing = [str(index) for index in indices or () if index >= count]
    if missing or not indices:
        raise SettingsError(
            f"device={device}: there is no GPU {', '.join(missing)}; torch sees {count}. "
            "Use device=auto, device=cpu, or indices below that number."
        )
    return ",".join(map(str, indices))


@cache
def _driver() -> bool:
    """Whether there may be a GPU for torch: whether what it loads of a driver is there. Asked where
    torch is not needed otherwise, whose import takes seconds."""
    if sys.platform == "darwin":
        return False  # auto takes no Apple GPU
    if not sys.platform.startswith("linux"):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()  # AMD's
    return True


def require_device(device: Any) -> None:
    """Look whether it is there, where it is a certain one; auto and cpu always are.

    Raises:
        SettingsError: there is no such GPU.
    """
    if device not in ("auto", "cpu"):
        device_argument(device)


def loading_processes(wanted: int | None, device: Any) -> int:
    """Processes that load a training's data: ``wanted``, or for None what suits the machine.

    Raises:
        SettingsError: there is no such GPU.
    """
    if wanted is not None:
        return wanted
    if device_class(device) != "cuda":
        return 0
    return min(16, cores())


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
