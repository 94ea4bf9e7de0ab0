"""Which images to annotate next."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.settings.knobs import Group, knob

BOTH, UNCERTAINTY, DIVERSITY, RANDOM = "both", "uncertainty", "diversity", "random"


@dataclass
class SelectSettings(Group):
    """How the stage select chooses, which is no part of the default stages."""

    count: int = knob(20, "of the pool to be annotated next", unit="images", low=1, high=10_000_000)
    by: str = knob(
        BOTH,
        "uncertainty: images in whose predictions most is in doubt; diversity: images that the "
        "network sees least like those it learnt from, and like each other; both: the second among "
        "the first; random: drawn by seed, which takes no network",
        choices=(BOTH, UNCERTAINTY, DIVERSITY, RANDOM),
    )
    among: int = knob(
        4,
        "both: so many times count are the most uncertain images, among which diversity chooses",
        low=1,
        high=1000,
    )
    per_group: int | None = knob(
        None,
        "most images of one group (dataset.group_by), even where fewer than count are chosen then; "
        "null: as few as it takes to choose count",
        unit="images",
        low=1,
        high=10_000_000,
    )

    @property
    def predicts(self) -> bool:
        """Whether it goes by predictions."""
        return self.by in (BOTH, UNCERTAINTY)

    @property
    def looks(self) -> bool:
        """Whether it goes by the network's features."""
        return self.by in (BOTH, DIVERSITY)
