"""What a result is computed with: kind of device and precision, which shape it."""

from __future__ import annotations

from segtrack.settings import Settings


def compute(settings: Settings) -> dict[str, str]:
    """Device (cpu, cuda or mps) and precision of predictions."""
    return {"device": _device(settings), "precision": "float32"}


def training_compute(settings: Settings) -> dict[str, str]:
    """Device and precision of training; mixed precision is named by its smaller type."""
    from segtrack.model.ultralytics import library

    device, precision = _device(settings), "float32"
    if settings.trainer.amp and device == "cuda":
        precision = "float16"
    elif settings.trainer.amp and device == "cpu" and library.bfloat16_cpu():
        precision = "bfloat16"
    return {"device": device, "precision": precision}


def _device(settings: Settings) -> str:
    from segtrack.model.ultralytics import library

    name = library.device_argument(settings.device)
    return name if name in ("cpu", "mps") else "cuda"
