"""The training arguments of ultralytics that ``trainer.extra`` may hold, without importing it."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segtrack.settings.knobs import Problem, knobs_of
from segtrack.settings.trainer import TrainerSettings

# What segtrack decides, and the setting that decides it, if there is one.
OWN = {
    "seed": "seed",
    "device": "device",
    "model": "model",
    "data": "dataset",
    **dict.fromkeys(("task", "mode", "cfg", "project", "name", "save_dir", "exist_ok"), ""),
    **dict.fromkeys(("resume", "save", "val", "plots", "verbose", "deterministic"), ""),
}


@functools.cache
def known_arguments() -> frozenset[str]:
    """Names in the library's own list of defaults; empty where it is not installed."""
    spec = find_spec("ultralytics")
    if spec is None or spec.origin is None:
        return frozenset()
    path = Path(spec.origin).parent / "cfg" / "default.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    return frozenset(re.findall(r"^(\w+):", text, re.MULTILINE))


def extra_problems(extra: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with ``trainer.extra``: names of no argument, or of one that has a setting."""
    knobs, known = knobs_of(TrainerSettings), known_arguments()
    for name, value in extra.items():
        key = f"trainer.extra.{name}"
        if name in knobs and name not in ("name", "extra"):
            yield Problem(key, value, f"is a setting of its own: trainer.{name}={value}")
        elif name in OWN:
            own = OWN[name]
            why = f"is decided by the setting {own}" if own else "is set by segtrack itself"
            yield Problem(key, value, f"{why}; leave it out")
        elif known and name not in known:
            choices = sorted(known - set(OWN) - set(knobs))
            near = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Problem(key, value, f"ultralytics has no such training argument{hint}")
