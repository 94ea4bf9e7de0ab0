"""The networks that ultralytics offers, and the knobs that they add."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from segtrack.settings import ModelSettings, Problem, TrainerSettings, knob

# Those whose description is in the library and whose weights its makers publish (not so YOLO12).
NAMES = (
    *(f"{make}{size}-seg" for make in ("yolov8", "yolo11", "yolo26") for size in "nsmlx"),
    *("yolov9c-seg", "yolov9e-seg"),
)
READS = (".onnx", ".xml")  # endings of exported networks that can be used
END2END = "yolo26{n,s,m,l,x}-seg"
SHIPPED = {"yolov8n-seg": Path(__file__).parent / "yolov8n-seg-sim.pt"}
BACKENDS = ("auto", "torch", "openvino", "onnx")
PRECISIONS = ("float32", "bfloat16")
STRIDE = 32  # px
# Arguments of a training that are segtrack's to say.
OURS = (
    *("data", "device", "exist_ok", "mode", "model", "name", "project", "resume", "save_dir"),
    *("cfg", "deterministic", "plots", "save", "seed", "task", "val", "verbose"),
)


@dataclass
class YoloSegSettings(ModelSettings):
    """YOLO with masks, as ultralytics makes it."""

    nms_iou: float = knob(
        0.7,
        "boxes of a class that overlap more are one object",
        low=0.05,
        high=1,
        origin="ultralytics",
    )
    agnostic_nms: bool | None = knob(
        None,
        "boxes of different classes that overlap more than nms_iou are one object too, of the "
        "class with the highest score; null: for tracking (an object called car and truck would be "
        "tracked and counted twice), not for average precision, which is defined class by class",
    )
    end2end: bool = knob(
        False,
        "predict with the end-to-end head that yolo26 has beside the usual one: one box an object, "
        "so nms_iou and agnostic_nms do nothing; a training teaches both",
        origin="ultralytics",
    )

    backend: str = knob(
        "auto",
        "what computes the network in a prediction: auto is torch on a GPU, and on a CPU what a "
        "short measurement found to be the fastest there, which the store keeps; openvino and onnx "
        "compute on the CPU",
        choices=BACKENDS,
        local=True,  # the key has what it comes to
    )
    precision: str = knob(
        "float32",
        "of the network's arithmetic in a prediction on a CPU (on a CUDA GPU it is float16); "
        "bfloat16: by OpenVINO on a CPU that has it. Whole numbers of 8 bits are in the file that "
        "export.precision=int8 writes. What each costs in AP says scripts/bench_precision.py",
        choices=PRECISIONS,
        local=True,  # the key has what it comes to
    )

    def problems(self) -> Iterator[Problem]:
        if not self.name.endswith("-seg"):
            allowed = "masks are needed throughout: choose a model whose name ends with -seg"
            yield Problem("model.name", self.name, allowed)
        yield from _stride("model.imgsz", self.imgsz)
        if self.weights == "shipped" and self.name not in SHIPPED:
            allowed = f"only {', '.join(SHIPPED)} ships with weights; use model.weights=auto"
            yield Problem("model.weights", self.weights, allowed)
        yield from super().problems()
        file = Path(self.weights or "")
        if file.expanduser().is_file() and file.suffix not in (".pt", *READS):
            allowed = f"must be a checkpoint's .pt file, or an exported one ({', '.join(READS)})"
            yield Problem("model.weights", self.weights, allowed)

    def trainer_problems(self, trainer: TrainerSettings) -> Iterator[Problem]:
        yield from _stride("trainer.imgsz", trainer.imgsz)
        known = _arguments() if trainer.extra else frozenset()
        knobs = {field.name for field in fields(trainer)}
        for name, value in trainer.extra.items():
            key = f"trainer.extra.{name}"
            if name in OURS:
                yield Problem(key, value, "segtrack says this itself; leave it out")
            elif name in knobs:
                yield Problem(key, value, f"is a knob of its own: trainer.{name}={value}")
            elif name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ""
                yield Problem(key, value, f"ultralytics has no such training argument{hint}")


def _stride(key: str, size: int | None) -> Iterator[Problem]:
    if size is not None and size % STRIDE:
        nearest = max(STRIDE, round(size / STRIDE) * STRIDE)
        allowed = f"must be a multiple of {STRIDE} px (the stride), such as {nearest}"
        yield Problem(key, size, allowed)


@cache  # every cell of a sweep asks
def _arguments() -> frozenset[str]:
    """Names of the library's training arguments, read without importing it."""
    spec = find_spec("ultralytics")
    if spec is None or spec.origin is None:
        return frozenset()
    text = (Path(spec.origin).parent / "cfg" / "default.yaml").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^(\w+):", text, re.MULTILINE))
