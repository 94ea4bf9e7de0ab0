"""The annotated video."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.settings.knobs import Group, knob


@dataclass
class RenderSettings(Group):
    """Whether and how trajectories are drawn into their video."""

    enabled: bool | None = knob(
        None,
        "write annotated.mp4; null: yes in a single run, no in a sweep",
        local=True,
        formerly="tracker.render",
    )
    trail: int = knob(
        30,
        "frames of trajectory drawn behind each object",
        unit="frames",
        low=0,
        high=10_000,
        formerly="tracker.trail",
    )
