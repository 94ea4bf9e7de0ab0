"""How fast a large data set is prepared, and how much memory that takes.

    python scripts/bench_dataset.py                       # 100,000 generated images of 320x240
    python scripts/bench_dataset.py --images 20000 --json

Makes a YOLO data set of distinct JPEGs with three polygons each in a temporary folder, prepares a
fifth of it and all of it (peak memory should be about the same), then changes one file and prepares
again (one file should be read). Every ``prepare`` is a process of its own, with peaks of its own.
Decoding the pixels is off, as for any set of this size; the header and all bytes are read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, VARIANTS, POLYGONS, POINTS = 320, 240, 64, 3, 20
NAMES = ("person", "car", "truck", "bus")
PER_FOLDER = 5000


def main() -> None:
    """Run the benchmark, or, with ``--child``, one ``prepare`` of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--child", nargs=3, metavar=("DATA", "OUT", "CACHE"), help="internal")
    args = parser.parse_args()
    if args.child:
        data, out, cache = map(Path, args.child)
        print(json.dumps(prepare_once(data, out, cache, workers=args.workers)))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        figures = bench(Path(scratch), args.images, args.workers)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:28} {value:,.1f}" if isinstance(value, float) else f"{name:28} {value:,}")


def bench(folder: Path, images: int, workers: int) -> dict[str, Any]:
    """The figures for a data set of ``images`` images."""
    small, large = folder / "small", folder / "large"
    make_dataset(small, images // 5)
    make_dataset(large, images)
    part = run_child(small, folder / "out-small", folder / "cache-small", workers)
    first = run_child(large, folder / "out-1", folder / "cache", workers)
    changed = next((large / "images").glob("*/*.jpg"))
    changed.write_bytes(jpeg_with_comment(changed.read_bytes(), "changed"))
    second = run_child(large, folder / "out-2", folder / "cache", workers)
    return {
        "images": images,
        "workers": workers,
        "seconds": first["seconds"],
        "images_per_second": images / first["seconds"],
        "cpu_ms_per_image": 1000 * first["cpu_seconds"] / images,
        "peak_main_mib": first["peak_main_mib"],
        "peak_main_mib_of_a_fifth": part["peak_main_mib"],
        "peak_worker_mib": first["peak_worker_mib"],
        "files_read_first": first["files_read"],
        "files_read_after_one_change": second["files_read"],
        "seconds_second": second["seconds"],
        "fingerprint_changed": second["fingerprint"] != first["fingerprint"],
    }


def run_child(data: Path, out: Path, cache: Path, workers: int) -> dict[str, Any]:
    """One ``prepare`` in a fresh process."""
    out.mkdir()
    command = [sys.executable, __file__, "--workers", str(workers)]
    command += ["--child", str(data), str(out), str(cache)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def prepare_once(data: Path, out: Path, cache: Path, workers: int) -> dict[str, Any]:
    """Prepare ``data`` and say how long it took and how much memory."""
    from segtrack.dataset import Dataset, YoloSettings, prepare

    reported: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        reported[name] = value

    settings = YoloSettings(path=str(data), decode=False, workers=workers)
    start = time.perf_counter()
    prepare(settings, 0, out, report, cache)
    seconds = time.perf_counter() - start
    used = os.times()
    return {
        "seconds": seconds,
        "cpu_seconds": used.user + used.system + used.children_user + used.children_system,
        "files_read": int(reported["speed/files_read"]),
        "fingerprint": Dataset.load(out).fingerprint,
        "peak_main_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_worker_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def make_dataset(folder: Path, count: int) -> None:
    """A YOLO data set of ``count`` images with distinct bytes."""
    import cv2

    rng = np.random.default_rng(0)
    variants = []
    for _ in range(VARIANTS):
        small = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
        image = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        variants.append(cv2.imencode(".jpg", image)[1].tobytes())
    labels = [_label(rng) for _ in range(VARIANTS)]
    for number in range(count):
        part = f"{number // PER_FOLDER:03d}"
        if number % PER_FOLDER == 0:
            (folder / "images" / part).mkdir(parents=True)
            (folder / "labels" / part).mkdir(parents=True)
        data = jpeg_with_comment(variants[number % VARIANTS], str(number))
        (folder / "images" / part / f"{number:07d}.jpg").write_bytes(data)
        (folder / "labels" / part / f"{number:07d}.txt").write_text(labels[number % VARIANTS])
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(NAMES))
    (folder / "data.yaml").write_text(f"train: images\nval: images\nnames:\n{names}")
    os.sync()


def jpeg_with_comment(data: bytes, comment: str) -> bytes:
    """The JPEG with a comment segment behind its start marker."""
    text = comment.encode()
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


def _label(rng: np.random.Generator) -> str:
    rows = []
    for _ in range(POLYGONS):
        angle = np.sort(rng.uniform(0, 2 * np.pi, POINTS))
        radius = rng.uniform(0.05, 0.12, POINTS)
        centre = rng.uniform(0.15, 0.85, 2)
        points = centre + np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
        values = " ".join(f"{value:.6f}" for value in points.reshape(-1))
        rows.append(f"{rng.integers(len(NAMES))} {values}\n")
    return "".join(rows)


if __name__ == "__main__":
    main()
