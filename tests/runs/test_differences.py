"""In which settings runs differ, each of them said once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from segtrack.runs.differences import UNSET, differing


def cell(**swept: Any) -> Any:
    """A run as a sweep records it: what is swept, and all settings by dotted key."""
    tracker = {"ocsort": {"delta_t": 3}, "bytetrack": {}}[swept["tracker"]]
    config = {
        "device": swept["device"],
        "tracker.name": swept["tracker"],
        **{f"tracker.{key}": value for key, value in tracker.items()},
        "seed": 0,
    }
    params = {key: str(value) for key, value in {**swept, **config}.items()}
    return SimpleNamespace(params=params, config=config)


def test_a_swept_group_is_said_by_its_settings_alone() -> None:
    a, b = cell(tracker="bytetrack", device="cpu"), cell(tracker="ocsort", device="auto")
    assert list(differing([a, b]).items()) == [
        ("tracker.name", ["bytetrack", "ocsort"]),
        ("tracker.delta_t", [UNSET, "3"]),
    ]


def test_what_is_swept_and_no_group_is_said() -> None:
    a, b = (SimpleNamespace(params={"experiment": name}, config={}) for name in ("one", "two"))
    assert differing([a, b]) == {"experiment": ["one", "two"]}  # type: ignore[list-item]
