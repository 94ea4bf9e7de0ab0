"""What the stages that compute with a network have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segtrack.model import Network
    from segtrack.settings import TrainerSettings


def computing(network: Network, trainer: TrainerSettings | None = None) -> dict[str, Any]:
    """What shapes a result beside settings and weights: the family's code, device, precision."""
    family = network.family
    return {"version": family.version, "compute": dict(family.compute(network, trainer))}
