"""The network as a file for other programs."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.settings.knobs import Group, knob


@dataclass
class ExportSettings(Group):
    """What the stage export writes, which is no part of the default stages."""

    format: str = knob(
        "onnx",
        "of the file: onnx, openvino (an .xml with a .bin beside it) or tensorrt (an engine for "
        "the GPU that it is made on); model.weights takes the first two",
        choices=("onnx", "openvino", "tensorrt"),
    )
    precision: str = knob(
        "float32",
        "of the file's arithmetic; int8: whole numbers of 8 bits, for OpenVINO on a CPU, "
        "calibrated with images of train; what it costs in AP the stage states",
        choices=("float32", "int8"),
    )
