"""Made ways of objects, and trajectories on disk of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from segtrack.counting.paths import Path as Way
from segtrack.tracker import TrackRows, Tracks, TracksInfo, TracksWriter, write_info

SIDE = 20.0  # px, of every made box; a hysteresis of .1 is a band of 2 px


def way(feet: Sequence[tuple[float, float]], class_name: str = "car", fps: float = 10.0) -> Way:
    """A track that is in every frame, at these points."""
    frame = np.arange(len(feet))
    return Way(
        1,
        class_name,
        frame,
        frame / fps,
        np.array(feet, np.float64).reshape(-1, 2),
        np.full(len(feet), SIDE),
    )


def made_tracks(
    folder: Path,
    ways: Mapping[int, tuple[int, Mapping[int, tuple[float, float]]]],
    frame_count: int,
    fps: float = 10.0,
    size: tuple[int, int] = (200, 100),
    names: tuple[str, ...] = ("car", "person"),
) -> Tracks:
    """Trajectories of boxes of ``SIDE``.

    Args:
        ways: by track id its class id, and by frame where it stands.
    """
    folder.mkdir(exist_ok=True)
    with TracksWriter(folder / "tracks.parquet") as writer:
        for frame in range(frame_count):
            there = [(i, *of) for i, of in sorted(ways.items()) if frame in of[1]]
            if not there:
                continue
            feet = np.array([places[frame] for _, _, places in there], np.float32)
            half = np.float32(SIDE / 2)
            boxes = np.stack(
                [feet[:, 0] - half, feet[:, 1] - 2 * half, feet[:, 0] + half, feet[:, 1]], axis=1
            )
            writer.add(
                TrackRows(
                    frame,
                    np.array([i for i, _, _ in there]),
                    np.array([c for _, c, _ in there], np.int16),
                    np.full(len(there), 0.9, np.float32),
                    boxes,
                    [None] * len(there),
                    np.zeros(len(there), bool),
                    boxes + 1000,  # the tracker's estimate counts for nothing here
                )
            )
    write_info(folder, TracksInfo(names, frame_count, *size, fps, {}), [])
    return Tracks.load(folder)
