"""What a GPU makes of it, against ultralytics as it is installed on the same machine.

    python scripts/bench_gpu.py [--device 0] [--data ../shared/data] [--seconds 480] [--out FILE]
    python scripts/bench_gpu.py --quick --device cpu        a dry run of all rows, in a few minutes

Prints JSON: the machine, how busy the card was, and a row for each measurement with its targets and
whether each was met; on stderr each row as it comes and, at the end, a table of all targets, each
beside its figure. A row that fails says why and ends no other; those that the time is over for are
left out and say so. Needs no network. Videos and weights come from --data where they are there,
else from the simulator and from the weights that ship.

Rows: video at its own size and at 1440x1080 (detect to results.json in this process; `model.track`,
`predict`), the network alone, eight videos in one command, how fast the machine decodes, images at
confidence .001, whole commands with rendered video, a training epoch, the average precision of half
precision beside float32.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, redirect_stdout
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
SMALL, WEIGHTS = "videos/sobral_video1.avi", "weights/yolov8n-seg.pt"
SHIPPED = ROOT / "src" / "segtrack" / "model" / "ultralytics" / "yolov8n-seg-sim.pt"
BIG = (1440, 1080)
YOLO = "from ultralytics.cfg import entrypoint; entrypoint()"
Row = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """What all rows share.

    Attributes:
        device: as segtrack takes it. small, big: videos. weights: of yolov8n-seg.
        frames: of a video; 0 for all. images, epochs: of the simulated data set.
        folder: for whatever is made.
    """

    device: str
    small: Path
    big: Path
    weights: Path
    frames: int
    images: int
    epochs: int
    imgsz: int
    folder: Path

    @property
    def card(self) -> bool:
        return self.device != "cpu"

    @property
    def theirs(self) -> str:
        """The device as ultralytics takes it."""
        from segtrack.model.devices import device_argument

        return device_argument(self.device)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seconds", type=float, default=480, help="after which no row begins")
    parser.add_argument("--quick", action="store_true", help="a few frames, images and steps")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("YOLO_OFFLINE", "true")
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    with tempfile.TemporaryDirectory() as folder:
        bench = prepared(options, Path(folder))
        found = measured(bench, options.rows, options.seconds)
    text = json.dumps(found, indent=1)
    if options.out:
        options.out.write_text(text)
    print(text)
    print(f"\n{table(found['rows'])}", file=sys.stderr)
    return 0


def prepared(options: argparse.Namespace, folder: Path) -> Bench:
    """Videos and weights, found or made."""
    from segtrack.model.devices import device_argument

    data, quick = options.data.resolve(), options.quick
    device = device_argument(options.device)  # says so where there is no such card
    frames = 12 if quick else 0
    small = data / SMALL
    if not small.is_file():
        small = simulated_video(folder / "simulated.mp4", frames or 300)
    weights = data / WEIGHTS
    big = enlarged(small, folder / "big.mp4", frames)
    if quick:
        small = enlarged(small, folder / "small.mp4", frames, None)
    sizes = (8, 1, 64) if quick else (800, 3, 640)
    weights = weights if weights.is_file() else SHIPPED
    return Bench(device, small, big, weights, frames, *sizes, folder)


def measured(bench: Bench, rows: Iterable[str], seconds: float) -> dict[str, Any]:
    """All rows, and what the card did meanwhile."""
    from segtrack.model import gpu_record

    start, found = time.perf_counter(), {}
    tags: dict[str, str] = {}
    load: dict[str, float] = {}
    with gpu_record(bench.device, tags.update, load.__setitem__):
        for name in rows:
            begin = time.perf_counter()
            if begin - start > seconds:
                found[name] = {"skipped": f"{seconds:.0f} s are over"}
                continue
            print(f"{name} ...", file=sys.stderr, flush=True)
            busy: Row = {}
            try:
                with (
                    gpu_record(bench.device, lambda _: None, busy.__setitem__),
                    redirect_stdout(sys.stderr),  # the other gets JSON alone
                ):
                    found[name] = judged(ROWS[name](bench))
            except Exception as error:  # a row says what it lacks, and the others go on
                traceback.print_exc()
                found[name] = {"error": f"{type(error).__name__}: {error}"[:500]}
            found[name] |= busy | {"took_s": round(time.perf_counter() - begin, 1)}
            print(json.dumps({name: found[name]}), file=sys.stderr, flush=True)
    machine = {**tags, "cpu_cores": os.cpu_count(), "torch": __import__("torch").__version__}
    return {"machine": machine, "load": load, "rows": found}


def judged(row: Row) -> Row:
    """The row with whether its targets were met: each is a value's name, a sign and a limit."""
    targets = {}
    for target in row.pop("targets", ()):
        name, sign, limit = target.split()
        value = row[name]
        targets[target] = value >= float(limit) if sign == ">=" else value <= float(limit)
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
    return rounded | {"targets": targets}


def table(rows: dict[str, Row]) -> str:
    """All targets, each beside its figure; and what was not measured."""
    from segtrack.report import table_text

    lines: list[Row] = []
    for name, row in rows.items():
        if why := row.get("error") or row.get("skipped"):
            lines.append({"row": name, "figure": why[:60], "result": "not measured"})
        for target, met in row.get("targets", {}).items():
            figure, sign, limit = target.split()
            wanted = {"measured": row[figure], "target": f"{sign} {limit}"}
            result = "pass" if met else "fail"
            lines.append({"row": name, "figure": figure, **wanted, "result": result})
    return table_text(lines) if lines else "no row has a target"


def video_small(bench: Bench) -> Row:
    return video(bench, bench.small)


def video_big(bench: Bench) -> Row:
    return video(bench, bench.big)


def video(bench: Bench, path: Path) -> Row:
    """Frames per second of one video, from file to results.json, against ultralytics."""
    from segtrack.dataset.video import probe_video, read_frames

    sequence = probe_video(path)
    decode = rate(pyav(path))
    ours, parts = track(bench, path, warm=True)
    theirs = their_track(bench, path)
    return {
        "frames": sequence.frame_count,
        "size": f"{sequence.width}x{sequence.height}",
        "ours_fps": ours,
        **parts,
        "decode_fps": decode,
        "read_fps": rate(read_frames(sequence)),
        "track_fps": theirs,
        "predict_fps": their_predict(bench, path),
        "against_track": ours / theirs,
        "share_of_decoding": ours / decode,
        "targets": ("against_track >= 3", "share_of_decoding >= 0.6"),
    }


def network(bench: Bench) -> Row:
    """Images per second of the network alone, 480x640, 16 at once, its first and later batches."""
    import numpy as np

    runtime = detector(bench).runtime
    pixels = np.zeros((16 if bench.card else 2, 480, 640, 3), np.uint8)
    found: Row = {"batch": len(pixels)}
    for name, rounds in (("warm", 3), ("eager_fps", 3), ("warm", 3), ("graph_fps", 20)):
        rounds = rounds if bench.card else 1
        if name == "eager_fps" and hasattr(runtime, "_seen"):
            runtime._seen.clear()  # no graph is recorded yet
        synchronise(bench)
        begin = time.perf_counter()
        for _ in range(rounds):
            runtime.start(pixels).result()
        synchronise(bench)
        found[name] = rounds * len(pixels) / (time.perf_counter() - begin)
    del found["warm"]
    return found


def folder_of_videos(bench: Bench) -> Row:
    """Eight videos of one command, from files to results.json, against ``model.track``, whose rate
    one after the other is that of one. On a CPU, where a command takes one after the other too,
    together all the same."""
    from segtrack.command.app import CONF
    from segtrack.command.composition import compose_settings
    from segtrack.model import Together
    from segtrack.pipeline import Runner
    from segtrack.store import Store

    count, folder = 2 if bench.frames else 8, bench.folder / "eight"
    folder.mkdir()
    paths = turned(bench.small, folder, count)
    words = [f"video={folder}", f"model.weights={bench.weights}", f"model.imgsz={bench.imgsz}"]
    words += ["stages=[track]", "dataset=none", "render.enabled=false", "labellerr=off"]
    settings = compose_settings(CONF, [*words, f"device={bench.device}"])
    found: Row = {"videos": count}
    how: Any = nullcontext() if bench.card else mock.patch.object(Together, "most", count)
    detecting: list[float] = []
    timed_run = mock.patch.object(Together, "run", timed(Together.run, detecting))
    for name in ("cold", "warm"):
        place = bench.folder / name
        place.mkdir()
        runner = Runner(settings, Store(place / "store"), None, place)
        begin = time.perf_counter()
        with how, timed_run:
            runner.run()
        found[f"{name}_s"] = time.perf_counter() - begin
        found[f"{name}_detect_s"] = detecting[-1]
        reports = [json.loads(p.read_text()) for p in place.glob("tracking/*/results.json")]
        found["frames"] = sum(one["video"]["frame_count"] for one in reports)
    ours, theirs = found["frames"] / found["warm_s"], their_track(bench, paths[0])
    return {
        **found,
        "ours_fps": ours,
        "track_fps": theirs,
        "against_track": ours / theirs,
        "targets": ("against_track >= 8",),
    }


def decoding(bench: Bench) -> Row:
    """Frames per second that the machine decodes, in one thread and in several."""
    from segtrack.dataset.video import probe_video, read_frames

    threads = min(8, os.cpu_count() or 1)
    found: Row = {"threads": threads}
    for name, path in (("small", bench.small), ("big", bench.big)):
        sequence = probe_video(path)
        found[f"{name}_fps"] = rate(read_frames(sequence))
        with ThreadPoolExecutor(threads) as pool:
            begin = time.perf_counter()
            total = sum(pool.map(frames_in, [sequence] * threads))
            found[f"{name}_threads_fps"] = total / (time.perf_counter() - begin)
    return found


def pyav(path: Path) -> Iterator[Any]:
    """What decoding is here: PyAV on all cores, each frame as BGR. ``read_frames`` is faster."""
    import av

    with av.open(str(path)) as file:
        file.streams.video[0].thread_type = "AUTO"
        for frame in file.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def frames_in(sequence: Any) -> int:
    from segtrack.dataset.video import read_frames

    return sum(1 for _ in read_frames(sequence))


def images(bench: Bench) -> Row:
    """Images per second at confidence .001, as evaluate predicts, against ``predict``."""
    import cv2
    from ultralytics import YOLO

    from segtrack.model import predict_images
    from segtrack.model.predict import loaded

    rows = list(simulated(bench).iter_images("train"))[:256]
    weights = network_of(bench)
    request, seconds = low_request(weights), []
    with loaded(weights, request) as ready:  # as theirs, whose loading is not counted either
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                how = (weights, request, Path(folder), lambda *_: None)
                begin = time.perf_counter()
                predict_images(rows, *how, lend=lambda: nullcontext(ready))
                seconds.append(time.perf_counter() - begin)
    model = YOLO(str(bench.weights))
    pictures = [cv2.imread(str(row.path)) for row in rows[:2]]
    model.predict(pictures, imgsz=bench.imgsz, device=bench.theirs, verbose=False)
    begin = time.perf_counter()
    knobs = {"conf": 0.001, "max_det": 300, "retina_masks": True, "verbose": False}
    paths = [str(row.path) for row in rows]
    for _ in model.predict(
        paths, batch=8, imgsz=bench.imgsz, device=bench.theirs, stream=True, **knobs
    ):
        pass
    theirs = len(rows) / (time.perf_counter() - begin)
    ours = len(rows) / seconds[-1]
    return {
        "images": len(rows),
        "ours_fps": ours,
        "predict_fps": theirs,
        "against_predict": ours / theirs,
        "targets": ("against_predict >= 2",),
    }


def command(bench: Bench) -> Row:
    """Seconds of the whole commands, with rendered video."""
    place = bench.folder / "command"
    place.mkdir()
    words = [f"model.weights={bench.weights}", f"model.imgsz={bench.imgsz}", "labellerr=off"]
    ours = [sys.executable, str(ROOT / "src" / "run.py"), "stages=[track]", *words]
    ours += [f"video={bench.big}", f"device={bench.device}", "hydra.run.dir=out"]
    theirs = [sys.executable, "-c", YOLO, "track", f"model={bench.weights}", "save=True"]
    theirs += [f"source={bench.big}", f"imgsz={bench.imgsz}", "tracker=bytetrack.yaml"]
    theirs += [f"device={bench.theirs}", f"project={place}"]
    took = {"ours_s": seconds_of(ours, place), "yolo_s": seconds_of(theirs, place)}
    return {**took, "ratio": took["ours_s"] / took["yolo_s"], "targets": ("ratio <= 1",)}


def training(bench: Bench) -> Row:
    """Seconds of an epoch of fine-tuning: ours and theirs with equal settings, ours with auto; the
    shorter of two trainings each, and what of it were validation and checkpoints."""
    data = simulated(bench)
    equal = {"batch": 16, "workers": 8 if bench.card else 0, "cache": False}
    auto = {"batch": "auto", "workers": None, "cache": None}
    runs: dict[str, list[Row]] = {"ours": [], "theirs": [], "auto": []}
    order = ("ours", "theirs", "auto", "theirs", "ours", "auto") if bench.card else runs
    for kind in order:
        name = f"{kind}{len(runs[kind])}"
        knobs = auto if kind == "auto" else equal
        train = epoch_theirs if kind == "theirs" else epoch_ours
        runs[kind].append(epoch_parts(train, bench, data, name, **knobs))
    shortest = {kind: min(rows, key=lambda row: row["s"]) for kind, rows in runs.items()}
    found = {f"{kind}_{part}": s for kind, row in shortest.items() for part, s in row.items()}
    return {
        "images": bench.images,
        **found,
        "all_s": {kind: [round(row["s"], 3) for row in rows] for kind, rows in runs.items()},
        "ratio": found["ours_s"] / found["theirs_s"],
        "auto_speedup": found["theirs_s"] / found["auto_s"],
        "targets": ("ratio <= 1.02", "auto_speedup >= 1.8"),
    }


def precision(bench: Bench) -> Row:
    """Mask and box AP of the weights that ship, which know the simulator, on its validation images:
    as the card computes and in float32."""
    from segtrack.evaluation import measure
    from segtrack.model import Predictions
    from segtrack.settings import EvaluationSettings

    data, found = simulated(bench), Row()
    for name in ("half", "float32"):
        folder = bench.folder / name
        folder.mkdir()
        predict_validation(bench, data, folder, exact=name == "float32")
        scores = measure(data, "val", Predictions.load(folder), EvaluationSettings())
        for kind in ("mask_map50_95", "box_map50_95"):
            found[f"{kind}_{name}"] = scores.metrics()[f"val/{kind}"] or 0.0
    kinds = ("mask_map50_95", "box_map50_95")
    if not found["mask_map50_95_float32"]:
        raise RuntimeError("nothing was found, so there is nothing to compare")
    apart = {f"{k}_apart": abs(found[f"{k}_half"] - found[f"{k}_float32"]) for k in kinds}
    return {**found, **apart, "targets": tuple(f"{name} <= 0.002" for name in apart)}


ROWS: dict[str, Callable[[Bench], Row]] = {
    "video_small": video_small,
    "video_big": video_big,
    "images": images,
    "training": training,
    "folder_of_videos": folder_of_videos,
    "decoding": decoding,
    "command": command,
    "precision": precision,
    "network": network,
}


def network_of(bench: Bench, weights: Path | None = None) -> Any:
    """The network on the device, at its size; of other ``weights`` at theirs."""
    from segtrack.model import Network, model_settings, resolve_weights

    path, size = (weights, None) if weights else (bench.weights, bench.imgsz)
    settings = model_settings("yolov8n-seg", weights=str(path), imgsz=size)
    return Network(settings, resolve_weights(settings, Path), bench.device)


def detector(bench: Bench) -> Any:
    from segtrack.model import load_detector

    chosen = network_of(bench)
    return load_detector(chosen, chosen.request(chosen.weights.names, {}))


def low_request(chosen: Any) -> Any:
    from segtrack.model import Request

    return Request(chosen.weights.names, {}, 0.001, 300)


def track(bench: Bench, path: Path, warm: bool = False) -> tuple[float, Row]:
    """Frames per second from file to results.json, and what of it was what."""
    from segtrack.dataset.video import probe_video, read_frames
    from segtrack.model import Predictions, predict_video
    from segtrack.settings import TracksSettings
    from segtrack.tracker import Tracks, associate, write_results
    from segtrack.tracker.bytetrack import ByteTrackSettings

    if warm:
        track(bench, path)
    chosen, sequence = network_of(bench), probe_video(path)
    request = chosen.request(chosen.weights.names, {})
    reported: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        reported[name] = value

    facts = dict.fromkeys(("mlflow_run_id", "config_hash", "git_commit")) | {"created_at": "now"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.perf_counter()
        predict_video(read_frames(sequence), sequence, chosen, request, folder, report)
        detected = time.perf_counter() - begin
        predictions = Predictions.load(folder)
        associate(predictions, ByteTrackSettings(), TracksSettings(), folder, report)
        tracks = Tracks.load(folder)
        write_results(tracks, sequence, predictions.info, tracks.info.tracker, facts, folder)
        took = time.perf_counter() - begin
    count = predictions.info.frame_count
    parts: Row = {"detect_fps": count / detected, "batch": reported["speed/batch"]}
    return count / took, parts | {"tracked": count}


def their_track(bench: Bench, path: Path) -> float:
    """Frames per second."""
    from ultralytics import YOLO

    model = YOLO(str(bench.weights))
    knobs: Row = {"tracker": "bytetrack.yaml", "imgsz": bench.imgsz, "device": bench.theirs}
    knobs |= {"stream": True, "verbose": False}
    rate(islice(model.track(str(path), **knobs), 64))  # loads and warms up
    return rate(model.track(str(path), **knobs))


def their_predict(bench: Bench, path: Path) -> float:
    """Of frames that were decoded before, in half precision where there is a card."""
    from ultralytics import YOLO

    from segtrack.dataset.video import probe_video, read_frames

    model = YOLO(str(bench.weights))
    frames = list(islice(read_frames(probe_video(path)), 256))
    knobs: Row = {"half": True} if bench.card else {}
    knobs |= {"batch": 16, "imgsz": bench.imgsz, "device": bench.theirs, "verbose": False}
    rate(model.predict(frames[:16], stream=True, **knobs))
    return rate(model.predict(frames, stream=True, **knobs))


def epoch_ours(bench: Bench, data: Any, name: str, **knobs: Any) -> float:
    from segtrack.model import train
    from segtrack.settings import TrainerSettings

    folder = bench.folder / name
    folder.mkdir()
    settings = TrainerSettings(
        name="bench", epochs=bench.epochs, imgsz=bench.imgsz, close_mosaic=0, **knobs
    )
    train(data, network_of(bench), settings, 0, folder, lambda *_: None)
    return epoch_seconds(folder / "results.csv")


def epoch_parts(train: Callable[..., float], *arguments: Any, **knobs: Any) -> Row:
    """Seconds of an epoch, of its validation and of its checkpoints."""
    from segtrack.model.ultralytics.engine import Trainer
    from segtrack.model.ultralytics.library import SegmentationTrainer

    parts: dict[str, list[float]] = {"validate": [], "save_model": []}
    owner = SegmentationTrainer if train is epoch_theirs else Trainer
    with ExitStack() as stack:
        for method, took in parts.items():
            change = mock.patch.object(owner, method, timed(getattr(owner, method), took))
            stack.enter_context(change)
        seconds = train(*arguments, **knobs)
    return {
        "s": seconds,
        "validation_s": min(parts["validate"]),
        "checkpoint_s": min(parts["save_model"]),
    }


def timed(method: Callable[..., Any], took: list[float]) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any, **knobs: Any) -> Any:
        begin = time.perf_counter()
        found = method(self, *arguments, **knobs)
        took.append(time.perf_counter() - begin)
        return found

    return call


def epoch_theirs(bench: Bench, data: Any, name: str, **knobs: Any) -> float:
    from ultralytics import YOLO

    from segtrack.model.ultralytics.data import link_tree

    tree = link_tree(data, bench.folder / f"{name}_tree")
    knobs |= {"epochs": bench.epochs, "imgsz": bench.imgsz, "device": bench.theirs, "seed": 0}
    knobs |= {"plots": False, "close_mosaic": 0, "project": str(bench.folder), "name": name}
    YOLO(str(bench.weights)).train(data=str(tree), patience=50, verbose=False, **knobs)
    return epoch_seconds(bench.folder / name / "results.csv")


def epoch_seconds(path: Path) -> float:
    """The shortest epoch but the first, by results.csv; validation belongs to it."""
    from segtrack.model.training import read_rows

    times = [0.0, *(row["time"] for row in read_rows(path))]
    lengths = [b - a for a, b in pairwise(times)]
    return min(lengths[1:] or lengths)


def predict_validation(bench: Bench, data: Any, folder: Path, exact: bool) -> None:
    """As the device computes by default, or ``exact``, in float32 image by image."""
    from segtrack.model import Request, predict_images
    from segtrack.model.ultralytics import Ultralytics
    from segtrack.model.ultralytics.detector import YoloDetector
    from segtrack.model.ultralytics.runtimes import TorchRuntime

    chosen, rows = network_of(bench, SHIPPED), data.iter_images("val")
    request = Request(data.names, data.class_map, 0.001, 300)

    def detector(_: Any, network: Any, request: Any) -> YoloDetector:
        return YoloDetector(network, request, TorchRuntime(network))

    changed = mock.patch.object(Ultralytics, "detector", detector) if exact else nullcontext()
    with changed:
        predict_images(rows, chosen, request, folder, lambda *_: None)


_made: dict[Path, Any] = {}


def simulated(bench: Bench) -> Any:
    """A prepared data set of the simulator, made once."""
    from segtrack.dataset import Dataset, TrafficSimSettings, prepare

    folder = bench.folder / "data"
    if folder not in _made:
        folder.mkdir()
        settings = TrafficSimSettings(
            train=bench.images, val=max(bench.images // 8, 2), test=0, pool=0, video_count=0
        )
        prepare(settings, 0, folder, lambda *_: None, bench.folder / "cache")
        _made[folder] = Dataset.load(folder)
    return _made[folder]


def simulated_video(path: Path, frames: int) -> Path:
    """A moving pattern where no video is at hand: 320x240, 15 frames per second."""
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 255, (240, 400, 3), np.uint8)
    return written(path, (noise[:, i % 80 :][:, :320] for i in range(frames)), (320, 240))


def enlarged(source: Path, path: Path, frames: int, size: tuple[int, int] | None = BIG) -> Path:
    """The first frames of a video, all for 0, at another size."""
    import cv2

    from segtrack.dataset.video import probe_video, read_frames

    sequence = probe_video(source)
    shape = size or (sequence.width, sequence.height)
    images = islice(read_frames(sequence), frames or None)
    return written(path, (cv2.resize(one, shape) for one in images), shape)


def turned(source: Path, folder: Path, count: int) -> list[Path]:
    """Videos of one length, each of which begins with another frame."""
    from segtrack.dataset.video import probe_video, read_frames

    sequence = probe_video(source)
    images, size = list(read_frames(sequence)), (sequence.width, sequence.height)
    paths = [folder / f"{i}.mp4" for i in range(count)]
    for i, path in enumerate(paths):
        written(path, iter(images[i:] + images[:i]), size)
    return paths


def written(path: Path, frames: Iterator[Any], size: tuple[int, int]) -> Path:
    import av

    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=15, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def rate(frames: Iterable[Any]) -> float:
    begin = time.perf_counter()
    count = sum(1 for _ in frames)
    return count / (time.perf_counter() - begin)


def seconds_of(words: list[str], folder: Path) -> float:
    begin = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:4])} ...: {done.stderr[-300:]}")
    return time.perf_counter() - begin


def synchronise(bench: Bench) -> None:
    import torch

    if bench.card:
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
