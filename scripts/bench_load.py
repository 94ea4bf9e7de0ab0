"""Memory and time of long work at growing sizes: is memory flat, is time linear?

    python scripts/bench_load.py                          every step, small sizes, minutes
    python scripts/bench_load.py video live               these steps
    python scripts/bench_load.py score --sizes 750,3000   other sizes
    python scripts/bench_load.py --full                   the sizes of FULL, an hour or two

Steps, and what a size counts:

- video: frames of 320x240 with 20 objects; a stand-in for the network finds them in the decoded
  frames. network: frames of a real video, found by YOLOv8n-seg.
- score: frames with 300 objects. ids: frames with 50 objects, as many identities as frames.
- images: images of a YOLO data set, prepared, and evaluated with detections like its labels.
- sweep: cells over a tracker's threshold, on detections that are files.
- live: frames of a stream, ten a second, with 5 objects, tracked and drawn as they come.

Each size is a process of its own. ``CPU ms`` is per frame, image or cell, on all cores. Peaks are
those of resident memory within a part, with what the process held before; of ``sweep`` and
``images`` without their child processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import FrameDetections, Predictions
    from segtrack.scoring import Truth
    from segtrack.scoring.pairings import TrackBoxes

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEGTRACK_DATA") or ROOT.parent / "shared" / "data")
SMALL = {
    "video": (500, 1000, 2000),
    "network": (50, 100, 200),
    "score": (375, 750, 1500),
    "ids": (5000, 10_000, 20_000),
    "images": (2500, 5000, 10_000),
    "sweep": (15, 30, 60),
    "live": (1500, 3000, 6000),
}
FULL = {
    "video": (5000, 10_000, 20_000),
    "network": (150, 300),
    "score": (750, 1500, 3000),
    "ids": (5000, 10_000, 20_000),
    "images": (25_000, 50_000, 100_000),
    "sweep": (50, 100, 200),
    "live": (36_000, 72_000, 144_000),
}
WIDTH, HEIGHT, LIFE = 320, 240, 400  # LIFE: frames until an object is another one
NAMES = ("person", "car", "truck", "bus")
RUN = dict.fromkeys(("mlflow_run_id", "config_hash", "git_commit", "created_at"), "none")


@dataclass
class Meter:
    """Takes the time and the peak of resident memory of parts of the work.

    Time of the CPUs is that of all cores and of children that have ended.
    """

    parts: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
        begin, used = time.perf_counter(), sum(os.times()[:4])
        yield
        seconds, cpu = time.perf_counter() - begin, sum(os.times()[:4]) - used
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        self.parts.append({"part": name, "seconds": seconds, "cpu_s": cpu, "peak_mib": peak})


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--sizes", help="comma-separated, ascending")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA, help="the data's folder, for network")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    os.environ["SEGTRACK_DATA"] = str(options.data.resolve())
    if options.child:
        meter = Meter()
        with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as quiet:
            shown, sys.stdout = sys.stdout, quiet
            STEPS[options.steps[0]](int(options.sizes), Path(folder), meter)
            sys.stdout = shown
        print(json.dumps(meter.parts))
        return 0
    if not options.json:
        print(
            f"{'step':8} {'part':10} {'size':>8} {'seconds':>9} {'CPU ms':>9} {'peak MiB':>9}",
            flush=True,
        )
    rows: list[dict[str, Any]] = []
    for step in options.steps or STEPS:
        sizes = map(int, options.sizes.split(",")) if options.sizes else None
        for size in sizes or (FULL if options.full else SMALL)[step]:
            for part in in_process(step, size, options.data):
                rows.append({"step": step, "size": size, **part})
                if not options.json:
                    print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


def in_process(step: str, size: int, data: Path) -> list[dict[str, Any]]:
    """The parts of one step at one size."""
    words = [sys.executable, __file__, step, f"--sizes={size}", f"--data={data}", "--child"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    parts: list[dict[str, Any]] = json.loads(done.stdout)
    return parts


def line(row: dict[str, Any]) -> str:
    each = 1000 * row["cpu_s"] / row["size"]
    numbers = f"{row['size']:8,} {row['seconds']:9.2f} {each:9.3f} {row['peak_mib']:9.0f}"
    return f"{row['step']:8} {row['part']:10} {numbers}"


class Scene:
    """Objects that go back and forth in straight lines; after ``LIFE`` frames each is another."""

    def __init__(self, objects: int) -> None:
        from segtrack.base.rle import encode_box

        self.objects = objects
        rng = np.random.default_rng(0)
        self.speed = rng.uniform(0.5, 2, (objects, 2))
        self.size = np.stack([rng.integers(16, 32, objects), rng.integers(20, 40, objects)], 1)
        self.phase = rng.integers(0, LIFE, objects)
        self.class_id = (np.arange(objects) % len(NAMES)).astype(np.int16)
        y, x = np.mgrid[-1:1:24j, -1:1:24j]
        self.ellipse, self.encode = x**2 + y**2 < 1, encode_box

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Identities (M,) from 1 and whole boxes (M, 4) of a frame."""
        life = (frame + self.phase) // LIFE
        identity = life * self.objects + np.arange(self.objects) + 1
        room = np.array([WIDTH, HEIGHT]) - self.size - 2
        start = np.stack([identity * 0.618, identity * 0.414], 1) % 1 * 2 * room
        way = (start + self.speed * (frame % 100_000)) % (2 * room)
        low = np.where(way > room, 2 * room - way, way).astype(int)
        return identity, np.concatenate([low, low + self.size], axis=1)

    def rle(self, box: np.ndarray) -> bytes:
        """An ellipse in a box."""
        x1, y1, x2, y2 = box.tolist()
        rows, columns = (np.arange(n) * 24 // n for n in (y2 - y1, x2 - x1))
        return self.encode(self.ellipse[np.ix_(rows, columns)], HEIGHT, WIDTH, (x1, y1))

    def found(self, frame: int) -> FrameDetections:
        """What a network sees of it: nine of ten objects, a pixel off."""
        from segtrack.model import FrameDetections

        rng = np.random.default_rng(frame)
        rows = np.flatnonzero(rng.random(self.objects) < 0.9)
        box = self.at(frame)[1][rows] + np.tile(rng.integers(-1, 2, (len(rows), 2)), 2)
        box = np.maximum(box, 0)
        score = rng.uniform(0.5, 1, len(rows)).astype(np.float32)
        masks: list[bytes | None] = [self.rle(one) for one in box]
        return FrameDetections(frame, self.class_id[rows], score, box.astype(np.float32), masks)

    def picture(self, frame: int) -> np.ndarray:
        """BGR uint8 (H, W, 3)."""
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        for one, (x1, y1, x2, y2) in zip(*self.at(frame), strict=True):
            image[y1:y2, x1:x2] = one * 37 % 256, one * 91 % 256, 200
        return image

    def truth(self, frames: int) -> Truth:
        """Its boxes and masks."""
        from segtrack.scoring.truth import BoxTruth, MaskTruth, Truth

        identity, box = (
            np.concatenate(part) for part in zip(*map(self.at, range(frames)), strict=True)
        )
        frame, kind = np.repeat(np.arange(frames), self.objects), np.tile(self.class_id, frames)
        names, none = tuple(enumerate(NAMES)), np.empty((0, 4))
        sure = np.ones(len(frame), bool)
        rows = (frame, identity, kind.astype(np.int64))
        boxes = BoxTruth("multi_class", names, *rows, box * 1.0, sure, none[:, 0], none)
        masks = tuple(map(self.rle, box))
        return Truth(
            "scene", frames, WIDTH, HEIGHT, boxes, MaskTruth(names, *rows, masks, HEIGHT, WIDTH, {})
        )


class StandIn:
    """A detector that knows the scene; frames are counted as they come."""

    imgsz, batch = 320, 8

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(image[..., ::-1])

    def predict(self, images: Sequence[Any]) -> Sequence[Any]:
        return [SimpleNamespace(decode=self.scene.found) for _ in images]


def ignore(name: str, value: float, step: int = 0) -> None:
    """A report that nobody reads."""


def video(size: int, folder: Path, meter: Meter) -> None:
    from segtrack.tracker.video import Encoder

    scene, path = Scene(20), folder / "scene.mp4"
    with Encoder(path, (WIDTH, HEIGHT), 25.0, None, live=False) as file:
        for number in range(size):
            file.add(scene.picture(number))
    weights = SimpleNamespace(trained=True, sha256="0" * 64)
    family = SimpleNamespace(detector=lambda network, request: StandIn(scene))
    network = SimpleNamespace(family=family, weights=weights, settings=SimpleNamespace(name="none"))
    predictions = followed(path, network, NAMES, size, folder, meter)
    with meter("truth"):
        scene.truth(size).save(folder)
    from segtrack.scoring import Truth, score_tracks
    from segtrack.tracker import Tracks

    tracks = Tracks.load(predictions.folder)
    with meter("score"):
        score_tracks(Truth.load(folder), tracks, NAMES, folder, ignore)


def network(size: int, folder: Path, meter: Meter) -> None:
    from segtrack.model import Network, model_settings, resolve_weights

    settings = model_settings("yolov8n-seg", imgsz=320)
    one = Network(settings, resolve_weights(settings, Path), "cpu")
    path = Path(os.environ["SEGTRACK_DATA"]) / "videos" / "sobral_video1.avi"
    followed(path, one, one.weights.names, size, folder, meter)


def followed(
    path: Path, network: Any, names: tuple[str, ...], size: int, folder: Path, meter: Meter
) -> Predictions:
    """Detect, associate, write results and render the first frames of a video."""
    from itertools import islice

    from segtrack.dataset import read_frames, sequences_from
    from segtrack.model import Predictions, Request, predict_video
    from segtrack.settings import TracksSettings
    from segtrack.tracker import Tracks, associate, render_video, write_results
    from segtrack.tracker.bytetrack import ByteTrackSettings

    (sequence,) = sequences_from(str(path))
    with meter("detect"):
        images = islice(read_frames(sequence), size)
        predict_video(images, sequence, network, Request(names), folder, ignore)
    predictions = Predictions.load(folder)
    after = TracksSettings(interpolate=20, disjoint_masks=True)
    with meter("associate"):
        associate(predictions, ByteTrackSettings(), after, folder, ignore)
    tracks = Tracks.load(folder)
    with meter("results"):
        write_results(tracks, sequence, predictions.info, tracks.info.tracker, RUN, folder)
    with meter("render"):
        render_video(read_frames(sequence), tracks, names, folder / "annotated.mp4", 30)
    return predictions


def score(size: int, folder: Path, meter: Meter) -> None:
    score_crowd(size, 300, 200, meter)


def ids(size: int, folder: Path, meter: Meter) -> None:
    score_crowd(size, 50, 50, meter)


def score_crowd(frames: int, objects: int, life: int, meter: Meter) -> None:
    from segtrack.scoring.score import score_rows

    score_rows(*crowd(2, objects, life), None, ("person",), 2)  # compiles
    truth, found = crowd(frames, objects, life)
    with meter("score"):
        score_rows(truth, found, None, ("person",), frames)


def crowd(frames: int, objects: int, life: int) -> tuple[Truth, TrackBoxes]:
    """People who walk over a frame of 1920x1080, and a tracker that loses them every 60 frames.

    Args:
        life: frames until a person is another one.
    """
    from segtrack.scoring.pairings import TrackBoxes
    from segtrack.scoring.truth import BoxTruth, Truth

    rng = np.random.default_rng(0)
    frame = np.repeat(np.arange(frames), objects)
    one = np.tile(np.arange(objects), frames)
    step = rng.normal(0, 3, (frames, objects, 2))
    step[0] = rng.random((objects, 2)) * [1920, 1080]
    middle = np.cumsum(step, axis=0) % [1920, 1080]
    size = rng.uniform([30, 70], [60, 160], (objects, 2))
    box = np.concatenate([middle - size / 2, middle + size / 2], axis=2).reshape(-1, 4)
    identity = one + objects * ((frame + one * 7) // life)
    kind = np.where(identity % 17 == 0, 2, 1)
    names, none, sure = ((1, "person"), (2, "static person")), np.empty((0, 4)), frame >= 0
    boxes = BoxTruth("mot20", names, frame, identity, kind, box, sure, none[:, 0], none)
    seen = np.flatnonzero(rng.random(len(frame)) < 0.85)
    track = one[seen] + objects * ((frame[seen] + one[seen] * 3) // 60)
    noisy = box[seen] + rng.normal(0, 3, (len(seen), 4))
    found = TrackBoxes(frame[seen], track, np.zeros(len(seen), np.int64), noisy)
    return Truth("crowd", frames, 1920, 1080, boxes, None), found


def images(size: int, folder: Path, meter: Meter) -> None:
    from bench_dataset import make_dataset

    from segtrack.dataset import Dataset, YoloSettings, prepare
    from segtrack.evaluation import evaluate
    from segtrack.settings import EvaluationSettings

    make_dataset(folder / "data", size)
    (folder / "prepared").mkdir()
    settings = YoloSettings(path=str(folder / "data"), decode=False, workers=2)
    with meter("prepare"):
        prepare(settings, 0, folder / "prepared", ignore, folder / "cache")
    dataset = Dataset.load(folder / "prepared")
    predictions = detections_like_labels(dataset, folder)
    with meter("evaluate"):
        evaluate(dataset, "val", predictions, EvaluationSettings(), folder, ignore)


def detections_like_labels(dataset: Dataset, folder: Path) -> Predictions:
    """A detection for nine of ten labels of the val split, a pixel to the right."""
    from segtrack.base.rle import encode_box
    from segtrack.model import FrameDetections, Predictions, PredictionsInfo
    from segtrack.model.predictions import PredictionsWriter

    rng = np.random.default_rng(0)
    coco = dataset.coco("val")
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in coco["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    kinds = {one["id"]: dataset.names.index(one["name"]) for one in coco["categories"]}
    with PredictionsWriter(folder) as writer:
        for image in sorted(coco["images"], key=lambda one: int(one["id"])):
            labels = [one for one in by_image[image["id"]] if rng.random() < 0.9]
            if not labels:
                continue
            xywh = np.array([one["bbox"] for one in labels])
            box = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1) + 1
            masks: list[bytes | None] = [
                encode_box(np.ones((int(h), int(w))), image["height"], image["width"], (x, y))
                for x, y, w, h in xywh.astype(int).tolist()
            ]
            kind = np.array([kinds[one["category_id"]] for one in labels], np.int16)
            sure = rng.uniform(0.1, 1, len(labels)).astype(np.float32)
            writer.add(FrameDetections(image["id"], kind, sure, box.astype(np.float32), masks))
        writer.finish(PredictionsInfo(dataset.names, len(coco["images"])))
    return Predictions.load(folder)


def sweep(size: int, folder: Path, meter: Meter) -> None:
    from segtrack.command.app import main as command

    frames, rng = 40, np.random.default_rng(0)
    place = folder / "data" / "walkers"
    for part in ("gt", "det"):
        (place / part).mkdir(parents=True)
    true, found = [], []
    for frame in range(1, frames + 1):
        for one in range(1, 9):
            x, y = 100 * one + 2 * frame, 50 * one + frame
            true.append(f"{frame},{one},{x},{y},40,90,1,1,1\n")
            found.append(f"{frame},-1,{x + 1},{y},40,90,{rng.uniform(0.2, 1):.3f}\n")
    (place / "gt" / "gt.txt").write_text("".join(true))
    (place / "det" / "det.txt").write_text("".join(found))
    (place / "seqinfo.ini").write_text(
        f"[Sequence]\nname=walkers\nframeRate=30\nseqLength={frames}\nimWidth=1000\nimHeight=800\n"
    )
    os.chdir(folder)
    words = ["dataset=sequences", "dataset.path=data", "stages=[track]"]
    if command([*words]):  # what is done once: the database, imports, compiling
        sys.exit("the run before the sweep failed")
    values = ",".join(f"{0.2 + 0.6 * i / size:.4f}" for i in range(size))
    with meter("cells"):
        if command(["-m", *words, f"tracker.track_thresh={values}"]):
            sys.exit("the sweep failed")


def live(size: int, folder: Path, meter: Meter) -> None:
    from segtrack.model import PredictionsInfo
    from segtrack.settings import TracksSettings
    from segtrack.tracker import LiveTracker, LiveVideo, track_live
    from segtrack.tracker.bytetrack import ByteTrackSettings

    scene = Scene(5)
    predicted = PredictionsInfo(NAMES, 0, model_name="none", weights_sha256="0" * 64)
    how = LiveTracker(StandIn(scene), predicted, ByteTrackSettings(), TracksSettings(), 30)
    frames = (
        SimpleNamespace(image=scene.picture(number), time_s=float(Fraction(number, 10)))
        for number in range(size)
    )
    with meter("track"):
        track_live(
            LiveVideo("scene", WIDTH, HEIGHT, 10.0), frames, how, RUN, folder, lambda time_s: False
        )


STEPS: dict[str, Callable[[int, Path, Meter], None]] = {
    "video": video,
    "network": network,
    "score": score,
    "ids": ids,
    "images": images,
    "sweep": sweep,
    "live": live,
}

if __name__ == "__main__":
    sys.exit(main())
