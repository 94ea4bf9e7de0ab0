"""Networks in files, computed on the CPU: by OpenVINO, or by ONNX Runtime."""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.model.ultralytics.exported import KINDS, read_exported
from segtrack.model.ultralytics.home import cores, import_openvino, openvino_core
from segtrack.model.ultralytics.runtime import Outputs

# Shapes at most that a network is compiled for; the others share one that takes any. Each takes
# memory: 95 MB of yolov8n-seg at 640 px, 205 of m, 450 of x. So of large ones there are half.
OWN = 4
LARGE = 100e6  # bytes of weights
OFTEN = 24  # images of a shape, which repay compiling for it alone


class _Compiled:
    """One image a request, several requests at once; see ``Runtime``."""

    batch = 1

    def __init__(self, path: Path) -> None:
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)  # of whatever else there is meanwhile; undone by predict
        found = read_exported(path)
        self.stride, self.size, self.ours = found.stride, found.size, found.ours

    def _begin(self, requests: int) -> None:
        """Room for the requests that are computed, and as many that wait their turn."""
        self._pool = ThreadPoolExecutor(requests, "network")
        self._room = threading.BoundedSemaphore(2 * requests)

    def _submit(self, compute: Callable[..., Outputs], *given: Any) -> Future[Outputs]:
        self._room.acquire()
        coming = self._pool.submit(compute, *given)
        coming.add_done_callback(lambda _: self._room.release())
        return coming


class OpenVinoRuntime(_Compiled):
    """OpenVINO, the network compiled for the shape of its input.

    A compiled network for the first shape, and for those that come often. The precision is said,
    since by itself OpenVINO computes in bfloat16 where the CPU has it.
    """

    def __init__(self, path: Path, alone: bool, precision: str = "float32") -> None:
        """``alone``: images come one at a time, each waited for; ``precision``: float32 or
        bfloat16."""
        super().__init__(path)
        self._core = openvino_core()
        self._model = self._core.read_model(path)
        if not self.ours:
            self._model = _taking_images(self._model)
        self._config = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": cores(),
            "PERFORMANCE_HINT": "LATENCY" if alone else "THROUGHPUT",
            "ENABLE_CPU_PINNING": False,  # other threads of ours want the same cores
        }
        large = path.with_suffix(".bin").stat().st_size > LARGE
        self._own = OWN // 2 if large else OWN
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._networks: dict[tuple[int, ...], Any] = {}
        # Those that are free; not a thread's own, which a fork of this process would free at once
        # and wait for threads that it does not have.
        self._free: defaultdict[tuple[int, ...], list[Any]] = defaultdict(list)

    def start(self, pixels: np.ndarray) -> Future[Outputs]:
        shape = pixels.shape
        self._seen[shape] += 1
        own = shape in self._networks
        if not own and len(self._networks) <= self._own:
            own = not self._networks or self._seen[shape] > OFTEN
        key = shape if own else ()
        if key not in self._networks:
            self._networks[key] = self._compile(shape if own else (-1, -1, -1, 3))
        return self._submit(self._compute, key, pixels)

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._model.clone()
        model.reshape(list(shape))
        network = self._core.compile_model(model, "CPU", self._config)
        if not self._networks:
            self._begin(network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        return network

    def _compute(self, key: tuple[int, ...], pixels: np.ndarray) -> Outputs:
        free = self._free[key]
        try:
            request = free.pop()
        except IndexError:
            request = self._networks[key].create_infer_request()
        found = request.infer([pixels], share_inputs=True)
        answer = found[0], found[1]
        free.append(request)
        return answer


def _taking_images(model: Any) -> Any:
    """A network of ultralytics' own export with what ``exporting`` puts before ours."""
    openvino = import_openvino()
    before = openvino.preprocess.PrePostProcessor(model)
    before.input().tensor().set_element_type(openvino.Type.u8)
    before.input().tensor().set_layout(openvino.Layout("NHWC"))
    before.input().model().set_layout(openvino.Layout("NCHW"))
    steps = before.input().preprocess().convert_element_type(openvino.Type.f32)
    steps.reverse_channels().scale(255.0)
    return before.build()


class OnnxRuntime(_Compiled):
    """ONNX Runtime, a core to a request unless images come one at a time."""

    def __init__(self, path: Path, alone: bool) -> None:
        """``alone``: as in ``OpenVinoRuntime``."""
        super().__init__(path)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores() if alone else 1
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(path, options, providers)
        given = self._session.get_inputs()[0]
        self._name, self._kind = given.name, KINDS[given.type]
        self._begin(1 if alone else cores())

    def start(self, pixels: np.ndarray) -> Future[Outputs]:
        return self._submit(self._compute, pixels)

    def _compute(self, pixels: np.ndarray) -> Outputs:
        if not self.ours:  # of ultralytics' own export
            pixels = pixels[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        given = np.ascontiguousarray(pixels, self._kind)
        candidates, prototypes = self._session.run(None, {self._name: given})
        return candidates.astype(np.float32, copy=False), prototypes.astype(np.float32, copy=False)
