"""Which labels are probably wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segtrack.settings.dataset import SPLITS
from segtrack.settings.knobs import Group, Problem, knob


@dataclass
class SuspectSettings(Group):
    """What the stage suspect looks at, which is no part of the default stages."""

    folds: int = knob(
        4,
        "parts of the images, by group, each judged by a network that is trained on the others, as "
        "trainer says; 0: model.weights judge all images, and must never have learnt from them",
        low=0,
        high=100,
    )
    splits: list[str] = knob(
        lambda: ["train", "val", "test"], "those whose labels are judged, and learnt from by folds"
    )
    conf_floor: float = knob(0.02, "predictions below say nothing of a label", low=0.0001, high=0.5)
    least: float = knob(0.5, "suspicion from which an object is counted", low=0, high=1)
    gallery: int = knob(12, "worst objects shown", unit="objects", low=0, high=1000)

    def problems(self) -> Iterator[Problem]:
        """What no declaration can say of a knob."""
        if self.folds == 1:
            allowed = "one part leaves nothing to learn from; 2 or more, or 0 with model.weights"
            yield Problem("suspect.folds", 1, allowed)
        wrong = [split for split in self.splits if split not in SPLITS]
        if wrong or not self.splits or len(set(self.splits)) < len(self.splits):
            shown = f"[{','.join(self.splits)}]"
            yield Problem("suspect.splits", shown, f"must be a list of {', '.join(SPLITS)}")
