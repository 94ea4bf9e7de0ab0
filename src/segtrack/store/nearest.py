"""Why a result is not there: what differs from the most similar one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from segtrack.base.files import plain_value
from segtrack.store.calls import Entry, StageCall


def explain(call: StageCall, entries: Iterable[Entry]) -> str:
    """Why ``call`` is not among ``entries``, the results of its stage."""
    wanted = _flat(call.describe())
    best: list[str] | None = None
    for entry in entries:
        there = _flat({k: v for k, v in entry.call.items() if k in call.describe()})
        keys = sorted(k for k in wanted.keys() | there.keys() if wanted.get(k) != there.get(k))
        lines = [f"{k}: {there.get(k)!r} -> {wanted.get(k)!r}" for k in keys]
        if best is None or len(lines) < len(best):
            best = lines
    if best is None:
        return "no result of this stage yet"
    if not best:
        return "its result is damaged"
    return "differs from the nearest result in " + "; ".join(_shorten(line) for line in best[:4])


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    rows: dict[str, Any] = {}
    for key, item in json.loads(json.dumps(dict(value), default=plain_value)).items():
        rows.update(_flat(item, f"{prefix}.{key}" if prefix else str(key)))
    return rows


def _shorten(text: str, length: int = 120) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
