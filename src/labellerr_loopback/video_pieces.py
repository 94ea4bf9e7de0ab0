"""Which objects an uploaded trajectory follows, as somebody sees it who plays the video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from segtrack.base.polygons import Polygon

BRIEF = 5  # outlines: a sixth of a second at 30 frames/s


@dataclass(frozen=True)
class TrueTrack:
    """An object on its way: its outline, float64 (n, 2) in px, in each frame that shows it."""

    class_name: str
    outlines: Mapping[int, Polygon]


@dataclass
class SentTrack:
    """An uploaded trajectory: its outlines and, by frame, the object that each one follows.

    Attributes:
        stray: frames in which it follows none, for so short a while that nobody notices.
    """

    answer_id: str
    question: str
    data: dict[str, Any]
    outlines: dict[int, Polygon]
    owner: dict[int, int] = field(default_factory=dict)
    iou: dict[int, float] = field(default_factory=dict)
    stray: set[int] = field(default_factory=set)


def rings(data: Any) -> dict[int, Polygon]:
    """The outlines of a trajectory by frame; boxes and what is none are passed by."""
    found = {}
    for number, entry in sorted(data["frames"].items(), key=lambda item: int(item[0])):
        answer = entry["answer"]
        if isinstance(answer, list) and len(answer) > 2:
            found[int(number)] = np.array([[p["x"], p["y"]] for p in answer], np.float64)
    return found


def first_outline(rings: Mapping[int, Polygon]) -> tuple[int, list[list[float]]]:
    """Where a trajectory begins: it tells trajectories apart without their ids."""
    frame = next(iter(rings))
    return frame, rings[frame].tolist()


def step_of(sent: Iterable[SentTrack]) -> int:
    """Every how many frames there is an outline; 1 where nothing says it."""
    steps = Counter(b - a for one in sent for a, b in pairwise(one.outlines))
    return steps.most_common(1)[0][0] if steps else 1


def rate_of(sent: Iterable[SentTrack]) -> float:
    """By the time of the latest outline; 0 where none has one."""
    found = (
        (int(number), float(entry["timestamp"]))
        for one in sent
        for number, entry in one.data["frames"].items()
        if entry.get("timestamp")
    )
    frame, seconds = max(found, default=(0, 0.0))
    return frame / seconds if seconds > 0 else 0.0


def smooth(one: SentTrack, objects: Sequence[TrueTrack]) -> None:
    """Owners as a person sees them: not for a moment another one, and through a bad outline."""
    frames = list(one.outlines)
    known = [f for f in frames if f in one.owner]
    runs: list[list[int]] = []
    for frame in known:
        if runs and one.owner[runs[-1][-1]] == one.owner[frame]:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    longest = max(runs, key=len, default=[])
    settled: list[int] = []  # of each run, the object that it is taken for
    for run in runs:
        brief = len(run) <= BRIEF and run is not longest
        settled.append(-1 if brief else one.owner[run[0]])
    last = -1
    for k, run in enumerate(runs):
        after = next((s for s in settled[k + 1 :] if s >= 0), -1)
        target = settled[k] if settled[k] >= 0 else (last if last >= 0 else after)
        for frame in run:
            if one.owner[frame] != target:
                one.owner[frame], one.iou[frame] = target, 0.0
        last = target
    for frame in frames:  # a bad outline, but its object is there
        if frame in one.owner:
            continue
        before = next((one.owner[f] for f in reversed(known) if f < frame), -1)
        after = next((one.owner[f] for f in known if f > frame), -1)
        if before == after and before >= 0 and frame in objects[before].outlines:
            one.owner[frame] = before
    for frame, target in list(one.owner.items()):
        if frame not in objects[target].outlines and one.iou.get(frame, 0.0) == 0.0:
            del one.owner[frame]
    for run in runs_of([f for f in frames if f not in one.owner], frames):
        if len(run) > BRIEF or not one.owner:
            continue
        before = next((one.owner[f] for f in reversed(frames) if f < run[0] and f in one.owner), -1)
        after = next((one.owner[f] for f in frames if f > run[-1] and f in one.owner), -1)
        one.owner.update(dict.fromkeys(run, before if before >= 0 else after))
        one.stray.update(run)
    one.owner = {frame: one.owner[frame] for frame in frames if frame in one.owner}


def pieces_of(one: SentTrack) -> Iterator[tuple[int, list[int]]]:
    """An object and the frames, as long as a trajectory follows it without another between."""
    run: list[int] = []
    for frame, target in one.owner.items():
        if run and one.owner[run[-1]] != target:
            yield one.owner[run[-1]], run
            run = []
        run.append(frame)
    if run:
        yield one.owner[run[-1]], run


def runs_of(chosen: Sequence[int], frames: Sequence[int]) -> Iterator[list[int]]:
    """The chosen ones of some frames, in pieces that have no other one between."""
    place = {frame: i for i, frame in enumerate(frames)}
    run: list[int] = []
    for frame in chosen:
        if run and place[frame] != place[run[-1]] + 1:
            yield run
            run = []
        run.append(frame)
    if run:
        yield run
