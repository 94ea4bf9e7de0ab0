"""The tracker alone, for those who have a detector of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segtrack.base.errors import DataError, SettingsError, nearest
from segtrack.base.rle import encode_box, run_lengths
from segtrack.model import FrameDetections
from segtrack.settings import Problem, knobs_of, plain
from segtrack.tracker import make_tracker

Masks = Sequence[Any] | np.ndarray | None
_ROUNDING = 1e-3  # by which a score in half precision may pass 1


@dataclass(frozen=True)
class TrackedObjects:
    """The tracks that were seen in one frame, in ascending order of their ids.

    Attributes:
        track_id: int64 (M,), from 1, in the order of first appearance.
        boxes: float32 (M, 4), x1, y1, x2, y2 of the detections, as they were given.
        scores: float32 (M,), of the detections. classes: int64 (M,), likewise.
        masks: M masks of the detections as they were given; None where none were.
        tracker_boxes: float32 (M, 4), the tracker's own estimate (the Kalman state).
        detection: int64 (M,), which of the frame's detections each track took.
        frame: from 0.
    """

    track_id: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: Any
    tracker_boxes: np.ndarray
    detection: np.ndarray
    frame: int

    def __len__(self) -> int:
        return len(self.track_id)


class ByteTrack:
    """ByteTrack (Zhang et al., ECCV 2022), frame by frame: one instance for one video.

        tracker = segtrack.ByteTrack(track_thresh=0.4, fps=25)
        for boxes, scores, classes in detections:
            tracked = tracker.update(boxes, scores, classes)

    The association is that of ``segtrack.track``. What a whole video allows comes after it there
    and not here: one class for each track, ``tracks.min_length``, gaps that are filled.
    """

    def __init__(self, fps: float = 30.0, **settings: Any) -> None:
        """Begin a video.

        Args:
            fps: frames per second.
            settings: knobs of the config group ``tracker`` by name, such as ``track_thresh``;
                docs/settings.md has them.

        Raises:
            SettingsError: all that is wrong with them.
        """
        self._settings, self._fps = _settings(settings), float(fps)
        self._tracker: Any = None
        self._frame = 0

    def update(
        self,
        boxes: ArrayLike,
        scores: ArrayLike,
        classes: ArrayLike | None = None,
        masks: Masks = None,
        motion: ArrayLike | None = None,
    ) -> TrackedObjects:
        """Take the next frame; one without detections too.

        Args:
            boxes: (N, 4), x1, y1, x2, y2 in pixels, from the detector's own threshold on (ByteTrack
                makes use of those of low score).
            scores: (N,), 0..1.
            classes: whole numbers from 0 on, (N,); default: all are of one.
            masks: bool (N, H, W), or N COCO RLE (dicts, or None for a box without), for
                ``association="mask"``; the tracks' own are handed back as they were given.
            motion: (2, 3), how the camera moved since the frame before, for
                ``camera_motion=True``: the affine map of the pixels of that frame to those of this.

        Raises:
            DataError: the lengths or shapes do not fit, a score is none, or a box is not finite or
                upside down. Boxes without an area are never tracked.
        """
        box = np.asarray(boxes, np.float32)
        box = box.reshape(-1, 4) if box.size == 0 else box
        score = np.asarray(scores, np.float32).reshape(-1)
        count = len(score)
        class_id = np.zeros(count) if classes is None else np.asarray(classes).reshape(-1)
        if box.shape != (count, 4) or len(class_id) != count:
            raise DataError(
                f"boxes {box.shape}, scores ({count},) and classes ({len(class_id)},) do not fit: "
                f"boxes are (N, 4), the others (N,)"
            )
        _require_usable(box, score)
        if masks is not None and len(masks) != count:
            raise DataError(f"there are {len(masks)} masks of {count} boxes; give one for each")
        if count and not (np.asarray(class_id) == np.asarray(class_id, np.int16)).all():
            raise DataError("classes are whole numbers below 32768")
        rle: list[bytes | None] = [None] * count
        height = 0
        if masks is not None and self._settings.association.name != "box":
            rle, height = _encoded(masks)
        if self._tracker is None:
            self._tracker = make_tracker(self._settings, self._fps, height)
        detections = FrameDetections(self._frame, class_id.astype(np.int16), score, box, rle)
        moved = None if motion is None else np.asarray(motion, np.float64).reshape(2, 3)
        found = self._tracker.update(detections, None, moved)
        self._frame += 1
        taken = found.det_index
        return TrackedObjects(
            found.track_id,
            box[taken],
            found.score,
            found.class_id.astype(np.int64),
            _taken(masks, taken),
            found.bbox_xyxy,
            taken,
            found.frame,
        )


def _require_usable(box: np.ndarray, score: np.ndarray) -> None:
    """Refuse what the tracker would pass over without a word: it is of another form, not bad luck.

    Raises:
        DataError: the first that is wrong.
    """
    scored = (score >= 0) & (score <= 1 + _ROUNDING)
    if not scored.all():
        at = int(np.argmin(scored))
        raise DataError(f"scores[{at}] is {score[at]:g}; scores are 0..1 (of percents a hundredth)")
    placed = np.isfinite(box).all(1) & (box[:, 2:] >= box[:, :2]).all(1)
    if not placed.all():
        at = int(np.argmin(placed))
        shown = ", ".join(f"{value:g}" for value in box[at])
        raise DataError(f"boxes[{at}] is {shown}; boxes are x1, y1, x2, y2 with x1 <= x2, y1 <= y2")


def _settings(given: dict[str, Any]) -> Any:
    """The knobs, converted and checked as those of a command."""
    from segtrack.tracker import TRACKERS

    kind = TRACKERS.get("bytetrack").settings
    knobs = knobs_of(kind)
    problems = []
    for name, value in given.items():
        if name not in knobs or name == "name":
            near = nearest(name, knobs)
            hint = f"; did you mean {near}?" if near else f"; there are {', '.join(knobs)}"
            problems.append(Problem(name, value, f"no such setting{hint}"))
    known = {k: plain(v) for k, v in given.items() if k in knobs and k != "name"}
    made = OmegaConf.structured(kind)
    for name, value in known.items():
        try:
            made = OmegaConf.merge(made, {name: value})
        except OmegaConfBaseException as error:
            problems.append(Problem(name, value, str(error).splitlines()[0]))
    settings: Any = OmegaConf.to_object(made)
    for name in known:
        if wrong := knobs[name].problem(getattr(settings, name)):
            problems.append(Problem(name, known[name], wrong))
    if not problems:
        problems = list(settings.problems())
    if problems:
        raise SettingsError("; ".join(map(str, problems)))
    return settings


def _encoded(masks: Any) -> tuple[list[bytes | None], int]:
    """Compressed RLE of each mask, and the height of their image."""
    if isinstance(masks, np.ndarray):
        if masks.ndim != 3:
            raise DataError(f"masks {masks.shape}: must be (N, H, W)")
        return list(_of_arrays(masks)), masks.shape[1]
    height = 0
    rle: list[bytes | None] = []
    for one in masks:
        if one is None:
            rle.append(None)
        elif isinstance(one, dict):
            counts = one["counts"]
            rle.append(counts if isinstance(counts, bytes) else str(counts).encode("ascii"))
            height = int(one["size"][0])
        else:
            part = np.asarray(one)
            rle += _of_arrays(part[None])
            height = part.shape[0]
    return rle, height


def _of_arrays(masks: np.ndarray) -> Iterator[bytes | None]:
    height, width = masks.shape[1:]
    for one in masks:
        counts = encode_box(one, height, width, (0, 0))
        yield counts if len(run_lengths(counts)) > 1 else None


def _taken(masks: Any, index: np.ndarray) -> Any:
    if masks is None or isinstance(masks, np.ndarray):
        return None if masks is None else masks[index]
    return [masks[i] for i in index.tolist()]
