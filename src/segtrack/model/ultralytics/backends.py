"""Which library computes a network: the one that was named, or the fastest one on this machine.

Light to import: it is asked for every key.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segtrack.base.atomic import alone_with, write_whole
from segtrack.base.errors import SettingsError, StageError, of_machine
from segtrack.base.processes import stop_if_asked
from segtrack.base.progress import doing
from segtrack.base.saying import say
from segtrack.model.devices import first_device
from segtrack.model.port import Network
from segtrack.model.ultralytics.home import kept, openvino_core
from segtrack.model.ultralytics.settings import BACKENDS, YoloSegSettings
from segtrack.settings import ModelSettings

if TYPE_CHECKING:
    from segtrack.model.ultralytics.runtime import Runtime

VARIABLE = "SEGTRACK_BACKEND"  # what auto means, without a measurement
ROUNDS, IMAGES = 3, 6  # of a measurement; the fastest round counts
ENOUGH = 10.0  # s; no further round begins, so that a large network is not measured for minutes
CLEARLY = 0.9  # of the time of one before it in PACKAGES: what takes its place
PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime", "torch": "torch"}
_results: dict[str, str] = {}  # of measurements, in this process


def backend_of(network: Network) -> tuple[str, str]:
    """The backend that predicts, ``torch``, ``openvino`` or ``onnx``, and the version of its
    library, major and minor.

    Raises:
        SettingsError: it is not installed, or does not compute on the device.
    """
    chosen = _chosen(network)
    found = _version(PACKAGES[chosen])
    if not found:
        what = "'segtrack[onnx]'" if chosen == "onnx" else "openvino"
        raise SettingsError(
            f"model.backend={chosen}: {PACKAGES[chosen]} is not installed; pip install {what}, or "
            "use model.backend=auto"
        )
    return chosen, ".".join(found.split(".")[:2])


def load_runtime(network: Network) -> Runtime:
    """The runtime that the settings ask for.

    Raises:
        SettingsError: it is not installed, or does not compute on the device.
    """
    return make_runtime(network, backend_of(network)[0])


def make_runtime(network: Network, backend: str) -> Runtime:
    """The network computed by ``torch``, ``openvino`` or ``onnx``."""
    if backend == "torch":
        from segtrack.model.ultralytics.runtimes import TorchRuntime

        return TorchRuntime(network)
    from segtrack.model.ultralytics.compiled import OnnxRuntime, OpenVinoRuntime
    from segtrack.model.ultralytics.exporting import SUFFIXES, converted

    assert isinstance(network.settings, YoloSegSettings)
    path, alone = network.weights.path, network.settings.batch == 1
    if path.suffix not in SUFFIXES.values():
        path = converted(network, backend)
    if backend == "onnx":
        return OnnxRuntime(path, alone)
    return OpenVinoRuntime(path, alone, network.settings.precision)


def _chosen(network: Network) -> str:
    settings, weights = network.settings, network.weights
    assert isinstance(settings, YoloSegSettings)
    named = named_backend(settings, network.device, weights.path)
    if named and (weights.trained or settings.backend != "auto"):
        return named
    return _fastest(network) if weights.trained else "torch"


def named_backend(settings: ModelSettings, device: Any, path: Path | None) -> str:
    """The backend that follows from settings, device and the file of the weights, if there is one
    yet; empty where the fastest is to be found.

    Raises:
        SettingsError: it does not compute that file, or not on that device.
    """
    assert isinstance(settings, YoloSegSettings)
    asked, wanted, device = device, settings.backend, first_device(device)
    form = {".xml": "openvino", ".onnx": "onnx"}.get(path.suffix) if path else None
    if form and wanted not in ("auto", form):
        raise SettingsError(
            f"model.backend={wanted}: {path} is computed by {form}; use "
            "model.backend=auto, or the checkpoint"
        )
    if settings.precision == "bfloat16":
        if form == "onnx":
            raise SettingsError(
                f"model.precision=bfloat16: {path} is computed by onnx, which does not have it; "
                "leave it out, or give the checkpoint"
            )
        _require_bfloat16(form or wanted, "cpu" if form else device)
        return "openvino"
    if form:
        return form
    if wanted in ("openvino", "onnx"):
        if device != "cpu" and asked != "auto":
            raise SettingsError(
                f"model.backend={wanted}: it computes on the CPU here, not on device="
                f"{asked}; use device=cpu, or model.backend=torch"
            )
        return wanted
    if wanted == "torch" or device != "cpu":
        return "torch"
    said = os.environ.get(VARIABLE, "")
    if said and (said not in BACKENDS or said == "auto"):
        raise SettingsError(f"{VARIABLE}={said}: must be one of {', '.join(BACKENDS[1:])}")
    return said


def precision_of(network: Network) -> str:
    """The one that a backend of the CPU computes in: ``float32`` or ``bfloat16``, behind ``int8``
    where the file's convolutions are in whole numbers."""
    assert isinstance(network.settings, YoloSegSettings)
    rest, path = network.settings.precision, network.weights.path
    if path.suffix != ".xml" or _precision_in(path, path.stat().st_mtime_ns) != "int8":
        return rest
    return "int8" if rest == "float32" else f"int8 {rest}"


@lru_cache(maxsize=16)
def _precision_in(path: Path, _: int) -> str:
    from segtrack.model.ultralytics.exported import read_exported

    return str(read_exported(path).facts["precision"])


def _require_bfloat16(backend: str, device: str) -> None:
    wrong = ""
    if backend not in ("auto", "openvino"):
        wrong = f"model.backend={backend} does not compute in it; use model.backend=openvino"
    elif device != "cpu":
        wrong = "it is for a CPU; use device=cpu"
    elif _version("openvino") and "BF16" not in _cpu_precisions():
        wrong = f"this CPU does not have it ({cpu_name()}); use float32"
    if wrong:
        raise SettingsError(f"model.precision=bfloat16: {wrong}")


def _cpu_precisions() -> Sequence[str]:
    found: list[str] = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return found


def _fastest(network: Network) -> str:
    there = tuple(name for name in PACKAGES if _version(PACKAGES[name]))
    if not _version("onnx"):  # which writes what ONNX Runtime reads
        there = tuple(name for name in there if name != "onnx")
    if len(there) == 1:
        return "torch"
    size = network.settings.imgsz or network.weights.imgsz
    tools = [f"{PACKAGES[name]} {_version(PACKAGES[name])}" for name in there]
    how = "one by one" if network.settings.batch == 1 else "many"
    what = ", ".join([cpu_name(), network.settings.name, f"{size} px", how, *tools])
    if network.settings.trust:  # its layers may be of its own
        what += f", {network.weights.sha256[:12]}"
    file = kept() / "fastest.json"
    if what not in _results:
        _results.update(_read(file))
    if what not in _results:
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # a store that can only be read: in each process
                stack.enter_context(alone_with(file))
            _results.update(_read(file))
            if what not in _results:
                _results[what] = _measured(network, there, size)
                text = json.dumps(_read(file) | _results, indent=1, ensure_ascii=False)
                with contextlib.suppress(OSError):
                    write_whole(file, text)
    return _results[what]


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {what: name for what, name in known if name in PACKAGES}


def _measured(network: Network, names: Sequence[str], size: int) -> str:
    """The fastest one with images of 4:3, alternated in rounds.

    Raises:
        OSError, MemoryError, StageError: the machine lacks room or memory, so that nothing is known
            of a backend, and none is chosen.
    """
    say(f"measuring once which of {', '.join(names)} is fastest here")
    runtimes = {}
    for name in names:
        try:
            with doing(f"compile for {name}"):
                runtimes[name] = make_runtime(network, name)
        except Exception as error:  # of a converter: there are networks that it does not know
            stop_if_asked()  # which a library may have made an error of its own
            ours = isinstance(error, StageError) or getattr(error, "errno", None) is not None
            if name == "torch" or ours or of_machine(error):
                raise
            say(f"{name} does not compute it: {' '.join(str(error).split())[:150]}")
    names = tuple(runtimes)
    stride = runtimes[names[-1]].stride
    wide = -(-size // stride) * stride
    shape = (IMAGES, max(stride, wide * 3 // 4 // stride * stride), wide, 3)
    images = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    seconds = dict.fromkeys(names, float("inf"))
    first = time.perf_counter()
    for round_ in range(ROUNDS + 1):
        for name, runtime in runtimes.items():
            begin = time.perf_counter()
            steps = range(0, IMAGES, runtime.batch)
            for coming in [runtime.start(images[i : i + runtime.batch]) for i in steps]:
                coming.result()
            took = time.perf_counter() - begin
            # The first one warms up, and counts only where there is no other.
            seconds[name] = took if round_ < 2 else min(seconds[name], took)
        if time.perf_counter() - first > ENOUGH:
            break
    told = ", ".join(f"{name} {1000 * s / IMAGES:.0f} ms" for name, s in seconds.items())
    say(f"an image takes: {told}")
    best = names[0]
    for name in names[1:]:
        best = name if seconds[name] < CLEARLY * seconds[best] else best
    return best


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@lru_cache(maxsize=1)
def cpu_name() -> str:
    """Name, instruction sets that matter, and cores of this machine's CPU."""
    name, flags = platform.processor() or platform.machine(), set()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        fields = dict(re.findall(r"^([^\t:]+)\s*: (.*)$", text.split("\n\n")[0], re.MULTILINE))
        name = f"{fields.get('model name', name)} model {fields.get('model', '')}"
        flags = set(fields.get("flags", "").split())
    except OSError:
        pass
    sets = sorted(flag for flag in flags if re.match(r"avx|amx|fma$|f16c$", flag))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name} ({' '.join(sets)}) x {cores}"
