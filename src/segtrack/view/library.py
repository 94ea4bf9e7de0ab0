"""What the pages show: runs by the key in their addresses, and the videos that are open."""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.errors import DataError, SegtrackError
from segtrack.base.saying import say
from segtrack.runs import KeptRun, KeptSweep, KeptVideo, Recent, again, find, name_of, recent
from segtrack.settings import MlflowSettings
from segtrack.view.links import MlflowLink, mlflow_link
from segtrack.view.marks import Judged, judged_of
from segtrack.view.objects import ObjectIndex
from segtrack.view.video import OpenVideo

_AGAIN = 2.0  # s that what MLflow said of a running run counts
_REST = 4  # times as long as MLflow took it is left alone
_OPEN = 4  # videos whose objects are kept in memory
_ID = re.compile(r"[0-9a-f]{32}")


class Unknown(SegtrackError):
    """There is no such run or video."""


@dataclass(frozen=True)
class Shelf:
    """A run or a sweep with its key."""

    key: str
    held: KeptRun | KeptSweep


class Library:
    """Runs that were named, and all others of the same MLflow by their id.

    No address names a file: a run is known by its id or by its place among those that were named.

    Attributes:
        settings: where runs are recorded.
        scratch: folder for files that are made to be looked at.
        named: what was named.
    """

    def __init__(
        self,
        settings: MlflowSettings,
        named: Sequence[KeptRun | KeptSweep],
        scratch: Path,
        videos: Path | None = None,
    ) -> None:
        """Take what was named.

        Args:
            settings: where runs are recorded.
            scratch: folder for files that are fetched or rewritten; outlives the library.
            videos: a video file, or a folder of them by name, for results that do not say which
                file they were tracked in.
        """
        self.settings, self.scratch, self._videos = settings, scratch, videos
        self.named = tuple(Shelf(_key(one, n), one) for n, one in enumerate(named, start=1))
        self._held: dict[str, KeptRun | KeptSweep] = {one.key: one.held for one in self.named}
        self._due: dict[str, float] = {}  # when MLflow is asked again what became of it
        self._open: OrderedDict[tuple[str, str], OpenVideo] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> KeptRun | KeptSweep:
        """A run or sweep; one that runs as it was seconds ago.

        Raises:
            Unknown: there is none, or none any more.
        """
        held = self._held.get(key)
        if held is None and not _ID.fullmatch(key):
            raise Unknown(f"no run is called {key[:60]!r} here")
        try:
            if held is None:
                self._held[key] = find(self.settings, [key], self.scratch)[0]
            elif held.running:
                self._ask_again(key, held)
        except SegtrackError as error:
            raise Unknown(str(error)) from error
        return self._held[key]

    def _ask_again(self, key: str, held: KeptRun | KeptSweep) -> None:
        """Unless that was just done; a video that plays asks for its run many times a second."""
        began = time.monotonic()
        if began < self._due.get(key, began):
            return
        self._due[key] = math.inf  # who comes meanwhile takes what there is
        try:
            self._held[key] = again(self.settings, held, self.scratch)
        finally:
            ended = time.monotonic()
            self._due[key] = ended + max(_AGAIN, _REST * (ended - began))

    def recent(self, **which: str) -> tuple[list[Recent], str]:
        """A page of all runs (``runs.recent``).

        Raises:
            SettingsError: they cannot be read.
        """
        return recent(self.settings, self.scratch, **which)

    def name_of(self, run_id: str) -> str:
        """What a run or a sweep is called."""
        held = self._held.get(run_id)
        return held.name if held else name_of(self.settings, run_id)

    def run(self, key: str) -> KeptRun:
        """A run.

        Raises:
            Unknown: there is none, or it is a sweep.
        """
        found = self.get(key)
        if isinstance(found, KeptSweep):
            raise Unknown(f"{found.name} is a sweep; its cells have the videos")
        return found

    def kept_video(self, key: str, number: int) -> KeptVideo:
        """A video of a run, numbers from 1.

        Raises:
            Unknown: there is none.
        """
        videos = self.run(key).videos
        if not 1 <= number <= len(videos):
            raise Unknown(f"run {key} has no video {number}; it has {len(videos)}")
        return videos[number - 1]

    def video(self, key: str, number: int) -> OpenVideo:
        """The same, open.

        Raises:
            Unknown: there is none. DataError: its results cannot be read.
        """
        kept = self.kept_video(key, number)
        with self._lock:
            place = key, kept.path  # numbers change while videos are added
            if place not in self._open:
                self._open[place] = self._opened(kept)
            self._open.move_to_end(place)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
            return self._open[place]

    def mlflow(self, run: KeptRun) -> MlflowLink | None:
        """To the page that MLflow has of a run; None where it knows nothing of it."""
        return mlflow_link(self.settings, run)

    def source(self, kept: KeptVideo) -> tuple[Path | None, str]:
        """Where a video's frames are, or why there are none."""
        if kept.source is not None:
            return kept.source, ""
        given = self._videos
        if given is None:
            return None, f"{kept.no_source}: segtrack view ... --video FILE"
        if given.is_dir():
            beside = [p for p in sorted(given.iterdir()) if kept.name in (p.stem, p.name)]
            if beside:
                return beside[0], ""
            return None, f"{given} holds no video called {kept.name}"
        return given, ""

    def prepare(self) -> None:
        """Begin to read the first video, which somebody is about to look at."""
        keys = [one.key for one in self.named if isinstance(one.held, KeptRun)]

        def work() -> None:
            with contextlib.suppress(SegtrackError):  # which the page will say
                self.video(keys[0], 1)

        if keys:
            threading.Thread(target=work, name="first video", daemon=True).start()

    def close(self) -> None:
        """Let go of all videos."""
        with self._lock:
            for one in self._open.values():
                one.close()
            self._open.clear()

    def _opened(self, kept: KeptVideo) -> OpenVideo:
        index = ObjectIndex(kept.results, self.scratch)
        source, why = self.source(kept)
        judged: Judged | None = None
        try:
            judged = judged_of(kept)
        except DataError as error:  # the tracks can be looked at without
            say(f"warning: {error}")
        return OpenVideo(kept.name, index, source, why, judged)


def _key(held: KeptRun | KeptSweep, number: int) -> str:
    return held.id or f"folder-{number}"
