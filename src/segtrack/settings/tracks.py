"""What becomes of trajectories after the association."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.settings.knobs import Group, knob


@dataclass
class TracksSettings(Group):
    """Which trajectories and rows stay, and what is filled in; every tracker's alike."""

    min_length: int = knob(
        1,
        "tracks seen in fewer frames are dropped",
        unit="frames",
        low=1,
        high=100_000,
        formerly="tracker.min_length",
    )
    min_area: float = knob(
        0.0,
        "smaller boxes are dropped from the result",
        unit="px²",
        low=0,
        high=1e9,
        formerly="tracker.min_area",
    )
    max_aspect_ratio: float | None = knob(
        None,
        "width / height; wider boxes are dropped from the result (1.6: MOTChallenge's standing "
        "pedestrians)",
        low=0.01,
        high=1000,
        formerly="tracker.max_aspect_ratio",
    )
    interpolate: int = knob(
        0,
        "gaps up to this length are filled linearly, marked as interpolated",
        unit="frames",
        low=0,
        high=100_000,
        formerly="tracker.interpolate",
    )
    disjoint_masks: bool = knob(
        False,
        "give a pixel to the object with the highest score only",
        formerly="tracker.disjoint_masks",
    )
