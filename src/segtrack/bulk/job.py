"""What all shards of a prediction share, what is done of it, and attempts at what is not.

``done/detect-00000.json`` stands for a finished shard, ``done/track-00000.json`` for a finished
association. Until then everything lies in a folder of the attempt's own in ``work``, which a
killed one leaves behind: so attempts can be counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segtrack import model, tracker
from segtrack.base.atomic import write_whole
from segtrack.base.errors import DataError
from segtrack.bulk.plan import IMAGE, Plan, read_plan
from segtrack.settings import TrackerSettings, TracksSettings

OBJECTS, INPUTS, TRACKS = "objects", "inputs", "tracks"  # folders of what is handed over
DONE, WORK, DETECTED, PLAN = "done", "work", "detected", "plan.arrow"  # what is gone at the end
MOST = 3  # attempts at a shard in one command, each of which ended its process


@dataclass(frozen=True)
class Job:
    """What all shards share; goes to other processes as it is.

    Attributes:
        folder: where results grow, which every process sees under this path.
        root, kind, per_shard: of the plan. max_pixels: of an image that is decoded, or None.
        attempt: of this command, beside those of an earlier one that was killed.
    """

    folder: Path
    root: Path
    kind: str
    per_shard: int
    network: model.Network
    request: model.Request
    tracker: TrackerSettings
    tracks: TracksSettings
    max_pixels: int | None
    attempt: str

    @cached_property
    def plan(self) -> Plan:
        """The files of all shards."""
        return read_plan(self.folder / PLAN, self.root, self.kind, self.per_shard)

    def compute(self) -> dict[str, dict[str, str]]:
        """What ``network`` and ``tracker`` calculate with, which results depend on.

        Raises:
            SettingsError: the device is not there.
        """
        follows: dict[str, str] = {}
        if self.kind != IMAGE:
            kind = tracker.TRACKERS.get(self.tracker.name)
            follows = kind.computes(self.tracker, self.network.device)
        return {"network": dict(self.network.family.compute(self.network)), "tracker": follows}

    def done(self, what: str, number: int) -> dict[str, Any] | None:
        """What is known of a finished shard (``detect``) or association (``track``)."""
        try:
            found: dict[str, Any] = json.loads(self.mark(what, number).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def finish(self, what: str, number: int, facts: dict[str, Any]) -> dict[str, Any]:
        """From here on it is finished."""
        write_whole(self.mark(what, number), json.dumps(facts, ensure_ascii=False))
        return facts

    def mark(self, what: str, number: int) -> Path:
        """The file that says that it is finished."""
        return self.folder / DONE / f"{what}-{number:05d}.json"


@contextlib.contextmanager
def attempt(job: Job, what: str, number: int) -> Iterator[Path]:
    """A folder for one attempt, which goes at its end unless the process is killed."""
    begun = f"{what}-{number:05d}.{job.attempt}."
    above = job.folder / WORK
    if sum(name.startswith(begun) for name in os.listdir(above)) >= MOST:  # noqa: PTH208
        files = job.plan.files(number)
        last = f" to {files[-1].name}" if len(files) > 1 else ""
        raise DataError(
            f"shard {number} ({files[0].name}{last} in {job.root}) ended its process {MOST} times; "
            "the machine may lack memory, or one of these files ends its decoder: take it away"
        )
    work = above / f"{begun}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def clocks() -> tuple[float, float]:
    """Now, and how long this process has computed, s."""
    return time.perf_counter(), time.process_time()


def since(begin: tuple[float, float]) -> dict[str, float]:
    """ms that passed, and ms of computing by all threads of this process."""
    now = clocks()
    all_, cpu = (round(1000 * (b - a), 1) for a, b in zip(begin, now, strict=True))
    return {"all": all_, "cpu": cpu}
