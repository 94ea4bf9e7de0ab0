"""What happens to trajectories after the association: filters, votes, filled gaps, masks apart.

Everything works frame by frame on streams; nothing here grows with the length of the video but
the tally's few numbers per track.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from segtrack.tracker.tracks import TrackRows, TrackSummary

Flipped = Callable[[int, int, int], None]
"""Is told of a frame, the track's id, and the class that was detected there."""


def kept(bbox_xyxy: np.ndarray, min_area: float, max_aspect_ratio: float | None) -> np.ndarray:
    """Which boxes stay in the result: those of ``w * h > min_area`` and ``w / h <= limit``.

    These are the two filters of ByteTrack's evaluation (``tools/track.py``: ``--min_box_area`` 10
    and ``w / h > 1.6`` for MOTChallenge; ultralytics' users take 100).

    Args:
        bbox_xyxy: (M, 4) pixels. Boxes without area or turned inside out never stay.

    Returns:
        bool (M,).
    """
    box = bbox_xyxy.astype(np.float64).reshape(-1, 4)
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    stays = (width > 0) & (height > 0) & (width * height > min_area)
    if max_aspect_ratio is not None:
        stays &= width <= max_aspect_ratio * height
    return stays


class Tally:
    """What is known of each track while rows pass by; ids are those of the tracker, from 1."""

    def __init__(self, class_count: int) -> None:
        self._first = np.full(1, -1, np.int64)
        self._last = np.zeros(1, np.int64)
        self._votes = np.zeros((1, class_count), np.int64)  # rows by class
        self._scores = np.zeros((1, class_count))  # sum of their scores

    def add(
        self, frame: int, track_id: np.ndarray, class_id: np.ndarray, score: np.ndarray
    ) -> None:
        """Take the rows of one frame, in which an id comes once."""
        if not len(track_id):
            return
        self._make_room(int(track_id.max()) + 1)
        self._first[track_id] = np.where(self._first[track_id] < 0, frame, self._first[track_id])
        self._last[track_id] = frame
        self._votes[track_id, class_id] += 1
        self._scores[track_id, class_id] += score

    def classes(self, track_id: np.ndarray) -> np.ndarray:
        """The classes of these tracks as far as it is known, int64 (N,): that of the highest sum of
        scores, then of the most rows, then the lower one."""
        votes, scores = self._votes[track_id], self._scores[track_id]
        most = scores == scores.max(axis=1, keepdims=True)
        found: np.ndarray = np.argmax(np.where(most, votes, -1), axis=1)
        return found

    def settle(self, min_length: int) -> Settled:
        """Who stays, under which id and class; ids go by first frame, then by the tracker's id."""
        seen = self._votes.sum(axis=1)
        class_id = self.classes(np.arange(len(seen)))
        stay = np.flatnonzero((seen >= min_length) & (seen > 0))
        stay = stay[np.argsort(self._first[stay], kind="stable")]
        new_id = np.zeros(len(seen), np.int64)
        new_id[stay] = np.arange(1, len(stay) + 1)
        mean = self._scores.sum(axis=1)[stay] / seen[stay]
        flips = seen[stay] - self._votes[stay, class_id[stay]]
        columns = (new_id, class_id, self._first, self._last, seen)
        facts = zip(*(column[stay].tolist() for column in columns), mean.tolist(), strict=True)
        return Settled(
            new_id, class_id.astype(np.int16), [TrackSummary(*row) for row in facts], flips.sum()
        )

    def _make_room(self, needed: int) -> None:
        more = max(needed, 2 * len(self._first)) - len(self._first)
        if needed > len(self._first):
            self._first = np.pad(self._first, (0, more), constant_values=-1)
            self._last = np.pad(self._last, (0, more))
            self._votes = np.pad(self._votes, ((0, more), (0, 0)))
            self._scores = np.pad(self._scores, ((0, more), (0, 0)))


class Settled:
    """The verdict on all tracks.

    Attributes:
        tracks: those that stay, ids ascending from 1.
        flips: rows of them whose detection was of another class than the track.
    """

    def __init__(
        self, new_id: np.ndarray, class_id: np.ndarray, tracks: list[TrackSummary], flips: int
    ) -> None:
        self._new_id, self._class_id = new_id, class_id
        self.tracks, self.flips = tracks, int(flips)

    @property
    def rows(self) -> int:
        """Rows of the tracks that stay."""
        return sum(track.frames_seen for track in self.tracks)

    def apply(self, frames: Iterable[TrackRows], flipped: Flipped) -> Iterator[TrackRows]:
        """Drop, renumber, and give every row its track's class; empty frames are left out.

        Args:
            flipped: is told of each row whose detection was of another class than the track.
        """
        for rows in frames:
            new_id = self._new_id[rows.track_id]
            order = np.argsort(new_id, kind="stable")
            order = order[new_id[order] > 0]
            if len(order):
                class_id = self._class_id[rows.track_id]
                for i in order[rows.class_id[order] != class_id[order]].tolist():
                    flipped(rows.frame, int(new_id[i]), int(rows.class_id[i]))
                yield take(replace(rows, track_id=new_id, class_id=class_id), order)


def interpolated(frames: Iterable[TrackRows], longest: int) -> Iterator[TrackRows]:
    """Fill gaps of up to ``longest`` frames of a track with boxes on straight lines.

    As in ByteTrack's ``tools/interpolation.py``: between the rows at frames a and b, frame t gets
    ``box_a + (t - a) / (b - a) * (box_b - box_a)``, both of its boxes. Such a row has no
    mask, is marked as interpolated, and its score is the mean of both ends. A row that a filter
    dropped leaves a gap like any other. At most ``longest`` frames are held in memory.

    Args:
        frames: in ascending order, ids of a frame ascending; empty ones may be left out.
        longest: frames between the two ends of a gap.
    """
    waiting: dict[int, list[TrackRows]] = {}  # frames that a gap may still reach into, ascending
    ends: dict[int, TrackRows] = {}  # a track's last row
    for rows in frames:
        for end in [end for end in ends.values() if end.frame < rows.frame - longest - 1]:
            del ends[int(end.track_id[0])]
        filled: dict[int, list[TrackRows]] = {}
        for i, track_id in enumerate(rows.track_id.tolist()):
            row = take(rows, np.array([i]))
            before = ends.get(track_id, row)
            for frame in range(before.frame + 1, rows.frame):
                filled.setdefault(frame, []).append(_between(before, row, frame))
            ends[track_id] = row
        for frame, made in filled.items():
            waiting.setdefault(frame, []).extend(made)
        waiting[rows.frame] = [rows]
        for frame in sorted(waiting):
            if frame > rows.frame - longest:
                break
            yield _together(waiting.pop(frame))
    for frame in sorted(waiting):
        yield _together(waiting[frame])


def _between(before: TrackRows, after: TrackRows, frame: int) -> TrackRows:
    share = (frame - before.frame) / (after.frame - before.frame)

    def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        first = start.astype(np.float64)
        return (first + share * (end - first)).astype(np.float32)

    return replace(
        after,
        frame=frame,
        score=((before.score.astype(np.float64) + after.score) / 2).astype(np.float32),
        bbox_xyxy=between(before.bbox_xyxy, after.bbox_xyxy),
        rle=[None],
        interpolated=np.ones(1, bool),
        tracker_bbox_xyxy=between(before.tracker_bbox_xyxy, after.tracker_bbox_xyxy),
    )


def disjoint(frames: Iterable[TrackRows], height: int, width: int) -> Iterator[TrackRows]:
    """Give each pixel of a frame to the object with the highest score whose mask has it.

    An object of which nothing is left keeps its row and its box, without a mask.

    Args:
        frames: with masks of ``height`` x ``width`` pixels.
    """
    for rows in frames:
        yield replace(rows, rle=rows.disjoint_masks(height, width))


def take(rows: TrackRows, index: np.ndarray) -> TrackRows:
    """The rows at ``index`` (positions), in that order."""
    return TrackRows(
        rows.frame,
        rows.track_id[index],
        rows.class_id[index],
        rows.score[index],
        rows.bbox_xyxy[index],
        [rows.rle[i] for i in index.tolist()],
        rows.interpolated[index],
        rows.tracker_bbox_xyxy[index],
    )


def _together(parts: list[TrackRows]) -> TrackRows:
    """One frame's rows, ids ascending."""
    if len(parts) == 1:
        return parts[0]
    whole = TrackRows(
        parts[0].frame,
        np.concatenate([part.track_id for part in parts]),
        np.concatenate([part.class_id for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.bbox_xyxy for part in parts]),
        [counts for part in parts for counts in part.rle],
        np.concatenate([part.interpolated for part in parts]),
        np.concatenate([part.tracker_bbox_xyxy for part in parts]),
    )
    return take(whole, np.argsort(whole.track_id, kind="stable"))
