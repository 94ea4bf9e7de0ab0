"""What training through the pipeline costs beside ultralytics itself, on the CPU.

    python scripts/bench_training.py [--images 64] [--epochs 2] [--imgsz 160] [--pairs 3] [--json]

Trains yolov8n-seg from scratch on simulated images, whole processes that alternate, and prints the
medians of:

- plain: seconds of training against ultralytics' own ``YOLO.train`` with the same settings and
  threads, both in float32. Target: a ratio of 1.03 at most.
- default: the same, ours as it trains by default: in bfloat16 on a CPU that computes in it, which
  ultralytics does on GPUs only.
- installed: seconds of the process, ours by default, against ``yolo segment train`` with the same
  settings, but with the threads and plots that it chooses by itself. Target: a speed-up of 1.2 at
  least.

ultralytics gets settings of its own with its integrations off: with them it would also open an
MLflow run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[1]
OFF = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=64, help="to train on; a quarter validates")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--pairs", type=int, default=3, help="alternated repetitions")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", nargs=3, metavar=("KIND", "DATA", "FOLDER"))
    options = parser.parse_args()
    if options.worker:
        kind, data, folder = options.worker
        seconds = WORKERS[kind](Path(data), Path(folder), options)
        print(f"seconds {seconds}")
        return 0
    figures = measure(options)
    print(json.dumps(figures) if options.json else table(figures))
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Medians in seconds, and the two ratios."""
    inner: dict[str, list[float]] = {"ours": [], "default": [], "plain": []}
    outer: dict[str, list[float]] = {"ours": [], "default": [], "plain": [], "installed": []}
    with tempfile.TemporaryDirectory() as scratch:
        data = simulate(Path(scratch) / "data", options)
        environment = ultralytics_environment(Path(scratch) / "settings")
        for number in range(options.pairs):
            kinds = list(outer) if number % 2 == 0 else list(outer)[::-1]
            for kind in kinds:
                folder = Path(scratch) / f"{kind}{number}"
                folder.mkdir()
                begin = time.perf_counter()
                said = run(command(kind, data, folder, options), environment)
                outer[kind].append(time.perf_counter() - begin)
                if kind in inner:
                    inner[kind].append(float(said.rsplit("seconds ", 1)[1]))
    training = {kind: statistics.median(values) for kind, values in inner.items()}
    process = {kind: statistics.median(values) for kind, values in outer.items()}
    return {
        "training_s": training,
        "process_s": process,
        "plain_ratio": training["ours"] / training["plain"],
        "default_ratio": training["default"] / training["plain"],
        "installed_speedup": process["installed"] / process["default"],
        "cores": os.cpu_count(),
        "pairs": options.pairs,
    }


def table(figures: dict[str, Any]) -> str:
    training, process = figures["training_s"], figures["process_s"]
    return "\n".join(
        [
            f"{'':24}{'ours':>9}{'theirs':>9}",
            f"{'same settings, threads':24}{training['ours']:8.1f}s{training['plain']:8.1f}s"
            f"   {figures['plain_ratio']:.3f}x the time (target: at most 1.03)",
            f"{'ours as by default':24}{training['default']:8.1f}s{training['plain']:8.1f}s"
            f"   {figures['default_ratio']:.3f}x the time",
            f"{'yolo segment train':24}{process['default']:8.1f}s{process['installed']:8.1f}s"
            f"   {figures['installed_speedup']:.2f}x faster (target: at least 1.2)",
        ]
    )


def simulate(folder: Path, options: argparse.Namespace) -> Path:
    """A prepared data set of the simulator; returns its data.yaml."""
    from segtrack.dataset import Dataset, TrafficSimSettings, prepare

    folder.mkdir()
    quarter = max(options.images // 4, 1)
    settings = TrafficSimSettings(
        train=options.images, val=quarter, test=0, pool=0, width=320, height=180, video_count=0
    )
    prepare(settings, 0, folder, lambda *_: None, folder.parent / "cache")
    return Dataset.load(folder).yolo_yaml


def arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Settings that all three train with, by ultralytics' names."""
    return {
        "epochs": options.epochs,
        "batch": 16,
        "imgsz": options.imgsz,
        "optimizer": "SGD",
        "close_mosaic": 0,
        "workers": 0,
        "seed": 0,
        "amp": False,
    }


def command(kind: str, data: Path, folder: Path, options: argparse.Namespace) -> list[str]:
    if kind != "installed":
        sizes = ["--epochs", str(options.epochs), "--imgsz", str(options.imgsz)]
        worker = ["--worker", kind, str(data), str(folder)]
        return [sys.executable, str(Path(__file__)), *sizes, *worker]
    chosen = {**arguments(options), "model": "yolov8n-seg.yaml", "data": data, "device": "cpu"}
    chosen |= {"project": folder, "name": "run"}
    yolo = Path(sys.executable).with_name("yolo")
    return [str(yolo), "segment", "train", *(f"{key}={value}" for key, value in chosen.items())]


def train_ours(data: Path, folder: Path, options: argparse.Namespace, amp: bool = False) -> float:
    """Seconds of the pipeline's ``train``, the import of its libraries not counted."""
    from segtrack.model import Network, TrainingData, model_settings, resolve_weights, train
    from segtrack.model.ultralytics import library  # noqa: F401
    from segtrack.settings import TrainerSettings

    chosen = arguments(options) | {"amp": amp}
    settings = TrainerSettings(name="bench", patience=100, **{k: chosen[k] for k in SETTINGS})
    model = model_settings("yolov8n-seg", weights="scratch")
    network = Network(model, resolve_weights(model, Path), "cpu")
    begin = time.perf_counter()
    data_only = cast(TrainingData, _Data(data))  # of which this family reads no more
    train(data_only, network, settings, 0, folder, lambda *_: None)
    return time.perf_counter() - begin


def train_plain(data: Path, folder: Path, options: argparse.Namespace) -> float:
    """Seconds of ultralytics' own training, with the threads that ours has."""
    import torch
    from ultralytics import YOLO

    model = YOLO("yolov8n-seg.yaml")
    affinity = getattr(os, "sched_getaffinity", None)
    threads = len(affinity(0)) if affinity else os.cpu_count() or 1
    model.add_callback("on_train_epoch_start", lambda _: torch.set_num_threads(threads))
    begin = time.perf_counter()
    model.train(
        data=str(data), device="cpu", plots=False, project=str(folder), **arguments(options)
    )
    return time.perf_counter() - begin


SETTINGS = ("epochs", "batch", "imgsz", "optimizer", "close_mosaic", "workers", "amp")
WORKERS: dict[str, Callable[..., float]] = {
    "ours": train_ours,
    "default": partial(train_ours, amp=True),
    "plain": train_plain,
}


class _Data:
    """The part of a data set that training reads."""

    def __init__(self, yolo_yaml: Path) -> None:
        import yaml

        self.yolo_yaml = yolo_yaml
        names = yaml.safe_load(yolo_yaml.read_text(encoding="utf-8"))["names"]
        self.names = tuple(names.values() if isinstance(names, dict) else names)


def ultralytics_environment(folder: Path) -> dict[str, str]:
    """Settings of its own for ultralytics, so that the user's stay as they are."""
    folder.mkdir()
    inherited = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment = inherited | {
        "YOLO_CONFIG_DIR": str(folder),
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
    }
    off = f"from ultralytics import settings; settings.update(dict.fromkeys({OFF}, False))"
    run([sys.executable, "-c", off], environment)
    return environment


def run(arguments: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
