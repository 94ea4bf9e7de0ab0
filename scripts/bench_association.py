"""What association costs: ours, ultralytics' BYTETracker, roboflow's trackers, and ioutrack (Rust).

    python scripts/bench_association.py [--data ../shared/data] [--repeat 1] [--rounds 3] [--json]

All run in one process on one thread, on the same detections (MOT17-val-half, in order, one tracker
per sequence), each called as its users call it; what they need is converted before. Rounds
alternate, and the medians count. Prints frames per second, ratios to ultralytics', and how ours and
ultralytics' slow down with 10, 100 and 1,000 objects per frame (synthetic).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from segtrack.model.predictions import FrameDetections

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEGTRACK_DATA") or ROOT.parent / "shared" / "data")
THRESHOLDS: dict[str, Any] = {
    "track_thresh": 0.6,
    "low_thresh": 0.1,
    "new_track_thresh": 0.7,
    "match_thresh": 0.9,
}
CROWDS = {10: 200, 100: 40, 1000: 6}  # objects per frame: frames

Video = list[FrameDetections]
Side = tuple[Callable[[], Callable[[Any], object]], Callable[[FrameDetections], object]]


class Boxes:
    """Arrays with the part of ``ultralytics.engine.results.Boxes`` that BYTETracker uses."""

    def __init__(self, xyxy: np.ndarray, conf: np.ndarray, cls: np.ndarray) -> None:
        self.xyxy, self.conf, self.cls = xyxy, conf, cls

    @property
    def xywh(self) -> np.ndarray:
        low, high = self.xyxy[:, :2], self.xyxy[:, 2:]
        return np.concatenate([(low + high) / 2, high - low], axis=1)

    def __getitem__(self, index: np.ndarray) -> Boxes:
        return Boxes(self.xyxy[index], self.conf[index], self.cls[index])

    def __len__(self) -> int:
        return len(self.conf)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=1, help="each sequence this often in a row")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.data / "mot" / "MOT17-val-half"
    files = sorted(folder.glob("*/det/det.txt"))
    if not files:
        sys.exit(f"{folder}: no sequences there. Give the data's folder with --data")
    videos = [read(file) * options.repeat for file in files]
    peers = sides()
    speeds = measure(peers, videos, options.rounds)
    figures: dict[str, Any] = {
        "frames": sum(map(len, videos)),
        "detections": sum(len(frame) for video in videos for frame in video),
        "frames_per_s": speeds,
        "ratio_to_ultralytics": {name: x / speeds["ultralytics"] for name, x in speeds.items()},
        "growth": growth({name: peers[name] for name in ("segtrack", "ultralytics")}),
    }
    print(json.dumps(figures) if options.json else table(figures))
    return 0


def read(file: Path) -> Video:
    """Every frame of a MOTChallenge ``det.txt``, best score first."""
    rows = np.loadtxt(file, delimiter=",", dtype=np.float64)
    rows = rows[np.lexsort((-rows[:, 6], rows[:, 0]))]
    box = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    edges = np.searchsorted(rows[:, 0], np.arange(1, rows[:, 0].max() + 2))
    return [frame(t, box[a:b], rows[a:b, 6]) for t, (a, b) in enumerate(pairwise(edges))]


def frame(number: int, box: np.ndarray, score: np.ndarray) -> FrameDetections:
    none = np.zeros(len(box), np.int16)
    return FrameDetections(
        number, none, score.astype(np.float32), box.astype(np.float32), [None] * len(box)
    )


def sides() -> dict[str, Side]:
    """By name: what makes a fresh tracker's update, and what makes its input of a frame."""
    import ioutrack
    import supervision
    from trackers import ByteTrackTracker

    import_module(
        "segtrack.model.ultralytics.library"
    )  # settles what ultralytics may do on this machine
    from ultralytics.trackers.byte_tracker import BYTETracker

    from segtrack.tracker import make_tracker
    from segtrack.tracker.bytetrack import ByteTrackSettings

    theirs = SimpleNamespace(
        track_high_thresh=0.6,
        track_low_thresh=0.1,
        new_track_thresh=0.7,
        match_thresh=0.9,
        track_buffer=30,
        fuse_score=True,
    )
    ours = ByteTrackSettings(**THRESHOLDS, class_aware=False)
    return {
        "segtrack": (lambda: make_tracker(ours, 30).update, lambda f: f),
        "ultralytics": (
            lambda: BYTETracker(theirs).update,
            lambda f: Boxes(f.bbox_xyxy, f.score, f.class_id.astype(np.float32)),
        ),
        "trackers": (
            lambda: ByteTrackTracker().update,
            lambda f: supervision.Detections(
                xyxy=f.bbox_xyxy, confidence=f.score, class_id=f.class_id.astype(int)
            ),
        ),
        "ioutrack": (lambda: rust(ioutrack.ByteTrack), lambda f: np.c_[f.bbox_xyxy, f.score]),
    }


def rust(tracker: Any) -> Callable[[Any], object]:
    made = tracker(
        max_age=30,
        min_hits=1,
        iou_threshold=0.1,
        init_tracker_min_score=0.7,
        high_score_threshold=0.6,
        low_score_threshold=0.1,
    )
    return lambda boxes: made.update(boxes, False)


def measure(peers: dict[str, Side], videos: Iterable[Video], rounds: int) -> dict[str, float]:
    """Median frames per second of each; the first frames, which compile, are not counted."""
    inputs = {
        name: [list(map(make, video)) for video in videos] for name, (_, make) in peers.items()
    }
    frames = sum(map(len, videos))
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for name, (fresh, _) in peers.items():
        follow(fresh, [inputs[name][0][:20]])
    for _ in range(rounds):
        for name, (fresh, _) in peers.items():
            seconds[name].append(follow(fresh, inputs[name]))
    return {name: frames / statistics.median(times) for name, times in seconds.items()}


def follow(fresh: Callable[[], Callable[[Any], object]], videos: list[list[Any]]) -> float:
    """Seconds that one tracker per video takes."""
    begin = time.perf_counter()
    for video in videos:
        update = fresh()
        for item in video:
            update(item)
    return time.perf_counter() - begin


def growth(peers: dict[str, Side]) -> dict[str, dict[str, float]]:
    """Frames per second by objects per frame."""
    speeds: dict[str, dict[str, float]] = {name: {} for name in peers}
    for objects, frames in CROWDS.items():
        for name, speed in measure(peers, [crowd(objects, frames)], 3).items():
            speeds[name][str(objects)] = speed
    return speeds


def crowd(objects: int, frames: int) -> Video:
    """Objects that walk straight on a square as dense as a street; one of ten is missed."""
    generator = np.random.default_rng(0)
    side = 100 * objects**0.5
    place, speed = generator.uniform(0, side, (objects, 2)), generator.normal(0, 3, (objects, 2))
    size = generator.uniform(30, 90, (objects, 2))
    video = []
    for t in range(frames):
        seen = generator.random(objects) < 0.9
        low = (place + speed * t + generator.normal(0, 1, (objects, 2)))[seen]
        box = np.concatenate([low, low + size[seen]], axis=1)
        video.append(frame(t, box, generator.uniform(0.3, 1, len(box))))
    return video


def table(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['frames']} frames, {figures['detections']} detections, MOT17-val-half",
        f"{'':12}{'frames/s':>10}{'ratio':>8}",
    ]
    for name, speed in figures["frames_per_s"].items():
        lines.append(f"{name:12}{speed:10.0f}{figures['ratio_to_ultralytics'][name]:8.2f}")
    lines += ["", f"{'objects':12}" + "".join(f"{count:>12}" for count in CROWDS)]
    for name, speeds in figures["growth"].items():
        lines.append(f"{name:12}" + "".join(f"{speed:12.1f}" for speed in speeds.values()))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
