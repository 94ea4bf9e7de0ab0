"""ByteTrack (Zhang et al., ECCV 2022) by ultralytics' implementation, behind our own door."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from segtrack.model.predictions import FrameDetections
from segtrack.settings import TrackerSettings
from segtrack.tracker.trackers import TrackedFrame, buffer_frames, new_track_thresh

ALL_CLASSES = -1


class ByteTrack:
    """One ``BYTETracker`` per class, or a single one for all where ``class_aware`` is off.

    Detections of different classes are never compared in the first case, which is what a mask over
    the cost matrix would do too. Each inner tracker counts its own ids, so the ids that come out
    are given here, in the order in which tracks first appear: 1, 2, 3 without gaps.
    """

    def __init__(self, settings: TrackerSettings, fps: float) -> None:
        import_module("segtrack.model.library")  # settles what ultralytics may do on this machine
        from ultralytics.trackers.byte_tracker import BYTETracker

        self._make = partial(BYTETracker, arguments(settings, fps))
        self._class_aware = settings.class_aware
        self._lowest = settings.low_thresh
        self._trackers: dict[int, Any] = {}
        self._ids: dict[tuple[int, int], int] = {}
        self._frames = 0

    def update(self, frame: FrameDetections, image: np.ndarray | None = None) -> TrackedFrame:
        """See ``Tracker.update``; ByteTrack does not look at the image."""
        ids, index, boxes = [], [], []
        for group, positions in self._groups(frame):
            for row in self._follow(group, frame, positions):
                ids.append(self._ids.setdefault((group, int(row[4])), len(self._ids) + 1))
                index.append(positions[int(row[7])])
                boxes.append(row[:4])
        self._frames += 1
        order = np.argsort(np.array(ids, np.int64))
        taken = np.array(index, np.int64)[order]
        return TrackedFrame(
            frame.frame,
            np.array(ids, np.int64)[order],
            taken,
            np.array(boxes, np.float32).reshape(-1, 4)[order],
            frame.score[taken].astype(np.float32),
            frame.class_id[taken].astype(np.int16),
        )

    def _groups(self, frame: FrameDetections) -> Iterator[tuple[int, np.ndarray]]:
        """The positions of each group's usable detections, for every group met so far."""
        usable = np.isfinite(frame.bbox_xyxy).all(axis=1) & np.isfinite(frame.score)
        usable &= frame.score > self._lowest  # no association looks at the others
        if not self._class_aware:
            yield ALL_CLASSES, np.flatnonzero(usable)
            return
        for group in sorted({*self._trackers, *frame.class_id[usable].tolist()}):
            yield group, np.flatnonzero(usable & (frame.class_id == group))

    def _follow(self, group: int, frame: FrameDetections, positions: np.ndarray) -> np.ndarray:
        """Rows x1, y1, x2, y2, id, score, class, index into ``positions``."""
        tracker = self._trackers.get(group)
        if tracker is None:
            tracker = self._trackers[group] = self._make()
            # ByteTrack trusts a new track at once in the video's first frame only; a class that
            # turns up later must not count that as the first.
            tracker.frame_id = self._frames
        if not len(positions) and not tracker.tracked_stracks and not tracker.lost_stracks:
            tracker.frame_id += 1  # nothing to predict, match or forget
            return np.empty((0, 8), np.float32)
        rows = tracker.update(_Boxes.of(frame, positions))
        return np.asarray(rows).reshape(-1, 8)


def arguments(settings: TrackerSettings, fps: float) -> SimpleNamespace:
    """Our settings under ultralytics' names: the one place where the two meet.

    ``track_thresh`` is ByteTrack's own name for what ultralytics calls ``track_high_thresh``, and
    ultralytics takes ``track_buffer`` in frames of this video and does not scale it.
    """
    return SimpleNamespace(
        tracker_type="bytetrack",
        track_high_thresh=settings.track_thresh,
        track_low_thresh=settings.low_thresh,
        new_track_thresh=new_track_thresh(settings),
        match_thresh=settings.match_thresh,
        track_buffer=buffer_frames(settings.track_buffer, fps),
        fuse_score=settings.fuse_score,
    )


class _Boxes:
    """Arrays with the interface of ``ultralytics.engine.results.Boxes`` that BYTETracker uses."""

    def __init__(self, xyxy: np.ndarray, conf: np.ndarray, cls: np.ndarray) -> None:
        self.xyxy, self.conf, self.cls = xyxy, conf, cls

    @staticmethod
    def of(frame: FrameDetections, positions: np.ndarray) -> _Boxes:
        return _Boxes(
            frame.bbox_xyxy[positions].astype(np.float32),
            frame.score[positions].astype(np.float32),
            frame.class_id[positions].astype(np.float32),
        )

    @property
    def xywh(self) -> np.ndarray:
        """float32 (N, 4): centre, width, height."""
        low, high = self.xyxy[:, :2], self.xyxy[:, 2:]
        return np.concatenate([(low + high) / 2, high - low], axis=1)

    def __getitem__(self, index: np.ndarray) -> _Boxes:
        return _Boxes(self.xyxy[index], self.conf[index], self.cls[index])

    def __len__(self) -> int:
        return len(self.conf)
