"""A checkpoint's network as a file that other libraries compute: OpenVINO's or ONNX.

The file's network takes what ``YoloDetector.prepare`` gives, so whoever has the file alone needs
no arithmetic of its own: uint8 BGR images (B, H, W, 3), letterboxed with grey (114) to sides that
are multiples of its stride. It gives candidates and prototypes as ``Runtime`` describes them. B, H
and W are free unless a shape is asked for. ``exported.read_exported`` reads the file.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError, StageError
from segtrack.base.metrics import Report
from segtrack.model.devices import device_class
from segtrack.model.port import Network
from segtrack.model.ultralytics import home
from segtrack.store import StageCall, Store

SUFFIXES = {"openvino": ".xml", "onnx": ".onnx", "tensorrt": ".engine"}
PACKAGES = {  # what computes such a file
    **{"openvino": "openvino", "onnx": "onnxruntime", "tensorrt": "tensorrt"},
}
KEY = "segtrack"  # of the facts in a file
INPUT = "uint8 BGR (B, H, W, 3), letterboxed with 114 to multiples of the stride"
CONVERSION = 1  # raise it when converted networks become others


def export_network(
    network: Network, form: str, folder: Path, shape: tuple[int, int] | None = None
) -> Path:
    """Write the network into ``folder``, which is there.

    Args:
        network: with trained weights, a checkpoint.
        form: ``openvino`` (an .xml file with a .bin beside it) or ``onnx``.
        shape: height and width of the input in px, to be the only one; a single image at a time.

    Returns:
        The .xml or .onnx file, named after the network.

    Raises:
        SettingsError: a package is missing.
    """
    require(form, "export.format", network.device)
    from segtrack.model.ultralytics.conversion import load_whole, write

    whole, stride = load_whole(network)
    size = network.settings.imgsz or network.weights.imgsz
    facts = {
        "task": "segment",
        "model": network.settings.name,
        "names": list(network.weights.names),
        "imgsz": size,
        "stride": stride,
        "end2end": getattr(network.settings, "end2end", False),
        "input": INPUT,
        "precision": "float32",
        "weights_sha256": network.weights.sha256,
    }
    path = folder / f"{network.settings.name}{SUFFIXES[form]}"
    if form == "tensorrt" and shape is None:  # an engine is for one size
        shape = (size, size)
    write(form, whole, KEY, facts, path, shape, network.device)
    return path


def converted(network: Network, form: str) -> Path:
    """The network as a file of ``form``, from the first time on a result of the store.

    So its ``gc`` and ``verify`` know it, and a run that computes it keeps it.

    Raises:
        SettingsError: a package is missing.
    """
    require(form, "model.backend", network.device)
    call = StageCall(
        "convert",
        CONVERSION,
        {
            "model": network.settings.name,
            "format": form,
            "end2end": getattr(network.settings, "end2end", False),
        },
        {"weights": network.weights.sha256},
        ("ultralytics", "torch", "onnx" if form == "onnx" else PACKAGES[form]),
    )

    def build(folder: Path, _: Report) -> None:
        export_network(network, form, folder)

    try:
        folder = Store(home.folder().parent).run(call, build).folder
    except StageError:  # no room, or a store that can only be read
        return export_network(network, form, home.of_this_process())
    return folder / f"{network.settings.name}{SUFFIXES[form]}"


def require(form: str, key: str, device: Any = "cpu") -> None:
    """Raises:
    SettingsError: what computes files of that form is not installed, or it is an engine and
        ``device`` no GPU.
    """
    needed = [PACKAGES[form], *(["onnx"] if form != "openvino" else [])]
    missing = [name for name in needed if find_spec(name) is None]
    if form == "tensorrt" and device_class(device) != "cuda":
        missing.append(f"an NVIDIA GPU (device={device})")
    if missing:
        does = {"onnx": "pip install 'segtrack[onnx]'", "openvino": "pip install openvino"}
        do = does.get(form, "pip install tensorrt onnx on the machine that will compute it")
        other = "openvino" if form == "onnx" else "onnx"
        instead = {
            "model.backend": "use model.backend=torch",
            "export.format": f"use export.format={other}",
        }.get(key, "give the checkpoint's .pt file")
        given = key if "=" in key else f"{key}={form}"
        raise SettingsError(f"{given}: {', '.join(missing)} is not there; {do}, or {instead}")
