"""What all vehicles have: wheels, panes, panels at the ends, and common colours."""

from __future__ import annotations

from collections.abc import Sequence

from trafficsim.colours import Colour
from trafficsim.mesh import MeshBuilder

BUS_PAINTS: tuple[Colour, ...] = (
    (40, 40, 200), (50, 170, 235), (190, 110, 40), (80, 160, 60), (235, 235, 235),
    (30, 120, 235), (150, 60, 110),
)  # fmt: skip
GLASS: Colour = (72, 62, 52)
TYRE: Colour = (34, 33, 33)
HUB: Colour = (150, 150, 152)
UNDER: Colour = (28, 28, 28)
PLATE: Colour = (225, 230, 230)
HEAD: Colour = (235, 238, 240)
TAIL: Colour = (40, 35, 170)


def add_wheels(
    builder: MeshBuilder, axles: Sequence[float], half_width: float, radius: float
) -> None:
    """Tyres with hubs at the `axles` (z)."""
    for z in axles:
        builder.wheels(z, half_width, radius, TYRE, HUB)


class CabinSide:
    """Points on the slanted side of a cabin, whose half width falls with height."""

    def __init__(self, low: float, high: float, wide: float, narrow: float) -> None:
        self._low, self._high, self._wide, self._narrow = low, high, wide, narrow

    def half_width(self, y: float) -> float:
        share = (y - self._low) / (self._high - self._low)
        return self._wide + share * (self._narrow - self._wide)

    def polygon(self, side: float, corners: Sequence[tuple[float, float]]) -> list[list[float]]:
        """Corners (z, y) put on the left (-1) or right (1) side, a little outside of it."""
        return [[side * (self.half_width(y) + 0.008), y, z] for z, y in corners]


def add_slanted_glass(
    builder: MeshBuilder, side: CabinSide, foot: tuple[float, float], head: tuple[float, float],
    out: float,
) -> None:  # fmt: skip
    """A windscreen between (z, y) `foot` and `head`, `out` to the front or the rear."""
    a = (foot[0] + 0.10 * (head[0] - foot[0]), foot[1] + 0.10 * (head[1] - foot[1]))
    b = (foot[0] + 0.90 * (head[0] - foot[0]), foot[1] + 0.90 * (head[1] - foot[1]))
    wa, wb = side.half_width(a[1]) * 0.92, side.half_width(b[1]) * 0.90
    builder.face(
        [
            (-wa, a[1], a[0] + out),
            (wa, a[1], a[0] + out),
            (wb, b[1], b[0] + out),
            (-wb, b[1], b[0] + out),
        ],
        GLASS,
    )


def add_end_panel(
    builder: MeshBuilder, z: float, x: tuple[float, float], y: tuple[float, float],
    colour: Colour, kind: int = 0,
) -> None:  # fmt: skip
    """An upright rectangle on a front or rear."""
    builder.face([(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)], colour, kind)
