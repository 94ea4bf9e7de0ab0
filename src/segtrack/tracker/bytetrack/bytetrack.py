"""ByteTrack (Zhang et al., ECCV 2022) over arrays, with classes, masks and a moving camera."""

from __future__ import annotations

import numpy as np

from segtrack.model import FrameDetections
from segtrack.tracker.bytetrack import kalman, lifecycle, matching
from segtrack.tracker.bytetrack.mask_iou import Masks, mask_similarity, newest
from segtrack.tracker.bytetrack.settings import Association, ByteTrackSettings
from segtrack.tracker.cascade import buffer_frames, new_track_thresh
from segtrack.tracker.port import TrackedFrame

STANDING = np.eye(2, 3)
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


class ByteTrack:
    """The tracks of one video.

    With ``association: box``, one class and a camera that stands, trajectories are those of
    ultralytics' ``BYTETracker``. A habit that it shares with the reference is kept: a lost track
    can still be found again in the one frame after it has been given up. One is not: ultralytics
    remembers the last 1,000 tracks given up only, which shows in crowds of that size.

    With ``class_aware``, a detection never meets a track of another class, so that the result is
    that of a tracker per class; the first frame, whose tracks are trusted at once, is the video's.

    With ``association: mask`` a track and a detection whose boxes overlap are as similar as their
    masks (IoU), the track's last mask moved as its predicted centre has moved since; ``box+mask``
    takes the mean with the boxes' IoU. Where one of the two has no mask, boxes are compared.
    Duplicates are told by boxes in any case.

    Detections are taken in an order of their own (by x1, then by the other numbers), so that the
    order in which they come does not matter, not even for ties. Of tracks that appear in one frame
    that with the best score comes first.
    """

    def __init__(self, settings: ByteTrackSettings, fps: float, height: int = 0) -> None:
        """See ``make_tracker``."""
        self._class_aware = settings.class_aware
        self._fuse_score = settings.fuse_score
        # Scores are float32, so the reference compares them in float32.
        self._low = np.float32(settings.low_thresh)
        self._high = np.float32(settings.track_thresh)
        # Only detections of high score start tracks, whatever the threshold for that.
        self._new = max(self._high, np.float32(new_track_thresh(settings)))
        self._match_thresh = settings.match_thresh
        self._buffer = buffer_frames(settings.track_buffer, fps)
        self._state = np.zeros((64, kalman.STATE_COLUMNS))
        self._book = np.zeros((64, lifecycle.BOOK_COLUMNS), np.int64)
        self._count = 0
        self._frames = 0
        self._next_id = 1
        association = settings.association
        self._masks: _TrackMasks | None = None
        if association is not Association.box:
            self._masks = _TrackMasks(height, association is Association["box+mask"])

    def update(
        self,
        frame: FrameDetections,
        image: np.ndarray | None = None,
        motion: np.ndarray | None = None,
    ) -> TrackedFrame:
        """See ``Tracker.update``; ByteTrack does not look at the image.

        Detections whose box or score is not finite, whose box has no area or whose score is not
        above ``low_thresh`` are passed over; scores above 1 count as 1.
        """
        box = np.array(frame.bbox_xyxy, np.float32, order="C")
        score = np.array(frame.score, np.float32)
        class_id = np.asarray(frame.class_id, np.int64)
        taken = lifecycle.usable(box, score, self._low)
        columns = box[taken].T
        taken = taken[np.lexsort((class_id[taken], score[taken], *columns[::-1]))]
        used_score, used_class = np.minimum(score[taken], np.float32(1)), class_id[taken]
        boxes, measured = kalman.measurements(box[taken])

        self._frames += 1
        self._make_room(len(taken))
        state, book, count = self._state, self._book, self._count
        moved = STANDING if motion is None else np.array(motion, np.float64)
        kalman.predict(state, book, count, moved)
        pairs: Pairs = matching.overlaps(
            kalman.boxes_of(state, count),
            boxes,
            np.ascontiguousarray(book[:count, lifecycle.CLASS]),
            used_class,
            self._class_aware,
        )
        if self._masks is not None:
            rle = [frame.rle[i] for i in taken.tolist()]
            pairs = self._masks.compare(rle, state[:count, :2], pairs)
        found = matching.cascade(
            book, count, pairs, used_score, self._high, self._match_thresh, self._fuse_score
        )
        best_first = np.argsort(-used_score, kind="stable")
        count = lifecycle.advance(
            book,
            count,
            found,
            used_score,
            used_class,
            best_first,
            self._new,
            self._buffer,
            self._frames,
        )
        kalman.update(state, book, count, measured)
        matching.duplicates(book, kalman.boxes_of(state, count), self._class_aware)
        count, self._next_id = lifecycle.close_ranks(state, book, count, self._next_id)
        self._count = count
        if self._masks is not None:
            self._masks.follow(state[:count, :2], book[:count])

        rows = np.flatnonzero(book[:count, lifecycle.STATUS] == lifecycle.TRACKED)
        index = book[rows, lifecycle.DETECTION]
        return TrackedFrame(
            frame.frame,
            book[rows, lifecycle.TRACK_ID],
            taken[index],
            kalman.boxes_of(state[rows], len(rows)),
            used_score[index],
            used_class[index].astype(np.int16),
        )

    def _make_room(self, detections: int) -> None:
        needed = self._count + detections
        if needed > len(self._state):
            more = max(needed, 2 * len(self._state)) - len(self._state)
            self._state = np.pad(self._state, ((0, more), (0, 0)))
            self._book = np.pad(self._book, ((0, more), (0, 0)))


class _TrackMasks:
    """The last mask of every track, and where the track's centre was when it was seen."""

    def __init__(self, height: int, with_box: bool) -> None:
        self._height, self._with_box = height, with_box
        self._tracks = self._detections = Masks.read([], height)
        self._centre = np.zeros((0, 2))

    def compare(self, rle: list[bytes | None], centre: np.ndarray, pairs: Pairs) -> Pairs:
        """The pairs with the similarity of their masks; ``centre`` (N, 2) is the predicted one."""
        self._detections = Masks.read(rle, self._height)
        shift = np.rint(centre - self._centre).astype(np.int64)
        similarity = mask_similarity(self._tracks, shift, self._detections, pairs, self._with_box)
        return pairs[0], pairs[1], similarity

    def follow(self, centre: np.ndarray, book: np.ndarray) -> None:
        """Take over the tracks as they are after this frame."""
        before = np.ascontiguousarray(book[:, lifecycle.ROW_BEFORE])
        detection = np.ascontiguousarray(book[:, lifecycle.DETECTION])
        self._tracks = newest(self._tracks, self._detections, before, detection)
        has_mask = np.append(np.diff(self._detections.start) > 0, False)  # -1 takes the last
        fresh = has_mask[detection] | (before < 0)
        moved = centre.copy()
        moved[~fresh] = self._centre[before[~fresh]]
        self._centre = moved
