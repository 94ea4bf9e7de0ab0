"""Cars: a low body with a cabin on it."""

from __future__ import annotations

from functools import partial

import numpy as np

from trafficsim.chance import one_of, uniform
from trafficsim.colours import Colour, darker, pick
from trafficsim.mesh import HEADLIGHT, TAILLIGHT, Body, Mesh, MeshBuilder
from trafficsim.vehicle_parts import (
    GLASS,
    HEAD,
    PLATE,
    TAIL,
    UNDER,
    CabinSide,
    add_end_panel,
    add_slanted_glass,
    add_wheels,
)

Rng = np.random.Generator

_CAR_PAINTS: tuple[Colour, ...] = (
    (235, 235, 235), (190, 190, 192), (120, 122, 124), (48, 46, 46), (38, 38, 190),
    (150, 70, 30), (90, 45, 25), (70, 110, 40), (60, 150, 220), (40, 190, 235),
    (130, 150, 170), (70, 60, 120), (160, 130, 60), (30, 90, 200),
)  # fmt: skip


def make_car(rng: Rng) -> Body:
    """A sedan, hatchback, off-roader or estate."""
    style = one_of(rng, ("sedan", "hatch", "suv", "wagon"), (0.32, 0.3, 0.24, 0.14))
    length = {"sedan": 4.6, "hatch": 3.9, "suv": 4.5, "wagon": 4.7}[style] * uniform(
        rng, 0.95, 1.05
    )
    height = {"sedan": 1.44, "hatch": 1.48, "suv": 1.72, "wagon": 1.5}[style] * uniform(
        rng, 0.97, 1.03
    )
    half = 0.5 * uniform(rng, 1.74, 1.9)
    paint = pick(rng, _CAR_PAINTS)
    size = half + 0.02, 0.5 * length + 0.015, height
    return Body(size, partial(_car, style, length, height, half, paint))


def _car(style: str, length: float, height: float, half: float, paint: Colour) -> Mesh:
    lift = 0.1 if style == "suv" else 0.0
    waist = 0.60 * height + 0.02
    front, rear = 0.5 * length, -0.5 * length
    builder = MeshBuilder()
    radius = 0.32 + 0.5 * lift
    builder.box((-half * 0.92, half * 0.92), (0.16, 0.4), (rear + 0.25, front - 0.25), UNDER)

    builder.part(1, (0.0, 0.55, 0.0))
    hood = waist - 0.13
    profile = [
        (front - 0.06, 0.24 + lift), (front, 0.42 + lift), (front - 0.06, hood - 0.09),
        (front - 0.30, hood), (0.22 * length, waist), (rear + 0.15, waist),
        (rear, waist - 0.12), (rear, 0.45 + lift), (rear + 0.08, 0.26 + lift),
    ]  # fmt: skip
    widths = [half * w for w in (0.93, 0.97, 0.95, 0.93, 0.97, 0.95, 0.95, 0.98, 0.93)]
    widths = [max(widths)] * len(widths)
    builder.prism(profile, widths, paint)
    _car_ends(builder, front, rear, half, waist, hood, lift, paint)
    for side in (-1.0, 1.0):
        x = side * (half * 0.98 + 0.004)
        sill, line = 0.30 + lift, waist - 0.16
        for z0, z1, y0, y1 in (
            (rear + 0.1, front - 0.1, 0.24 + lift, sill + 0.05),
            (-0.02, 0.0, sill, waist - 0.02),
            (0.2 * length, 0.2 * length + 0.02, sill, waist - 0.02),
            (-0.19 * length - 0.02, -0.19 * length, sill, waist - 0.02),
        ):
            builder.face([(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)], darker(paint, 0.45))
        for z in (0.12, -0.16 * length + 0.1):
            builder.face(
                [(x, line, z - 0.2), (x, line, z - 0.05), (x, line + 0.04, z - 0.05),
                 (x, line + 0.04, z - 0.2)],
                darker(paint, 0.6),
            )  # fmt: skip
    add_wheels(builder, (0.31 * length, -0.29 * length), half, radius)

    cabin = CabinSide(waist, height, half * 0.93, half * 0.74)
    tail = {"sedan": (-0.36, -0.20), "hatch": (-0.46, -0.36), "suv": (-0.48, -0.43),
            "wagon": (-0.48, -0.42)}[style]  # fmt: skip
    a, b = (0.24 * length, waist - 0.02), (0.07 * length, height)
    c, d = (tail[1] * length, height - 0.02), (tail[0] * length, waist - 0.02)
    builder.part(3, (0.0, 0.5 * (waist + height), -0.1 * length))
    builder.prism(
        [a, b, c, d], [cabin.half_width(p[1]) for p in (a, b, c, d)], paint, darker(paint, 1.04)
    )
    add_slanted_glass(builder, cabin, a, b, 0.01)
    add_slanted_glass(builder, cabin, d, c, -0.01)
    pillar = -0.06 * length
    y0, y1 = waist + 0.03, height - 0.09
    for s in (-1.0, 1.0):
        fore = [
            (0.205 * length, y0),
            (pillar + 0.04, y0),
            (pillar + 0.04, y1),
            (0.075 * length, y1),
        ]
        corner = d[0] + (0.16 if style == "sedan" else 0.05) * length
        back = [
            (pillar - 0.04, y0), (corner, y0), (c[0] + 0.03 * length, y1), (pillar - 0.04, y1),
        ]  # fmt: skip
        builder.face(cabin.polygon(s, fore), GLASS)
        builder.face(cabin.polygon(s, back), GLASS)
    return builder.build()


def _car_ends(
    builder: MeshBuilder, front: float, rear: float, half: float, waist: float, hood: float,
    lift: float, paint: Colour,
) -> None:  # fmt: skip
    """Lights, grille, bumpers and plates."""
    z, back = front + 0.01, rear - 0.01
    add_end_panel(builder, z, (-half * 0.95, half * 0.95), (0.26 + lift, 0.40 + lift), UNDER)
    add_end_panel(builder, z, (-half * 0.5, half * 0.5), (0.46 + lift, hood - 0.12), UNDER)
    add_end_panel(builder, z + 0.005, (-0.26, 0.26), (0.40 + lift, 0.50 + lift), PLATE)
    add_end_panel(builder, back, (-half * 0.95, half * 0.95), (0.28 + lift, 0.44 + lift), UNDER)
    add_end_panel(builder, back, (-0.26, 0.26), (0.50 + lift, 0.61 + lift), PLATE)
    for s in (-1.0, 1.0):
        x = (s * half * 0.56, s * half * 0.94)
        add_end_panel(builder, z + 0.005, x, (hood - 0.26, hood - 0.10), HEAD, HEADLIGHT)
        x = (s * half * 0.62, s * half * 0.95)
        add_end_panel(builder, back - 0.005, x, (waist - 0.32, waist - 0.13), TAIL, TAILLIGHT)
    add_end_panel(
        builder, back, (-half * 0.95, half * 0.95), (waist - 0.36, waist - 0.34),
        darker(paint, 0.5),
    )  # fmt: skip
