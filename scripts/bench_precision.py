"""What a backend and a precision do to AP and to speed, on the CPU.

    python scripts/bench_precision.py [--data ../shared/data] [--weights FILE.pt] [--json]

The weights (default: yolov8n-seg, COCO) are judged at 640 px on coco100-val and on the test images
of cityscapes640, computed in float32 by torch and by OpenVINO, in bfloat16 where the CPU has it,
and in 8 bits, calibrated with 300 other images: coco128-seg and cityscapes640's training images.
Milliseconds are those of an image from letterboxed pixels to candidates, several under way.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segtrack.base.errors import SegtrackError, SettingsError
from segtrack.dataset import Dataset, YoloSettings, prepare
from segtrack.evaluation.batches import image_batches
from segtrack.evaluation.matching import Matcher
from segtrack.evaluation.scores import coco_scores
from segtrack.model import (
    Network,
    Predictions,
    Request,
    Weights,
    model_settings,
    predict_images,
    resolve_weights,
)
from segtrack.model.ultralytics.quantizing import quantize_network
from segtrack.report import table_text
from segtrack.settings import EvaluationSettings, SplitFractions

ROOT = Path(__file__).resolve().parents[1]
LIMITS = EvaluationSettings()
STREET = ["person", "car", "truck", "bus", "bicycle", "motorcycle"]
WHOLE = SplitFractions(train=0, val=0, test=1, pool=0)
SETS: Mapping[str, Mapping[str, Any]] = {
    "coco100-val": {"splits": WHOLE},
    "cityscapes640": {"classes": STREET},
}
CALIBRATION = 300  # images of those folders
FOLDERS = ("coco128-seg", "cityscapes640/train")
FIGURES = ("box_map50_95", "mask_map50_95", "mask_map50")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args(arguments)
    data = chosen.data.resolve()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            weights = chosen.weights or data / "weights" / "yolov8n-seg.pt"
            rows = list(compared(data / "images", weights, Path(scratch)))
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if chosen.json:
        print(json.dumps(rows))
        return 0
    shown = [
        {name: f"{v:.4f}" if name in FIGURES else v for name, v in row.items()} for row in rows
    ]
    print(table_text(shown))
    return 0


def compared(images: Path, path: Path, scratch: Path) -> Iterator[dict[str, Any]]:
    """A row for each data set and way."""
    settings = model_settings("yolov8n-seg", weights=str(path), imgsz=640, backend="torch")
    weights = resolve_weights(settings, Path)
    seen = islice(_calibration(images), CALIBRATION)
    quantized = quantize_network(Network(settings, weights, "cpu"), seen, scratch)
    ways: dict[str, tuple[Weights, dict[str, Any]]] = {
        "torch float32": (weights, {"backend": "torch"}),
        "openvino float32": (weights, {"backend": "openvino"}),
        "openvino bfloat16": (weights, {"backend": "openvino", "precision": "bfloat16"}),
        "openvino int8": (dataclasses.replace(weights, path=quantized), {"backend": "openvino"}),
    }
    for name, chosen in SETS.items():
        (out := scratch / name).mkdir()
        prepared = YoloSettings(path=str(images / name), **chosen)
        prepare(prepared, 0, out, lambda *_: None, scratch / "cache")
        dataset = Dataset.load(out)
        for way, (used, knobs) in ways.items():
            network = Network(dataclasses.replace(settings, **knobs), used, "cpu")
            try:
                found = _judged(dataset, network, out)
            except SettingsError as error:  # bfloat16 where the CPU does not have it
                print(error, file=sys.stderr)
                continue
            yield {"images": name, "computed": way, **found}


def _calibration(images: Path) -> Iterator[np.ndarray]:
    for folder in FOLDERS:
        for path in sorted((images / folder / "images").rglob("*.jpg")):
            yield np.asarray(cv2.imread(str(path)))


def _judged(dataset: Dataset, network: Network, scratch: Path) -> dict[str, Any]:
    reported: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        reported[name] = value

    request = Request(dataset.names, dataset.class_map, LIMITS.conf_floor, LIMITS.max_det)
    network.prediction(request)  # says what is not possible
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        predict_images(dataset.iter_images("test"), network, request, Path(out), report)
        frames = Predictions.load(Path(out)).frames()
        matcher = Matcher(len(dataset.names))
        truth = dataset.coco_images("test"), dataset.iter_annotations("test")
        for batch in image_batches(*truth, frames, LIMITS.conf_floor, LIMITS.max_det, size=20):
            matcher.add(batch)
    scores = {
        **coco_scores(matcher.matches("box"), "box").overall,
        **coco_scores(matcher.matches("mask"), "mask").overall,
    }
    ms = round(reported["speed/images_predict_ms"], 1)
    return {**{name: scores[name] for name in FIGURES}, "network ms": ms}


if __name__ == "__main__":
    sys.exit(main())
