"""BoT-SORT, OC-SORT, Deep OC-SORT, FastTracker, TrackTrack: ultralytics' own, behind our door."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from segtrack.base.errors import DataError, SettingsError, of_machine
from segtrack.model import FrameDetections, first_device
from segtrack.settings import plain
from segtrack.tracker.cascade import CascadeSettings, buffer_frames, new_track_thresh
from segtrack.tracker.port import TrackedFrame
from segtrack.tracker.ultralytics.settings import SeeingSettings

# tracker.name: module and class within ultralytics.trackers
CLASSES = {
    "botsort": ("bot_sort", "BOTSORT"),
    "ocsort": ("oc_sort", "OCSORT"),
    "deepocsort": ("deep_oc_sort", "DeepOCSORT"),
    "fasttrack": ("fast_tracker", "FASTTracker"),
    "tracktrack": ("track_tracker", "TRACKTRACK"),
}
# Our name: ultralytics' name. The knobs that are not named here are called the same in both.
RENAMED = {
    "name": "tracker_type",
    "track_thresh": "track_high_thresh",
    "low_thresh": "track_low_thresh",
}
ALL_CLASSES = -1


def arguments(settings: CascadeSettings, fps: float) -> SimpleNamespace:
    """Our settings under ultralytics' names: the one place where the two meet.

    ``track_thresh`` is ByteTrack's own name for what ultralytics calls ``track_high_thresh``, and
    ultralytics takes ``track_buffer`` in frames of this video and does not scale it.
    """
    values = {RENAMED.get(k, k): v for k, v in plain(settings).items()}
    del values["class_aware"]  # ours: a tracker per class
    values["new_track_thresh"] = new_track_thresh(settings)
    values["track_buffer"] = buffer_frames(settings.track_buffer, fps)
    return SimpleNamespace(**values)


class UltralyticsTracker:
    """One tracker per class, or a single one for all where ``class_aware`` is off.

    Detections of different classes are never compared in the first case, which is what a mask over
    the cost matrix would do too. Each inner tracker counts its own ids, so the ids that come out
    are given here, in the order in which tracks first appear: 1, 2, 3 without gaps. The camera's
    motion is estimated once per frame, and a ReID model is loaded once, for all of them.

    Detections of a frame are taken best score first and, where scores are equal, from left to
    right, so that the order in which they come does not matter.
    """

    def __init__(self, settings: CascadeSettings, fps: float, device: Any = "auto") -> None:
        """See ``make_tracker``.

        Raises:
            SettingsError: ultralytics has no tracker of that name here, or the ReID model cannot
                be loaded.
        """
        if settings.name not in CLASSES:
            raise SettingsError(
                f"tracker.name={settings.name}: not one of ultralytics' trackers here: "
                f"{', '.join(CLASSES)}"
            )
        import_module(
            "segtrack.model.ultralytics.library"
        )  # settles what ultralytics may do on this machine
        module, name = CLASSES[settings.name]
        self._class = getattr(import_module(f"ultralytics.trackers.{module}"), name)
        self._arguments = arguments(settings, fps)
        self._name = settings.name
        self._class_aware = settings.class_aware
        self._needs_frames = isinstance(settings, SeeingSettings) and settings.looks()
        self._motion = _Motion(getattr(self._arguments, "gmc_method", "none"))
        self._encoder = _encoder(self._arguments, device)
        self._trackers: dict[int, Any] = {}
        self._ids: dict[tuple[int, int], int] = {}
        self._frames = 0

    def update(
        self,
        frame: FrameDetections,
        image: np.ndarray | None = None,
        motion: np.ndarray | None = None,
    ) -> TrackedFrame:
        """See ``Tracker.update``. ``motion`` is not used: these trackers estimate it themselves.

        Boxes that are not finite or have no area, and scores that are NaN or not above
        ``low_thresh``, are passed over; scores above 1 count as 1.

        Raises:
            DataError: the tracker looks at the picture and there is none.
        """
        if not self._needs_frames:
            image = None
        elif image is None:
            raise DataError(
                f"tracker={self._name}: frame {frame.frame} came without its image, which this "
                "tracker looks at. Give the video or the folder of frames, or set "
                "tracker.gmc_method=none and tracker.with_reid=false"
            )
        order, score = self._usable(frame)
        self._motion.see(image, frame.bbox_xyxy[order[score[order] >= self._high]])
        ids, index, boxes = [], [], []
        for group, positions in self._groups(frame, order):
            detections = _Boxes.of(frame, positions, score)
            for row in self._follow(group, detections, image):
                ids.append(self._ids.setdefault((group, int(row[4])), len(self._ids) + 1))
                index.append(positions[int(row[7])])
                boxes.append(row[:4])
        self._frames += 1
        track_id = np.array(ids, np.int64)
        ascending = np.argsort(track_id)
        taken = np.array(index, np.int64)[ascending]
        return TrackedFrame(
            frame.frame,
            track_id[ascending],
            taken,
            np.array(boxes, np.float32).reshape(-1, 4)[ascending],
            score[taken],
            frame.class_id[taken].astype(np.int16),
        )

    @property
    def _high(self) -> float:
        return float(self._arguments.track_high_thresh)

    def _usable(self, frame: FrameDetections) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the detections that count, best first, and all scores, at most 1."""
        box = frame.bbox_xyxy
        score = np.minimum(frame.score, np.float32(1), dtype=np.float32)
        usable = np.isfinite(box).all(axis=1) & (score > self._arguments.track_low_thresh)
        usable &= (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1])
        keys = (frame.class_id, *box.T[::-1], -score)  # the last one decides first
        order = np.lexsort(keys)
        return order[usable[order]], score

    def _groups(
        self, frame: FrameDetections, order: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The positions of each group's detections, for every group met so far."""
        if not self._class_aware:
            yield ALL_CLASSES, order
            return
        class_id = frame.class_id[order]
        for group in sorted({*self._trackers, *class_id.tolist()}):
            yield group, order[class_id == group]

    def _follow(self, group: int, detections: _Boxes, image: np.ndarray | None) -> np.ndarray:
        """Rows x1, y1, x2, y2, id, score, class, index into ``detections``."""
        tracker = self._trackers.get(group)
        if tracker is None:
            tracker = self._trackers[group] = self._make()
        if not len(detections) and not tracker.tracked_stracks and not tracker.lost_stracks:
            tracker.frame_id += 1  # nothing to predict, match or forget
            return np.empty((0, 8), np.float32)
        return np.asarray(tracker.update(detections, image)).reshape(-1, 8)

    def _make(self) -> Any:
        """An inner tracker that shares the camera's motion and the ReID model with the others."""
        without = {"gmc_method": "none", "with_reid": False}
        tracker = self._class(SimpleNamespace(**{**vars(self._arguments), **without}))
        tracker.args = self._arguments
        tracker.gmc = self._motion
        tracker.encoder = self._encoder
        # These trackers trust a new track at once in the video's first frame only; a class that
        # turns up later must not count that as the first.
        tracker.frame_id = self._frames
        return tracker


class _Motion:
    """In place of every inner tracker's ``gmc``: one estimate per frame, made before they start.

    A tracker whose class is not there for some frames would otherwise compare pictures that are
    not neighbours.
    """

    def __init__(self, method: str) -> None:
        from ultralytics.trackers.utils.gmc import GMC

        self._gmc = GMC(method)
        self.method = self._gmc.method  # None for "none": then nothing is asked for
        self._warp = np.eye(2, 3)

    def see(self, image: np.ndarray | None, boxes: np.ndarray) -> None:
        """Estimate; ``boxes`` (high scores) are left out of the background where ORB or SIFT is
        used."""
        import cv2

        if self.method is None or image is None:
            return
        try:
            self._warp = self._gmc.apply(image, boxes)
        except cv2.error:  # nothing to hold on to in the picture
            self._warp = np.eye(2, 3)

    def apply(self, image: np.ndarray, detections: Any = None) -> np.ndarray:
        """float (2, 3), from the previous frame to this one."""
        return self._warp


def _encoder(settings: SimpleNamespace, device: Any) -> Any:
    """The ReID model on its device, or None where it is off."""
    if not getattr(settings, "with_reid", False):
        return None
    from ultralytics.trackers.utils.reid import build_encoder

    place = first_device(device)  # the library's own choice is a GPU wherever there is one
    try:
        return build_encoder(True, str(Path(settings.model).expanduser()), place)
    except Exception as error:  # whatever the library raises for a file that is no model
        if of_machine(error):
            raise
        why = " ".join(str(error).split())[:300]
        raise SettingsError(
            f"tracker.model={settings.model}: not usable as a ReID model ({why}); name a .pt "
            "checkpoint of ultralytics or an .onnx export, or set tracker.with_reid=false"
        ) from error


class _Boxes:
    """Arrays with the interface of ``ultralytics.engine.results.Boxes`` that the trackers use."""

    def __init__(self, xyxy: np.ndarray, conf: np.ndarray, cls: np.ndarray) -> None:
        self.xyxy, self.conf, self.cls = xyxy, conf, cls

    @staticmethod
    def of(frame: FrameDetections, positions: np.ndarray, score: np.ndarray) -> _Boxes:
        return _Boxes(
            frame.bbox_xyxy[positions].astype(np.float32),
            score[positions],
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
