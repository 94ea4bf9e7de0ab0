"""Video to trajectories on the CPU: against `yolo track` as it is installed, and the limit.

    python scripts/bench_video.py [--data ../shared/data] [--least 400] [--pairs 3] [--json]
        [--backend openvino] [--parts] [--command]

Measured with yolov8n-seg at 640 px on a highway video, a street video and the frames of KITTI-17:

- speedup: whole processes that alternate, by the ratio of the medians. `yolo track` counts every
  class, so ours does too; rendering is part of neither. Target: 2.0 on each, 2.5 on one. A video of
  fewer than --least frames is repeated up to them, so that what both sides spend on starting does
  not hide the rest; 0 leaves it as it is.
- bare: milliseconds of the network alone at that video's shape, in torch as ultralytics sets it up,
  in torch as segtrack does, and in the backend. A speedup cannot be more than what `yolo track`
  takes for a frame beside the last of them; target where the machine sets that limit: within 15 %.
- with --parts: what goes on beside the network, milliseconds a frame of each part.
- with --command: the pipeline's own command too, MLflow included.

The network is converted, and the backend chosen, before anything is timed: both are done once on a
machine and kept.
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
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VIDEOS = {
    "highway": "videos/sobral_video1.avi",
    "street": "videos/centertrack_nuscenes_mini.mp4",
    "KITTI-17": "mot/KITTI-17/img1",
}
WEIGHTS = "weights/yolov8n-seg.pt"
RUN_BLOCK = dict.fromkeys(("mlflow_run_id", "config_hash", "git_commit"), None)
ROUNDS, IMAGES = 5, 8  # of the bare network; the median round counts


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--videos", nargs="*", choices=VIDEOS, default=list(VIDEOS))
    parser.add_argument("--least", type=int, default=400, help="frames; 0 for videos as they are")
    parser.add_argument("--pairs", type=int, default=3, help="alternated repetitions; 0 for none")
    parser.add_argument("--backend", default="auto", help="model.backend of segtrack's side")
    parser.add_argument("--parts", action="store_true", help="what goes on beside the network")
    parser.add_argument("--command", action="store_true", help="measure src/run.py as well")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", type=Path, metavar="VIDEO", help=argparse.SUPPRESS)
    options = parser.parse_args()
    weights = options.data.resolve() / WEIGHTS
    if not weights.is_file():
        sys.exit(f"{weights}: not there. Give the folder with --data")
    os.environ.setdefault("SEGTRACK_HOME", str(Path(tempfile.gettempdir()) / "bench_video"))
    ours = partial(track, weights=weights, backend=options.backend)
    if options.worker:
        with tempfile.TemporaryDirectory() as folder:
            ours(options.worker, folder=Path(folder))
        return 0
    figures: dict[str, Any] = {"cpu": cpu(), "videos": {}}
    for name in options.videos:
        with tempfile.TemporaryDirectory() as folder:
            video, frames = long_enough(
                options.data.resolve() / VIDEOS[name], options.least, Path(folder)
            )
            found: dict[str, Any] = {"frames": frames}
            warm = ours(video, folder=Path(folder), frames=32)  # converts, and chooses the backend
            if options.parts:
                found["parts"] = {**ours(video, folder=Path(folder))}
            found["bare"] = bare(video, weights, warm["backend"])
            if options.pairs:
                found |= compare(video, weights, options)
            figures["videos"][name] = found
            if not options.json:
                print(told(name, found), flush=True)
    print(json.dumps(figures) if options.json else f"measured on {figures['cpu']}")
    return 0


def cpu() -> str:
    from segtrack.model.ultralytics.backends import cpu_name

    return cpu_name()


def network_of(weights: Path, backend: str) -> Any:
    from segtrack.model import Network, model_settings, resolve_weights

    settings = model_settings("yolov8n-seg", weights=str(weights), imgsz=640, backend=backend)
    return Network(settings, resolve_weights(settings, Path), "cpu")


def track(
    source: Path, weights: Path, backend: str, folder: Path, frames: int = 0
) -> dict[str, Any]:
    """Detect, associate and write results.json in ``folder``; milliseconds per frame."""
    from segtrack.dataset.video import probe_video, read_frames
    from segtrack.model import Predictions, predict_video
    from segtrack.settings import TracksSettings
    from segtrack.tracker import Tracks, associate, write_results
    from segtrack.tracker.bytetrack import ByteTrackSettings

    reported: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        reported[name] = value

    network = network_of(weights, backend)
    request = network.request(network.weights.names, {})
    chosen = network.prediction(request)["compute"].get("backend", "torch").split()[0]
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
        "backend": chosen,
        "predict_ms": reported["speed/predict_ms"],
        "detect_ms": reported["speed/around_ms"],
        "associate_ms": reported["speed/associate_ms"],
        "results_ms": results_ms,
    }


def bare(video: Path, weights: Path, backend: str) -> dict[str, Any]:
    """Milliseconds of an image by the network alone, the ways alternated in rounds."""
    import numpy as np
    import torch

    from segtrack.dataset.video import probe_video, read_frames
    from segtrack.model.ultralytics.backends import make_runtime
    from segtrack.model.ultralytics.detector import YoloDetector
    from segtrack.model.ultralytics.home import cores

    network = network_of(weights, backend)
    detector = YoloDetector(network, network.request(network.weights.names, {}))
    images = [detector.prepare(x) for x in islice(read_frames(probe_video(video)), IMAGES)]
    runtime, ours = make_runtime(network, "torch"), detector.runtime
    theirs = make_runtime(network, "torch")
    theirs.model = theirs.model.to(memory_format=torch.contiguous_format)  # type: ignore[attr-defined]
    threads = cores()

    def run(what: Any, count: int, size: int) -> None:
        torch.set_num_threads(count)
        groups = [images[i : i + size] for i in range(0, len(images), size)]
        begun = [what.start(np.stack([one.pixels for one in group])) for group in groups]
        for coming in begun:
            coming.result()

    ways: dict[str, Callable[[], None]] = {
        "torch as installed": lambda: run(theirs, max(1, threads - 1), 1),
        "torch as segtrack has it": lambda: run(runtime, threads, 8),
    }
    if backend != "torch":
        ways[backend] = lambda: run(ours, 1, 1)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            times[name].append(1000 * (time.perf_counter() - begin) / len(images))
    height, width = images[0].pixels.shape[:2]
    ms = {name: round(statistics.median(found[1:]), 2) for name, found in times.items()}
    return {"input": f"{height}x{width}", "ms": ms}


def compare(video: Path, weights: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of whole processes, and the ratios of their medians."""
    worker = [__file__, f"--data={options.data.resolve()}", f"--backend={options.backend}"]
    sides: dict[str, Callable[[], float]] = {
        "yolo_track": lambda: yolo_track(video, weights),
        "segtrack": lambda: timed([sys.executable, *worker, f"--worker={video}"], ROOT),
    }
    if options.command:
        sides["command"] = lambda: pipeline(video, weights, options.backend)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.pairs):
        for name, side in sides.items():
            seconds[name].append(side())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    theirs = medians["yolo_track"]
    speedup = {name: theirs / ours for name, ours in medians.items() if name != "yolo_track"}
    return {"seconds": seconds, "speedup": speedup}


def yolo_track(video: Path, weights: Path) -> float:
    """`yolo track` as it is installed, writing nothing."""
    yolo = Path(sys.executable).parent / "yolo"
    words = [f"model={weights}", f"source={video}", "imgsz=640", "tracker=bytetrack.yaml"]
    with tempfile.TemporaryDirectory() as folder:
        return timed(
            [str(yolo), "track", *words, "device=cpu", "save=False", f"project={folder}"],
            Path(folder),
        )


def pipeline(video: Path, weights: Path, backend: str) -> float:
    """The pipeline's command in a new project folder, its database made before."""
    setup = (
        "from segtrack.journal import connect;"
        "from segtrack.settings import MlflowSettings;"
        "connect(MlflowSettings(uri='sqlite:///mlruns/mlflow.db', artifacts='mlruns/artifacts'))"
    )
    words = ["stages=[track]", f"video='{video}'", f"model.weights='{weights}'", "device=cpu"]
    words += ["model.imgsz=640", "render.enabled=false", f"model.backend={backend}"]
    with tempfile.TemporaryDirectory() as folder:
        timed([sys.executable, "-c", setup], Path(folder))
        return timed([sys.executable, str(ROOT / "src" / "run.py"), *words], Path(folder))


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


def long_enough(video: Path, least: int, folder: Path) -> tuple[Path, int]:
    """The video, repeated where it has fewer frames than that, and how many it has then."""
    if video.is_dir():
        images = sorted(path for path in video.iterdir() if path.is_file())
        times = max(1, -(-least // len(images)))
        if times == 1:
            return video, len(images)
        (repeated := folder / "img1").mkdir()
        for number, image in enumerate(images * times, start=1):
            (repeated / f"{number:06d}{image.suffix}").symlink_to(image.resolve())
        return repeated, len(images) * times
    import av

    with av.open(str(video)) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        count, times = len(packets), max(1, -(-least // len(packets)))
        if times == 1:
            return video, count
        path = folder / f"{video.stem}{video.suffix}"
        with av.open(str(path), "w") as target:
            copy = target.add_stream_from_template(stream)
            for packet in _again(video, times):
                packet.stream = copy
                target.mux(packet)
    return path, count * times


def _again(video: Path, times: int) -> Iterator[Any]:
    """A video's packets that many times, one after the other."""
    import av

    shift = 0
    for _ in range(times):
        end = 0
        with av.open(str(video)) as source:
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    end = max(end, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    yield packet
        shift += end


def told(name: str, found: dict[str, Any]) -> str:
    bare_ms = ", ".join(f"{way} {ms:.1f}" for way, ms in found["bare"]["ms"].items())
    lines = [f"{name}, {found['frames']} frames"]
    lines.append(f"  bare network, {found['bare']['input']}: {bare_ms} ms an image")
    if parts := found.get("parts"):
        milliseconds = ", ".join(f"{k[:-3]} {v:.2f}" for k, v in parts.items() if k != "backend")
        lines.append(f"  {parts['backend']}: {milliseconds} ms a frame")
    for side, value in found.get("speedup", {}).items():
        seconds = {k: f"{statistics.median(v):.1f}" for k, v in found["seconds"].items()}
        lines.append(
            f"  {side}: {value:.2f} times `yolo track` ({seconds[side]} and "
            f"{seconds['yolo_track']} s)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
