"""A small video whose frames say their number, with tracks and ground truth that can be counted."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from segtrack.base.rle import encode_box
from segtrack.dataset import VideoSequence
from segtrack.model import PredictionsInfo
from segtrack.scoring import BoxTruth, Truth, score_tracks
from segtrack.tracker import (
    TrackRows,
    Tracks,
    TracksInfo,
    TrackSummary,
    TracksWriter,
    write_info,
    write_results,
)

WIDTH, HEIGHT, FPS, FRAMES = 320, 192, 25, 120
NAMES = ("car", "person")
BITS = 8
# ms for which frames are shown in a video without a rate of its own, from the first on again: of
# some that follow each other closely many pass in a quarter of an average frame
LASTING = (40, 5, 5, 5, 250, 12, 40, 1000, 33, 3, 100, 80)
GAP = range(40, 46)  # frames in which track 1 is not there
# id, class, frames, box at frame f
OBJECTS = (
    (1, 0, [f for f in range(100) if f not in GAP], lambda f: (20 + f, 60, 60 + f, 90)),
    (2, 1, range(10, 60), lambda f: (200, 100, 220, 150)),
    (3, 1, range(60, 120), lambda f: (200, 100, 220, 150)),  # the same person: an id switch
    (4, 0, range(35, 51), lambda f: (250, 20, 290, 50)),  # where nothing is
)
# id, class, frames, box at frame f
TRUTH = (
    (7, 0, range(100), lambda f: (20 + f, 60, 60 + f, 90)),
    (8, 1, range(10, 120), lambda f: (200, 100, 220, 150)),
    (9, 1, range(100, 110), lambda f: (60, 130, 76, 170)),  # which no track follows
)
MARKS = [
    ["false", 35, 50, 4, -1, -1, "car"],
    ["miss", 40, 45, -1, 7, -1, "car"],
    ["fragment", 46, 46, 1, 7, -1, "car"],
    ["switch", 60, 60, 3, 8, 2, "person"],
    ["miss", 100, 109, -1, 9, -1, "person"],
]


def picture(number: int) -> np.ndarray:
    """Grey, with the number as white and black squares above."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for bit in range(BITS):
        image[:16, 16 * bit : 16 * bit + 16] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """What ``picture`` wrote, from a picture of any size."""
    scale = image.shape[1] / WIDTH
    seen = (image[int(8 * scale), int(scale * (16 * bit + 8))].mean() > 127 for bit in range(BITS))
    return sum(on << bit for bit, on in enumerate(seen))


def shown_at(frames: int = FRAMES) -> list[int]:
    """ms after the first one, of each frame of a video without a rate of its own."""
    return [sum(LASTING[i % len(LASTING)] for i in range(frame)) for frame in range(frames)]


def write_video(
    path: Path, codec: str = "libx264", frames: int = FRAMES, irregular: bool = False
) -> Path:
    """With a key frame every 50 frames and, in H.264, frames that are stored out of order."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=1000 if irregular else FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 50
        if codec == "libx264":
            stream.codec_context.max_b_frames = 2
        for number, at in enumerate(shown_at(frames)):
            frame = av.VideoFrame.from_ndarray(picture(number), "bgr24")
            if irregular:
                frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def frame_rows(frame: int) -> TrackRows:
    """The tracks' objects of a frame; masks are boxes without their right quarter."""
    there = [(one, kind, box(frame)) for one, kind, frames, box in OBJECTS if frame in frames]
    boxes = np.array([box for _, _, box in there], np.float32).reshape(-1, 4)
    masks: list[bytes | None] = []
    for _, _, (x1, y1, x2, y2) in there:
        mask = np.ones((y2 - y1, x2 - x1), bool)
        mask[:, -(x2 - x1) // 4 :] = False
        masks.append(encode_box(mask, HEIGHT, WIDTH, (x1, y1)))
    count = len(there)
    ids = np.array([one for one, _, _ in there], np.int64)
    score = (0.5 + 0.1 * ids).astype(np.float32)
    kinds = np.array([kind for _, kind, _ in there], np.int16)
    return TrackRows(frame, ids, kinds, score, boxes, masks, np.zeros(count, bool), boxes)


def write_run(
    folder: Path,
    change: Any = None,
    truth: bool = True,
    source: bool = True,
    irregular: bool = False,
) -> Path:
    """A run's folder of outputs with one video, ``clip``.

    Args:
        change: may alter the rows of each frame.
        truth: whether it was scored. source: whether the run knows the video's file.
        irregular: whether its frames are shown for as long as each likes.
    """
    fps = 1000 * (FRAMES - 1) / shown_at()[-1] if irregular else FPS
    store, output = folder / "store", folder / "tracking" / "clip"
    store.mkdir(parents=True)
    output.mkdir(parents=True)
    seen: dict[int, list[int]] = {}
    with TracksWriter(store / "tracks.parquet") as writer:
        for frame in range(FRAMES):
            rows = frame_rows(frame)
            rows = rows if change is None else change(rows)
            for one in rows.track_id.tolist():
                seen.setdefault(one, []).append(frame)
            if len(rows):
                writer.add(rows)
    kinds = {one: kind for one, kind, _, _ in OBJECTS}
    summary = [
        TrackSummary(one, kinds.get(one, 0), min(at), max(at), len(at), 0.5 + 0.1 * one)
        for one, at in sorted(seen.items())
    ]
    write_info(store, TracksInfo(NAMES, FRAMES, WIDTH, HEIGHT, fps, {"name": "made"}), summary)
    tracks = Tracks.load(store)
    sequence = VideoSequence("clip", None, "0" * 64, WIDTH, HEIGHT, fps, FRAMES)
    predicted = PredictionsInfo(NAMES, FRAMES, WIDTH, HEIGHT, fps, "made", "0" * 64, 320)
    run = {"mlflow_run_id": None, "config_hash": "", "git_commit": None, "created_at": "2026"}
    write_results(tracks, sequence, predicted, {"name": "made"}, run, output)
    video = write_video(folder / "clip.mp4", irregular=irregular) if source else None
    if truth:
        scores = output / "scores"
        scores.mkdir()
        made_truth().save(scores)
        score_tracks(made_truth(), tracks, NAMES, scores, lambda *_: None)
    row = {"name": "clip", "role": None, "video": str(video) if video else None}
    (folder / "tracking.json").write_text(json.dumps([row]))
    return folder


def made_truth() -> Truth:
    rows = sorted(
        (frame, one, kind, box(frame)) for one, kind, frames, box in TRUTH for frame in frames
    )
    frame, track, kind = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    boxes = np.array([row[3] for row in rows], np.float64)
    none = np.zeros(0, np.int64), np.zeros((0, 4))
    names = tuple(enumerate(NAMES))
    judged = np.ones(len(rows), bool)
    found = BoxTruth("multi_class", names, frame, track, kind, boxes, judged, *none)
    return Truth("clip", FRAMES, WIDTH, HEIGHT, found, None)
