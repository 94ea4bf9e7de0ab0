"""How far a run is: its stages, what it says, and the curves of its training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.saying import LOG
from segtrack.pipeline import STAGES, listed_names
from segtrack.runs.kept import KeptRun

MOST = 1 << 16  # bytes of a log that are read at once
_TRAIN, _VAL = "train/", "val/"
_NAME = re.compile(r"\w+")


def asked_for(run: KeptRun) -> list[str]:
    """The stages that the run's command names, as it is recorded: as JSON, or as it was typed."""
    return _NAME.findall(run.params.get("stages", ""))


@dataclass(frozen=True)
class StageState:
    """A stage that the run's command lists.

    Attributes:
        state: ``done``; ``now``; ``ahead``; ``stopped`` where the run ended in it.
        text: ``built in 3.2 s`` or ``reused``, where that is recorded.
        parts: the same of what is a part of it, such as ``detect reused``.
    """

    name: str
    state: str
    text: str = ""
    parts: tuple[str, ...] = ()


def stages_of(run: KeptRun) -> list[StageState]:
    """The stages that the run's command lists, in their order; empty where it is not known.

    A stage is over where its result, or one of a later stage, is recorded.
    """
    names = _listed(run)
    own = [run.tags.get(f"stage.{name}", "") for name in names]
    parts: list[tuple[str, ...]] = []
    known = set(names)
    for name in names:
        inner = [part for part in _parts(name, known) if f"stage.{part}" in run.tags]
        parts.append(tuple(f"{part} {_verb(run.tags[f'stage.{part}'])}" for part in inner))
        known |= set(inner)
    begun = [place for place, inner in enumerate(parts) if inner]
    ended = [place + 1 for place, text in enumerate(own) if text]
    now = max([0, *begun, *ended])  # the stages before this one are over
    at = "now" if run.running else "stopped"
    states = ["done" if p < now else at if p == now else "ahead" for p in range(len(names))]
    if run.status == "FINISHED":
        states = ["done"] * len(names)
    rows = zip(names, states, own, parts, strict=True)
    return [StageState(name, state, _verb(text), inner) for name, state, text, inner in rows]


def _listed(run: KeptRun) -> list[str]:
    given = asked_for(run)
    known = [name for name in given if name in STAGES]
    given += [name for one in known for name in STAGES.get(one).includes if name not in given]
    order = listed_names()  # others are of a plugin that is not here
    given.sort(key=lambda name: order.index(name) if name in order else len(order))
    placed: list[str] = []
    for name in given:  # what a stage asks for is built before it, as train is for select
        asked = set(_parts(name, set()))
        placed += [one for one in given if one in asked and one not in placed]
        placed += [name] if name not in placed else []
    return placed


def _parts(name: str, known: set[str]) -> Iterator[str]:
    """What a stage asks for, and that asks for, up to stages that are ``known``."""
    seen, waiting = set(known), [name]
    while waiting:
        one = waiting.pop()
        for part in STAGES.get(one).inputs if one in STAGES else ():
            if part not in seen:
                seen.add(part)
                waiting.append(part)
                yield part


def _verb(tag: str) -> str:
    """Without the key: ``built in 3.2 s``."""
    return tag.rpartition(" ")[0]


@dataclass(frozen=True)
class LogPart:
    """Whole lines of a log.

    Attributes:
        start, end: bytes of the file.
    """

    text: str
    start: int
    end: int


def log_part(run: KeptRun, start: int = -1) -> LogPart | None:
    """What was said from a byte of ``segtrack.log`` on: of the run's folder, if that is on this
    machine, else as MLflow has it, which is when the run has ended. None where there is none.

    Args:
        start: ``end`` of the part before. -1, and where the file is shorter or far longer by now:
            the last ``MOST`` bytes.
    """
    path = _log(run)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if not 0 <= start <= size or size - start > MOST:
                start = max(0, size - MOST)
                file.seek(start)
                start += len(file.readline()) if start else 0  # of which the beginning is missing
            file.seek(start)
            data = file.read(MOST)
    except OSError:  # the folder was removed at this moment
        return None
    data = data[: data.rfind(b"\n") + 1] if run.running else data
    return LogPart(data.decode("utf-8", "replace"), start, start + len(data))


def _log(run: KeptRun) -> Path | None:
    output = run.tags.get("output")
    if output and (path := Path(output, LOG)).is_file():
        return path
    return run.file(LOG)


def curves_of(run: KeptRun) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Numbers of each epoch by chart and line: losses of training and validation together, scores
    of masks and of boxes together. Empty where nothing was trained."""
    charts: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for metric in curve_names(run):
        part, _, name = metric.partition("/")
        kind, _, rest = name.partition("_")
        together = part == "val" and kind in ("mask", "box") and rest != "loss"
        chart, line = (f"{part}/{kind}", rest) if together else (name, part)
        charts.setdefault(chart, {})[line] = run.history(metric)
    return charts


def curve_names(run: KeptRun) -> list[str]:
    """The metrics that a training has of each epoch, losses first."""
    found = [m for m in run.metrics if m.startswith((_TRAIN, _VAL)) and m.count("/") == 1]
    if not any(metric.startswith(_TRAIN) for metric in found):
        return []  # val/... of an evaluation
    found = [metric for metric in found if metric != "train/batch"]
    return sorted(found, key=lambda name: (not name.endswith("loss"), name == "train/lr", name))
