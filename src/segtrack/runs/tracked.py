"""One video that a run tracked in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError
from segtrack.base.json_stream import elements
from segtrack.runs.places import Place

if TYPE_CHECKING:
    from segtrack.scoring import ClearMatches, SequenceScores, Truth
    from segtrack.tracker import Tracks


@dataclass(frozen=True)
class KeptVideo:
    """What a run kept of a video; each file is fetched and opened when it is asked for.

    Attributes:
        name: of the video.
        path: of its results.json within the run.
        row: of the run's ``tracking.json``; empty where there is none.
    """

    name: str
    path: str
    place: Place = field(repr=False)
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def results(self) -> Path:
        """Its results.json (``segtrack.tracker.read_results``)."""
        return self.place.fetch(self.path)

    @cached_property
    def head(self) -> dict[str, Any]:
        """``video`` of results.json: name, sha256, width, height, fps, frame_count.

        Raises:
            DataError: it is not there.
        """
        try:
            for one in elements(self.results):
                if one.key == "video" and isinstance(one.value, dict):
                    return one.value
        except (OSError, ValueError) as error:
            raise DataError(f"{self.results}: not readable as JSON ({error})") from error
        raise DataError(f"{self.results}: not a results.json: it has no video")

    @property
    def role(self) -> str | None:
        """tuning, test or None."""
        role: str | None = self.row.get("role")
        return role

    @property
    def source(self) -> Path | None:
        """The file, or folder of frames, that was tracked in; None: ``no_source`` says why."""
        path = self.row.get("video")
        return Path(path) if path and Path(path).exists() else None

    @property
    def no_source(self) -> str:
        """Why there are no frames to show; empty where there are."""
        if self.source is not None:
            return ""
        if path := self.row.get("video"):
            return f"{path} is not there any more; give the video"
        if self.row:
            return "it was tracked from detections, without frames"
        return "it is not known which file was tracked in; give the video"

    @cached_property
    def annotated(self) -> Path | None:
        """The annotated video; None where none was made."""
        return self.file("annotated.mp4")

    @cached_property
    def tracks(self) -> Tracks | None:
        """The trajectories as a stream of frames; None where the store has them no more."""
        from segtrack.tracker import Tracks

        folder = self._stored("tracks")
        return None if folder is None else Tracks.load(folder)

    @cached_property
    def truth(self) -> Truth | None:
        """Its ground truth; None where it has none."""
        from segtrack.scoring import Truth

        kept = self.file("scores/truth.npz")
        folder = self._stored("truth") if kept is None else kept.parent
        return None if folder is None else Truth.load(folder)

    @cached_property
    def scores(self) -> SequenceScores | None:
        """Its counts by kind and class; None where it was not scored."""
        from segtrack.scoring import SequenceScores

        path = self.file("scores/counts.npz")
        return None if path is None else SequenceScores.load(path.parent)

    @cached_property
    def matches(self) -> Mapping[tuple[str, str], ClearMatches]:
        """What CLEAR matched in each frame, by kind (``box`` or ``mask``) and class; empty where it
        was not scored, or by a version that did not keep it."""
        from segtrack.scoring import read_matches

        path = self.file("scores/matches.parquet")
        return {} if path is None else read_matches(path)

    @cached_property
    def flips(self) -> list[tuple[int, int, str]]:
        """Frame, track id and detected class where that is not the track's class; empty where the
        run kept none."""
        from segtrack.tracker import read_flips

        path = self.file("flips.parquet")
        return [] if path is None else read_flips(path)

    @cached_property
    def score_document(self) -> dict[str, Any] | None:
        """``scores.json``: scores by kind and class as fractions, curves, occlusions."""
        path = self.file("scores/scores.json")
        if path is None:
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not readable as scores ({error})") from error

    def has(self, name: str) -> bool:
        """Whether a file is beside results.json, without fetching it."""
        return bool(self._names(name))

    def file(self, name: str) -> Path | None:
        """A file beside results.json; None where there is none."""
        found = self._names(name)
        return self.place.fetch(found[0]) if found else None

    def _names(self, name: str) -> list[str]:
        folder = self.path.rpartition("/")[0]
        return self.place.names(f"{_escaped(folder)}/{name}" if folder else name)

    def _stored(self, what: str) -> Path | None:
        folder = self.row.get(what)
        return Path(folder) if folder and Path(folder).is_dir() else None


def _escaped(text: str) -> str:
    """As a pattern that fits nothing but itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
