"""Buses: one long body with a row of windows."""

from __future__ import annotations

from functools import partial

import numpy as np

from trafficsim.chance import uniform
from trafficsim.colours import Colour, darker, pick
from trafficsim.mesh import GLOWING, HEADLIGHT, TAILLIGHT, Body, Mesh, MeshBuilder
from trafficsim.vehicle_parts import (
    BUS_PAINTS,
    GLASS,
    HEAD,
    TAIL,
    UNDER,
    add_end_panel,
    add_wheels,
)

Rng = np.random.Generator


def make_bus(rng: Rng) -> Body:
    """A city bus; its doors are on the right."""
    length = uniform(rng, 9.0, 12.0)
    half = 0.5 * uniform(rng, 2.45, 2.55)
    height = uniform(rng, 2.9, 3.2)
    paint, stripe = pick(rng, BUS_PAINTS), pick(rng, BUS_PAINTS)
    two_tone = bool(rng.random() < 0.5)
    size = half + 0.03, 0.5 * length + 0.02, height + 0.22
    return Body(size, partial(_bus, length, height, half, paint, stripe, two_tone))


def _bus(
    length: float, height: float, half: float, paint: Colour, stripe: Colour, two_tone: bool
) -> Mesh:
    front, rear = 0.5 * length, -0.5 * length
    builder = MeshBuilder()
    builder.box((-half * 0.9, half * 0.9), (0.2, 0.5), (rear + 0.3, front - 0.3), UNDER)
    builder.part(1, (0.0, 1.6, 0.0))
    profile = [
        (front - 0.05, 0.34), (front, 1.1), (front - 0.18, height - 0.1), (front - 0.35, height),
        (rear + 0.15, height), (rear, height - 0.15), (rear, 0.4),
    ]  # fmt: skip
    builder.prism(profile, [half] * 7, paint, (215, 216, 218))
    sill, lintel = 1.32, height - 0.55
    z = front + 0.01
    builder.face(
        [(-half * 0.93, 1.15, z), (half * 0.93, 1.15, z), (half * 0.93, lintel + 0.05, z - 0.14),
         (-half * 0.93, lintel + 0.05, z - 0.14)],
        GLASS,
    )  # fmt: skip
    top = z - 0.14
    builder.face(
        [(-half * 0.7, lintel + 0.1, top), (half * 0.7, lintel + 0.1, top),
         (half * 0.7, height - 0.12, top - 0.03), (-half * 0.7, height - 0.12, top - 0.03)],
        (25, 25, 25),
    )  # fmt: skip
    builder.face(
        [(-half * 0.5, lintel + 0.17, top + 0.01), (half * 0.4, lintel + 0.17, top + 0.01),
         (half * 0.4, height - 0.2, top), (-half * 0.5, height - 0.2, top)],
        (40, 165, 240), GLOWING,
    )  # fmt: skip
    add_end_panel(builder, z, (-half * 0.95, half * 0.95), (0.36, 0.52), (50, 50, 52))
    add_end_panel(builder, rear - 0.01, (-half * 0.8, half * 0.8), (1.7, height - 0.5), GLASS)
    add_end_panel(builder, rear - 0.01, (-half * 0.6, half * 0.6), (0.7, 1.3), darker(paint, 0.6))
    for s in (-1.0, 1.0):
        x = (s * half * 0.62, s * half * 0.93)
        add_end_panel(builder, z + 0.01, x, (0.6, 0.85), HEAD, HEADLIGHT)
        add_end_panel(
            builder, rear - 0.02, (s * half * 0.72, s * half * 0.95), (0.7, 1.2), TAIL, TAILLIGHT
        )
        _bus_side(builder, s, half, (rear, front), (sill, lintel), paint, stripe, two_tone)
    add_wheels(builder, (front - 2.4, rear + 2.6), half, 0.48)
    builder.box(
        (-half * 0.6, half * 0.6), (height, height + 0.22),
        (rear + 0.2 * length, rear + 0.45 * length), (200, 200, 202), layer=2,
    )  # fmt: skip
    return builder.build()


def _bus_side(
    builder: MeshBuilder, s: float, half: float, z: tuple[float, float], y: tuple[float, float],
    paint: Colour, stripe: Colour, two_tone: bool,
) -> None:  # fmt: skip
    """Window row, doors on the right, stripes."""
    rear, front = z
    sill, lintel = y
    x = s * (half + 0.01)

    def panel(z0: float, z1: float, y0: float, y1: float, colour: Colour, out: float) -> None:
        xx = x + s * out
        builder.face([(xx, y0, z0), (xx, y0, z1), (xx, y1, z1), (xx, y1, z0)], colour)

    if two_tone:
        panel(rear, front - 0.03, 0.4, 0.85, stripe, 0.0)
    else:
        panel(rear, front, sill - 0.22, sill - 0.1, stripe, 0.0)
    panel(rear, front, lintel + 0.12, lintel + 0.17, darker(paint, 0.7), 0.0)
    start, end = rear + 0.35, front - 0.25
    count = max(4, round((end - start) / 1.45))
    step = (end - start) / count
    doors = {count - 1, count // 2 - 1} if s > 0 else set()
    panel(start, end, sill - 0.02, lintel + 0.02, (44, 40, 36), 0.005)
    for k in range(count):
        z0, z1 = start + k * step, start + (k + 1) * step
        if k in doors:
            panel(z0 + 0.05, z1 - 0.05, 0.42, lintel, (50, 48, 46), 0.01)
            for a, b in ((z0 + 0.12, (z0 + z1) / 2 - 0.04), ((z0 + z1) / 2 + 0.04, z1 - 0.12)):
                panel(a, b, 0.55, lintel - 0.08, (110, 98, 86), 0.02)
        else:
            panel(z0 + 0.05, z1 - 0.05, sill + 0.03, lintel - 0.03, (105, 92, 78), 0.01)
