"""Exported networks in files: what they say of themselves, and whether their graph can be used.

Those that ``segtrack export`` wrote, and those that ultralytics' own ``export`` wrote. Either says
names, sizes and stride in its metadata; what it takes and gives, the graph itself says.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segtrack.base.errors import DataError, of_machine
from segtrack.model.ultralytics.exporting import KEY, require
from segtrack.model.ultralytics.home import openvino_core

METADATA = "metadata.yaml"  # which ultralytics puts beside OpenVINO's files
FORMS = {".onnx": "onnx", ".xml": "openvino"}
KINDS = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class Exported:
    """An exported network.

    Attributes:
        facts: its metadata, as ``segtrack export`` writes them.
        names: class names by class id. imgsz: px, longer side of the input. stride: px.
        end2end: it has the end-to-end head.
        size: (H, W) in px of the only input that it takes; None: any multiples of the stride.
        ours: it takes images as ``exporting.INPUT`` says; else as ultralytics' networks do, RGB
            (B, 3, H, W) from 0 to 1.
        files: all of them.
    """

    facts: dict[str, Any]
    names: tuple[str, ...]
    imgsz: int
    stride: int
    end2end: bool
    size: tuple[int, int] | None
    ours: bool
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Graph:
    """Shapes that a file's graph takes and gives, -1 for what is free; metadata; all files."""

    takes: list[list[int]]
    gives: list[list[int]]
    said: Mapping[str, Any]
    files: list[Path]


def read_exported(path: Path) -> Exported:
    """Read the exported network ``path``, an .onnx or .xml file.

    Raises:
        DataError: it cannot be read or used.
        SettingsError: what reads it is not installed.
    """
    form = FORMS[path.suffix]
    require(form, f"model.weights={path}")
    try:
        graph = {"onnx": _onnx, "openvino": _openvino}[form](path)
    except DataError:
        raise
    except Exception as error:  # either library has errors of its own kinds
        if of_machine(error):
            raise
        raise DataError(
            f"model.weights={path}: no network that `segtrack export` or ultralytics' export "
            f"wrote ({_plain(error)}); give one, or a checkpoint's .pt file"
        ) from error
    try:
        return _checked(path, graph)
    except DataError:
        raise
    except Exception as error:  # whatever may stand there
        if of_machine(error):
            raise
        why = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise DataError(
            f"model.weights={path}: says nothing usable of itself in its metadata ({why}); "
            "`segtrack export` and ultralytics' export write class names, size and stride there: "
            "export it with one of them, or give its checkpoint's .pt file"
        ) from error


def _plain(error: Exception) -> str:
    """What a library says, without where in its own source it says so."""
    text = " ".join(str(error).split())
    return re.sub(r"Exception from \S+ |Check '.*?' failed at \S+ ", "", text)[:200]


def _checked(path: Path, graph: _Graph) -> Exported:
    ours = KEY in graph.said
    facts = json.loads(graph.said[KEY]) if ours else _of_ultralytics(graph.said)
    names, imgsz, stride = facts["names"], int(facts["imgsz"]), int(facts["stride"])
    named = isinstance(names, list) and names and all(isinstance(n, str) for n in names)
    if not named or not 32 <= imgsz <= 8192 or stride not in (32, 64):
        raise ValueError(f"imgsz={imgsz} px, stride={stride} px, names {names}")
    if facts.get("task", "segment") != "segment":
        raise DataError(
            f"model.weights={path}: exported for task {facts['task']!r}, so it predicts no masks; "
            "export a -seg model"
        )
    if not ours and (facts["end2end"] or facts["nms"]):
        raise DataError(
            f"model.weights={path}: its boxes are suppressed inside, at a score and an overlap of "
            "its own; export it again with nms=False"
        )
    (given,), (candidates, prototypes) = graph.takes, graph.gives
    batch, *size, _ = given if ours else [given[i] for i in (0, 2, 3, 1)]
    if batch > 1:
        raise DataError(
            f"model.weights={path}: takes {batch} images at once; export it again with batch=1 or "
            "dynamic=True"
        )
    classes = candidates[1] - 4 - prototypes[1]
    if classes != len(names):
        raise DataError(
            f"model.weights={path}: its metadata name {len(names)} classes, but its output has "
            f"{classes}; export it again from its checkpoint"
        )
    fixed = (size[0], size[1]) if min(size) > 0 else None
    return Exported(
        facts,
        tuple(names),
        max(fixed or (imgsz,)),
        stride,
        bool(facts["end2end"]),
        fixed,
        ours,
        tuple(graph.files),
    )


def _of_ultralytics(said: Mapping[str, Any]) -> dict[str, Any]:
    """Its metadata, each a text, in our words."""
    names, imgsz = ast.literal_eval(said["names"]), ast.literal_eval(said["imgsz"])
    args = ast.literal_eval(said.get("args", "{}"))
    return {
        "task": said["task"],
        "names": [names[i] for i in range(len(names))],
        "imgsz": max(imgsz) if isinstance(imgsz, list) else imgsz,
        "stride": max(int(said["stride"]), 32),
        "end2end": said.get("end2end") == "True",
        "nms": bool(args.get("nms")),
        "precision": "int8" if args.get("int8") or args.get("quantize") == 8 else "float32",
    }


def _onnx(path: Path) -> _Graph:
    import onnxruntime

    files = [path, *_beside(path)]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    takes, gives = (
        [[size if isinstance(size, int) else -1 for size in one.shape] for one in ports]
        for ports in (session.get_inputs(), session.get_outputs())
    )
    if any(size < 0 for one in gives for size in one[1:2]):  # how many channels, tracing left open
        (given,) = session.get_inputs()
        (batch, *sizes), kind = takes[0], KINDS[given.type]
        least = np.zeros([max(batch, 1), *(64 if size < 0 else size for size in sizes)], kind)
        gives = [list(one.shape) for one in session.run(None, {given.name: least})]
    return _Graph(takes, gives, session.get_modelmeta().custom_metadata_map, files)


def _beside(path: Path) -> list[Path]:
    """Files that hold numbers of an ONNX file, all in its folder.

    Raises:
        DataError: one is missing, or lies elsewhere.
    """
    import onnx

    model, folder = onnx.load(path, load_external_data=False), path.parent.resolve()
    places = {
        entry.value
        for tensor in _tensors(model.graph)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for place in sorted(places):
        file = (folder / place).resolve()
        if not file.is_relative_to(folder):
            raise DataError(
                f"model.weights={path}: refused: its numbers would be read from outside of its "
                f"folder, {place[:200]}; save it with its data beside it"
            )
        if not file.is_file():
            raise DataError(
                f"model.weights={path}: the numbers that belong to it are missing: {file}; keep "
                "the two files in one folder"
            )
    return [path.parent / place for place in sorted(places)]


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _openvino(path: Path) -> _Graph:
    numbers = path.with_suffix(".bin")
    if not numbers.is_file() and b"<net name=" in path.read_bytes()[:512]:
        raise DataError(
            f"model.weights={path}: the numbers that belong to it are missing: {numbers}; keep the "
            "two files in one folder, under one name"
        )
    try:
        model = openvino_core().read_model(path)
    except RuntimeError as error:  # where in its own source is nobody's business
        if not re.search("weights|size of (?:dimension|constant)", str(error)):
            raise
        raise DataError(
            f"model.weights={path}: {numbers.name}, {numbers.stat().st_size} bytes, does not have "
            "the numbers that belong to it: perhaps a copy that was cut; copy both files again"
        ) from error
    takes, gives = (
        [[-1 if size.is_dynamic else size.get_length() for size in one.partial_shape] for one in of]
        for of in (model.inputs, model.outputs)
    )
    files = [file for file in (path, numbers) if file.is_file()]
    if model.has_rt_info([KEY]):
        return _Graph(takes, gives, {KEY: model.get_rt_info([KEY]).astype(str)}, files)
    beside = path.parent / METADATA
    if not beside.is_file():
        raise DataError(
            f"model.weights={path}: says nothing of itself, and {METADATA}, which ultralytics' "
            "export writes, is not beside it; copy the whole folder, or export it again"
        )
    said = yaml.safe_load(beside.read_text(encoding="utf-8"))
    return _Graph(takes, gives, {k: str(v) for k, v in dict(said).items()}, [*files, beside])
