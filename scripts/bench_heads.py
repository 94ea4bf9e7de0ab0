"""What YOLO26's two heads cost on the CPU: milliseconds an image, in one process, alternated.

    python scripts/bench_heads.py [--weights FILE.pt] [--backend torch] [IMAGE ...]

``network`` is the network alone, ``whole`` has letterboxing, suppression and masks too. Without
weights the network is untrained: it finds nothing, so ``whole`` says nothing of suppression then.
What the heads find is compared by ``stages=[evaluate]`` with and without ``model.end2end=true``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segtrack.base.errors import SegtrackError
from segtrack.model import Network, load_detector, model_settings, resolve_weights
from segtrack.report import table_text

HEADS = {"usual": False, "end-to-end": True}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path, nargs="*", help="default: 20 of noise, 480x640 px")
    parser.add_argument("--model", default="yolo26n-seg")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--backend", default="openvino", choices=("torch", "openvino", "onnx"))
    chosen = parser.parse_args(arguments)
    images: list[Any] = [cv2.imread(str(file)) for file in chosen.images]
    images = images or list(np.random.default_rng(0).integers(0, 255, (20, 480, 640, 3), np.uint8))
    try:
        with tempfile.TemporaryDirectory() as scratch:
            path = chosen.weights or untrained(chosen.model, Path(scratch) / "untrained.pt")
            print(table_text(measured(chosen.model, path, chosen.backend, images)))
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def untrained(name: str, path: Path) -> Path:
    """A checkpoint of the network as it is before any training, of 80 classes."""
    from ultralytics.nn.tasks import SegmentationModel

    from segtrack.model.ultralytics import library

    model = SegmentationModel(library.architecture(name), nc=80, verbose=False)
    library.torch_save({"model": model, "train_args": {"imgsz": 640, "task": "segment"}}, path)
    return path


def measured(name: str, path: Path, backend: str, images: Sequence[Any]) -> list[dict[str, str]]:
    """A row for each head."""
    detectors: dict[str, Any] = {}
    for head, end2end in HEADS.items():
        settings = model_settings(name, weights=str(path), backend=backend, end2end=end2end)
        network = Network(settings, resolve_weights(settings, Path), "cpu")
        detectors[head] = load_detector(network, network.request(network.weights.names, {}))
    ready = [detectors["usual"].prepare(image) for image in images]
    rows: dict[str, dict[str, float]] = {head: {} for head in HEADS}
    for _ in range(6):  # the fastest one counts
        for head, one in detectors.items():
            times = [time.perf_counter()]
            for coming in [one.runtime.start(image.pixels[None]) for image in ready]:
                coming.result()
            times.append(time.perf_counter())
            for raw in one.predict([one.prepare(image) for image in images]):
                raw.decode(0)
            times.append(time.perf_counter())
            for what, took in zip(("network", "whole"), np.diff(times), strict=True):
                rows[head][what] = min(1000 * took / len(images), rows[head].get(what, np.inf))
    return [{"head": h} | {k: f"{v:.1f} ms" for k, v in row.items()} for h, row in rows.items()]


if __name__ == "__main__":
    raise SystemExit(main())
