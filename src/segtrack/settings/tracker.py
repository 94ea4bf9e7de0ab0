"""What every tracker has."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from segtrack.settings.knobs import Group, knob


@dataclass
class TrackerSettings(Group):
    """What every tracker has; each has its own class of them, where it registers itself."""

    name: str = knob(MISSING, "chooses the tracker")

    def lowest_score(self) -> tuple[str, float] | None:
        """The knob below whose value detections are passed over; None where all are taken."""
        return None
