"""Small videos, and trajectories with known masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
from pycocotools import mask as coco_mask

from segtrack.tracker.tracks import (
    TrackRows,
    Tracks,
    TracksInfo,
    TrackSummary,
    TracksWriter,
    write_info,
)

WIDTH, HEIGHT, FPS = 64, 48, 10.0
NAMES = ("person", "car")
Masks = Mapping[int, Mapping[int, np.ndarray | None]]
"""Track id to frame to mask, bool (HEIGHT, WIDTH); None where the track has a box only."""


def rectangle(x: int, y: int, width: int = 10, height: int = 8) -> np.ndarray:
    """A mask of whole pixels."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def blob(rng: np.random.Generator) -> np.ndarray:
    """An ellipse of 14 px and more across, somewhere, with a bite out of it."""
    x, y = rng.uniform(20, 44), rng.uniform(16, 32)
    a, b = rng.uniform(7, 16), rng.uniform(7, 14)
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    inside = ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1
    bite = ((columns - x - a) / 5) ** 2 + ((rows - y) / 5) ** 2 <= 1
    return np.asarray(inside & ~bite)


def write_tracks(
    folder: Path, masks: Masks, class_of: Mapping[int, int], names: tuple[str, ...] = NAMES
) -> Tracks:
    """Trajectories as the stage track leaves them."""
    folder.mkdir(parents=True)
    last = max(frame for track in masks.values() for frame in track)
    with TracksWriter(folder / "tracks.parquet") as writer:
        for frame in range(last + 1):
            ids = sorted(i for i, track in masks.items() if frame in track)
            if ids:
                writer.add(_rows(frame, ids, [masks[i][frame] for i in ids], class_of))
    info = TracksInfo(names, last + 1, WIDTH, HEIGHT, FPS, {"name": "by hand"})
    summary = [
        TrackSummary(i, class_of[i], min(masks[i]), max(masks[i]), len(masks[i]), 0.9)
        for i in sorted(masks)
    ]
    write_info(folder, info, summary)
    return Tracks.load(folder)


def _rows(
    frame: int, ids: list[int], masks: list[np.ndarray | None], class_of: Mapping[int, int]
) -> TrackRows:
    rles = [
        None if m is None else coco_mask.encode(np.asfortranarray(m, np.uint8))["counts"]
        for m in masks
    ]
    return TrackRows(
        frame,
        np.array(ids, np.int64),
        np.array([class_of[i] for i in ids], np.int16),
        np.full(len(ids), 0.9, np.float32),
        np.tile(np.array([1, 2, 30, 40], np.float32), (len(ids), 1)),
        rles,
        np.array([m is None for m in masks]),
        np.tile(np.array([1, 2, 30, 40], np.float32), (len(ids), 1)),
    )


def write_video(path: Path, frames: int = 4, shade: int = 0) -> Path:
    """Grey frames; H.264 in .mp4, Motion JPEG in .avi."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mp4 = path.suffix.lower() == ".mp4"
    with av.open(str(path), "w", format="mp4" if mp4 else "avi") as target:
        stream = target.add_stream("libx264" if mp4 else "mjpeg", rate=int(FPS))
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuv420p" if mp4 else "yuvj420p"
        for i in range(frames):
            image = np.full((HEIGHT, WIDTH, 3), (shade + 20 * i) % 256, np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        target.mux(stream.encode(None))
    return path
