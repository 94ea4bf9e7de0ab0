"""Settings as plain values, without those that never change what a result is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from segtrack.settings import DatasetSettings, TrainerSettings, plain

LOCAL: dict[type, tuple[str, ...]] = {
    DatasetSettings: ("path", "videos", "export", "workers", "sources", "starting_weights"),
    TrainerSettings: ("name", "workers", "threads", "cache"),
}


def shaping(value: Any) -> Any:
    """``value`` as JSON values; of settings, only knobs that shape a result."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        left = {name for kind, names in LOCAL.items() if isinstance(value, kind) for name in names}
        fields = [f.name for f in dataclasses.fields(value) if f.name not in left]
        return {name: shaping(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {str(k): shaping(v) for k, v in value.items()}
    return plain(value)
