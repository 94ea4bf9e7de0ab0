"""ultralytics' BYTETracker, fed with plain arrays: what ours is compared with."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from segtrack.model.predictions import FrameDetections

# The setting under which the data's README gives scores.
MOT17 = {"track_thresh": 0.6, "low_thresh": 0.1, "new_track_thresh": 0.7, "match_thresh": 0.9}
BUFFERS = {"MOT17-05-FRCNN": 14, "MOT17-13-FRCNN": 25}


class Boxes:
    """Arrays with the part of ``ultralytics.engine.results.Boxes`` that BYTETracker uses."""

    def __init__(self, xyxy: np.ndarray, conf: np.ndarray, cls: np.ndarray) -> None:
        self.xyxy, self.conf, self.cls = xyxy, conf, cls

    @staticmethod
    def of(frame: FrameDetections) -> Boxes:
        return Boxes(frame.bbox_xyxy, frame.score, frame.class_id.astype(np.float32))

    @property
    def xywh(self) -> np.ndarray:
        low, high = self.xyxy[:, :2], self.xyxy[:, 2:]
        return np.concatenate([(low + high) / 2, high - low], axis=1)

    def __getitem__(self, index: np.ndarray) -> Boxes:
        return Boxes(self.xyxy[index], self.conf[index], self.cls[index])

    def __len__(self) -> int:
        return len(self.conf)


def byte_tracker(buffer: int, **changes: Any) -> Any:
    """A fresh BYTETracker; settings by our names, ``buffer`` in frames of the video."""
    import_module(
        "segtrack.model.ultralytics.library"
    )  # settles what ultralytics may do on this machine
    from ultralytics.trackers.byte_tracker import BYTETracker

    chosen = {**MOT17, "fuse_score": True, **changes}
    return BYTETracker(
        SimpleNamespace(
            track_high_thresh=chosen["track_thresh"],
            track_low_thresh=chosen["low_thresh"],
            new_track_thresh=chosen["new_track_thresh"],
            match_thresh=chosen["match_thresh"],
            track_buffer=buffer,
            fuse_score=chosen["fuse_score"],
        )
    )


def mot_detections(sequence: Path) -> list[FrameDetections]:
    """Every frame of ``det/det.txt``, best score first."""
    table = np.loadtxt(sequence / "det" / "det.txt", delimiter=",", dtype=np.float64)
    table = table[np.lexsort((-table[:, 6], table[:, 0]))]
    box = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
    count = int(table[:, 0].max())
    edges = np.searchsorted(table[:, 0], np.arange(1, count + 2))
    return [
        FrameDetections(
            t,
            np.zeros(b - a, np.int16),
            table[a:b, 6].astype(np.float32),
            box[a:b].astype(np.float32),
            [None] * (b - a),
        )
        for t, (a, b) in enumerate(pairwise(edges))
    ]
