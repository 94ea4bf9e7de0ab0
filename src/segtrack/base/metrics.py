"""What a stage reports while it works: ``metrics.jsonl`` in its folder, one number per line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from segtrack.base.atomic import write_whole
from segtrack.base.processes import stop_if_asked

FILE = "metrics.jsonl"


class Report(Protocol):
    """The one argument through which a stage says what should be recorded while it runs."""

    def __call__(self, name: str, value: float, step: int = 0) -> None: ...


class Metric(NamedTuple):
    name: str
    value: float
    step: int


class MetricsFile:
    """Appends to ``metrics.jsonl``; a (name, step) pair that is already there is not written again.

    That makes a continued training harmless: epochs that were reported before the kill stay as they
    were. A line that a kill cut short is dropped.
    """

    def __init__(self, folder: Path, listener: Callable[[Metric], None] | None = None) -> None:
        self.path = folder / FILE
        self.listener = listener
        known = list(read_metrics(folder))
        self.seen = {(m.name, m.step) for m in known}
        if self.path.exists():
            write_whole(self.path, "".join(_line(m) for m in known))
        for metric in known:
            if listener:
                listener(metric)

    def __call__(self, name: str, value: float, step: int = 0) -> None:
        stop_if_asked()
        if (name, step) in self.seen:
            return
        self.seen.add((name, step))
        metric = Metric(name, float(value), step)
        with self.path.open("a") as file:
            file.write(_line(metric))
        if self.listener:
            self.listener(metric)


def read_metrics(folder: Path) -> Iterator[Metric]:
    """The metrics of a stage's folder in the order in which they were reported."""
    path = folder / FILE
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            value = math.nan if row["value"] is None else float(row["value"])
            yield Metric(str(row["name"]), value, int(row["step"]))
        except (ValueError, KeyError, TypeError):
            return  # the last line of a killed process


def _line(metric: Metric) -> str:
    value = metric.value if math.isfinite(metric.value) else None
    return json.dumps({"name": metric.name, "value": value, "step": metric.step}) + "\n"
