"""What tracking in video costs beside the network, and against `yolo track` as it is installed.

    python scripts/bench_video.py [--data ../shared/data] [--frames 0] [--pairs 3] [--json]

Prints two things, measured with yolov8n-seg at 640 px on the CPU:

- around: decoding, masks to RLE, Parquet, association and results.json, per frame, as a share of
  the time of prediction, on a highway video and on the frames of KITTI-17. Target: 0.15 at most.
- speedup: video to trajectories on the highway video against `yolo track`, as whole processes that
  alternate, by the ratio of the medians. Target: 1.4 at least. With --command, the pipeline's own
  command too, MLflow included.

`yolo track` counts every class, so ours does too. Rendering is part of neither.
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
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HIGHWAY, STREET = "videos/sobral_video1.avi", "mot/KITTI-17/img1"
WEIGHTS = "weights/yolov8n-seg.pt"
RUN_BLOCK = dict.fromkeys(("mlflow_run_id", "config_hash", "git_commit"), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--frames", type=int, default=0, help="of each video; 0 for all")
    parser.add_argument("--pairs", type=int, default=3, help="alternated repetitions; 0 for none")
    parser.add_argument("--command", action="store_true", help="measure src/run.py as well")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", type=Path, metavar="VIDEO", help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = options.data.resolve()
    if not (data / WEIGHTS).is_file():
        sys.exit(f"{data / WEIGHTS}: not there. Give the folder with --data")
    if options.worker:
        with tempfile.TemporaryDirectory() as folder:
            track(options.worker, data / WEIGHTS, options.frames, Path(folder))
        return 0
    figures: dict[str, Any] = {
        "around": {
            name: shares(data / source, data / WEIGHTS, options.frames)
            for name, source in (("highway", HIGHWAY), ("street", STREET))
        }
    }
    if options.pairs:
        figures["speed"] = compare(data, options.frames, options.pairs, options.command)
    print(json.dumps(figures) if options.json else table(figures))
    return 0


def shares(source: Path, weights: Path, frames: int) -> dict[str, float]:
    """Milliseconds per frame of each part, and their sum as a share of prediction."""
    with tempfile.TemporaryDirectory() as folder:
        (warm := Path(folder) / "warm").mkdir()
        track(source, weights, 16, warm)
        (cold := Path(folder) / "measured").mkdir()
        reported = track(source, weights, frames, cold)
    around = sum(reported[name] for name in ("detect_ms", "associate_ms", "results_ms"))
    return {**reported, "around_ms": around, "share": around / reported["predict_ms"]}


def track(source: Path, weights: Path, frames: int, folder: Path) -> dict[str, float]:
    """Detect, associate and write results.json in ``folder``; milliseconds per frame."""
    from segtrack.dataset.video import probe_video, read_frames
    from segtrack.model import Network, Predictions, model_settings, predict_video, resolve_weights
    from segtrack.settings import TracksSettings
    from segtrack.tracker import Tracks, associate, write_results
    from segtrack.tracker.bytetrack import ByteTrackSettings

    reported: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        reported[name] = value

    settings = model_settings("yolov8n-seg", weights=str(weights), imgsz=640)
    network = Network(settings, resolve_weights(settings, Path), "cpu")
    request = network.request(network.weights.names, {})
    sequence = probe_video(source)
    images = islice(read_frames(sequence), frames or None)
    predict_video(images, sequence, network, request, folder, report)
    predictions = Predictions.load(folder)
    associate(predictions, ByteTrackSettings(), TracksSettings(), folder, report)
    begin = time.perf_counter()
    tracks = Tracks.load(folder)
    run = {**RUN_BLOCK, "created_at": "now"}
    write_results(tracks, sequence, predictions.info, tracks.info.tracker, run, folder)
    results_ms = 1000 * (time.perf_counter() - begin) / predictions.info.frame_count
    return {
        "predict_ms": reported["speed/predict_ms"],
        "detect_ms": reported["speed/around_ms"],
        "associate_ms": reported["speed/associate_ms"],
        "results_ms": results_ms,
    }


def compare(data: Path, frames: int, pairs: int, command: bool) -> dict[str, Any]:
    """Seconds of whole processes, and the ratios of their medians."""
    with tempfile.TemporaryDirectory() as folder:
        video = shortened(data / HIGHWAY, frames, Path(folder))
        sides: dict[str, Callable[[], float]] = {
            "yolo_track": lambda: yolo_track(video, data / WEIGHTS),
            "segtrack": lambda: timed(
                [sys.executable, __file__, f"--data={data}", f"--worker={video}"], ROOT
            ),
        }
        if command:
            sides["command"] = lambda: pipeline(video, data / WEIGHTS)
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(pairs):
            for name, side in sides.items():
                seconds[name].append(side())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    speedup = {f"{n}_speedup": medians["yolo_track"] / m for n, m in medians.items()}
    del speedup["yolo_track_speedup"]
    return {"seconds": seconds, **speedup}


def yolo_track(video: Path, weights: Path) -> float:
    """`yolo track` as it is installed, writing nothing."""
    yolo = Path(sys.executable).parent / "yolo"
    words = [f"model={weights}", f"source={video}", "imgsz=640", "tracker=bytetrack.yaml"]
    with tempfile.TemporaryDirectory() as folder:
        return timed(
            [str(yolo), "track", *words, "device=cpu", "save=False", f"project={folder}"],
            Path(folder),
        )


def pipeline(video: Path, weights: Path) -> float:
    """The pipeline's command in a new project folder, its database made before."""
    setup = (
        "from segtrack.journal import connect;"
        "from segtrack.settings import MlflowSettings;"
        "connect(MlflowSettings(uri='sqlite:///mlruns/mlflow.db', artifacts='mlruns/artifacts'))"
    )
    words = ["stages=[track]", f"video='{video}'", f"model.weights='{weights}'", "device=cpu"]
    with tempfile.TemporaryDirectory() as folder:
        timed([sys.executable, "-c", setup], Path(folder))
        run = str(ROOT / "src" / "run.py")
        return timed(
            [sys.executable, run, *words, "model.imgsz=640", "render.enabled=false"], Path(folder)
        )


def timed(command: list[str], folder: Path) -> float:
    """Seconds of one command, both sides offline and without writing the user's settings."""
    with tempfile.TemporaryDirectory() as settings:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "YOLO_CONFIG_DIR": settings,
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
        }
        begin = time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        seconds = time.monotonic() - begin
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return seconds


def shortened(video: Path, frames: int, folder: Path) -> Path:
    """The first frames of a video as a file of its own; the video itself where all are wanted."""
    if not frames:
        return video
    import av

    path = folder / f"{video.stem}.avi"
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in islice(source.demux(stream), frames):
            packet.stream = copy
            target.mux(packet)
    return path


def table(figures: dict[str, Any]) -> str:
    lines = []
    for name, parts in figures["around"].items():
        milliseconds = ", ".join(f"{k[:-3]} {v:.2f}" for k, v in parts.items() if k != "share")
        lines.append(f"{name}: {milliseconds} ms per frame; around / predict {parts['share']:.3f}")
    for name, value in figures.get("speed", {}).items():
        if name != "seconds":
            lines.append(f"{name.removesuffix('_speedup')}: {value:.2f} times `yolo track`")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
