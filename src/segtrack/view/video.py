"""One video as the page asks for it: objects of some frames, its tracks, its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.view.marks import Judged
from segtrack.view.objects import ObjectIndex, Rows
from segtrack.view.outlines import outlines
from segtrack.view.pictures import Film

WINDOW = 512  # frames that are given at once, at most


class OpenVideo:
    """What a run kept of a video, open while somebody looks at it.

    Attributes:
        name: of the video.
        index: its objects.
        film: its pictures, or None: ``no_film`` says why.
        judged: its objects against ground truth, or None where there is none.
    """

    def __init__(
        self,
        name: str,
        index: ObjectIndex,
        source: Path | None,
        no_source: str,
        judged: Judged | None,
    ) -> None:
        self.name, self.index, self.judged = name, index, judged
        self.film: Film | None = None
        self.no_film = no_source
        if source is not None:
            try:
                self.film = Film(source)
            except DataError as error:
                self.no_film = str(error)
        index.start()

    def about(self) -> dict[str, Any]:
        """What the page knows from the beginning."""
        film, video = self.film, self.index.video
        return {
            "name": self.name,
            "width": video["width"],
            "height": video["height"],
            "fps": self.fps,
            "count": self.count,
            "classes": {str(k): name for k, name in self.index.names.items()},
            "film": film is not None,
            "plays": film is not None and film.plays,
            "noFilm": self.no_film,
            "truth": self.judged is not None,
        }

    @property
    def fps(self) -> float:
        """Frames per second on average."""
        return float(self.index.video["fps"]) or 30.0

    @property
    def count(self) -> int:
        """Frames of the video."""
        known = self.index.known().frame
        last = int(known[-1]) if len(known) else 0
        return max(int(self.index.video["frame_count"]), last + 1)

    def times(self) -> dict[str, Any]:
        """When its frames are shown, in s; null where that follows from ``fps``."""
        fps = self.fps
        seconds = self.film.seconds() if self.film is not None else None
        if seconds is not None:
            regular = np.arange(len(seconds)) / fps
            if np.abs(seconds - regular).max() < 0.25 / fps:
                seconds = None
        found = None if seconds is None else np.round(seconds, 6).tolist()
        return {"fps": fps, "seconds": found, "count": self.film.count if self.film else self.count}

    def objects(self, first: int, end: int) -> dict[str, Any]:
        """All objects of frames ``first`` to ``end`` - 1, masks as outlines.

        Raises:
            DataError: a mask cannot be read.
        """
        rows = self.index.rows(first, end)
        if rows is None:
            if self.index.problem:
                raise DataError(self.index.problem)
            return {"first": first, "end": end, "read": self.index.share, "frames": None}
        found = {"first": first, "end": end, "read": self.index.share, "frames": self._frames(rows)}
        if self.judged is not None:
            found["truth"] = self.judged.frames(first, end)
        return found

    def _frames(self, rows: Rows) -> dict[str, list[list[Any]]]:
        height = self.index.video["height"]
        frames: dict[str, list[list[Any]]] = {}
        columns = (rows.frame, rows.track_id, rows.class_id, rows.interpolated)
        # The shortest text of a float32, as the file has it.
        numbers = np.concatenate([rows.score[:, None], rows.bbox_xyxy], axis=1)
        texts = [[float(str(value)) for value in row] for row in numbers]
        masks = self.index.masks(rows)
        for (frame, track, kind, made), values, mask in zip(
            zip(*(column.tolist() for column in columns), strict=True), texts, masks, strict=True
        ):
            rings = outlines(mask, height) if mask is not None else None
            frames.setdefault(str(frame), []).append([track, kind, *values, int(made), rings])
        return frames

    def tracks(self) -> dict[str, Any]:
        """Every track with the stretches of frames in which it is there; those known by now."""
        rows = self.index.known() if self.index.share < 1 else self.index.rows()
        assert rows is not None
        names = {str(number): name for number, name in self.index.names.items()}
        found = {"read": self.index.share, "problem": self.index.problem, "count": self.count}
        return {**found, "classes": names, "tracks": tracks_of(rows)}

    def close(self) -> None:
        """Let go of its pictures."""
        if self.film is not None:
            self.film.close()


def tracks_of(rows: Rows) -> list[list[Any]]:
    """Per track: id, class, objects, mean and highest score, and the first and last frame of each
    stretch in which it is there."""
    if not len(rows):
        return []
    order = np.lexsort((rows.frame, rows.track_id))
    track, frame = rows.track_id[order], rows.frame[order]
    begins = np.flatnonzero(np.diff(track, prepend=track[0] - 1))
    counts = np.diff(np.append(begins, len(track)))
    score = rows.score[order].astype(np.float64)
    mean, best = np.add.reduceat(score, begins) / counts, np.maximum.reduceat(score, begins)
    new = np.flatnonzero(
        (np.diff(track, prepend=track[0] - 1) != 0) | (np.diff(frame, prepend=0) != 1)
    )
    stretches = np.stack([frame[new], frame[np.append(new[1:], len(frame)) - 1]], axis=1)
    places = np.searchsorted(new, begins)
    parts = [one.ravel().tolist() for one in np.split(stretches, places[1:])]
    columns = (track[begins], rows.class_id[order][begins], counts, mean.round(4), best.round(4))
    table = zip(*(column.tolist() for column in columns), strict=True)
    return [[*row, part] for row, part in zip(table, parts, strict=True)]
