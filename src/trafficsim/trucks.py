"""Trucks: a cab in front of a box, a tipper, a tank or a flatbed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from trafficsim.chance import one_of, uniform
from trafficsim.colours import Colour, darker, pick
from trafficsim.mesh import HEADLIGHT, TAILLIGHT, Body, Mesh, MeshBuilder
from trafficsim.vehicle_parts import (
    BUS_PAINTS,
    GLASS,
    HEAD,
    PLATE,
    TAIL,
    add_end_panel,
    add_wheels,
)

Rng = np.random.Generator
_Load = Callable[[MeshBuilder, tuple[float, float]], None]
"""Builds a cargo between two places along z, m."""

_DECK = 1.0
"""Height at which cargo lies, m."""

_CAB_PAINTS: tuple[Colour, ...] = (
    (40, 40, 185), (170, 80, 30), (225, 225, 225), (50, 140, 60), (40, 170, 230), (90, 70, 150),
    (30, 110, 220),
)  # fmt: skip
_CARGO_PAINTS: tuple[Colour, ...] = (
    (238, 238, 238), (215, 218, 220), (205, 160, 90), (90, 120, 200), (110, 170, 110),
    (80, 190, 225), (150, 150, 155),
)  # fmt: skip


def make_truck(rng: Rng) -> Body:
    """A truck with one of four kinds of cargo."""
    kind = one_of(rng, ("box", "tipper", "tank", "flat"), (0.62, 0.18, 0.1, 0.1))
    cab_length = uniform(rng, 1.7, 2.2)
    cargo_length = uniform(rng, 4.2, 7.0)
    half = 0.5 * uniform(rng, 2.25, 2.5)
    cab_height = uniform(rng, 2.4, 2.9)
    paint, cargo = pick(rng, _CAB_PAINTS), pick(rng, _CARGO_PAINTS)
    high, wide, load = _LOADS[kind](rng, half, cargo)
    front = 0.5 * (cab_length + 0.25 + cargo_length)
    size = max(wide, half * 0.97 + 0.02), front + 0.045, max(high, cab_height)
    drawn = front, cab_length, cargo_length, half, cab_height, paint, load
    return Body(size, partial(_truck, *drawn))


def _truck(
    front: float, cab_length: float, cargo_length: float, half: float, cab_height: float,
    paint: Colour, load: _Load,
) -> Mesh:  # fmt: skip
    rear, cut = -front, front - cab_length
    builder = MeshBuilder()
    builder.box((-half * 0.8, half * 0.8), (0.5, _DECK), (rear + 0.1, front - 0.2), (45, 44, 44))
    axles = [front - 0.95, rear + 1.1] + ([rear + 2.2] if cargo_length > 5.6 else [])
    add_wheels(builder, axles, half * 0.97, 0.48)
    for s in (-1.0, 1.0):
        x = s * half * 0.97
        builder.part(1, (0.0, 0.8, 0.0))
        builder.face(
            [(x, 0.55, cut - 0.3), (x, 0.55, cut - 1.4), (x, 0.95, cut - 1.4),
             (x, 0.95, cut - 0.3)],
            (130, 130, 130),
        )  # fmt: skip
    _cab(builder, front, cut, half, cab_height, paint)
    load(builder, (rear, cut - 0.25))
    return builder.build()


def _cab(
    builder: MeshBuilder, front: float, cut: float, half: float, height: float, paint: Colour
) -> None:
    builder.part(2, (0.0, 1.5, 0.5 * (front + cut)))
    profile = [
        (front, 0.42), (front + 0.02, 1.45), (front - 0.22, height - 0.12), (front - 0.4, height),
        (cut, height), (cut, 0.5),
    ]  # fmt: skip
    builder.prism(profile, [half * 0.97] * 6, paint)
    z = front + 0.035
    wide = half * 0.88
    builder.face(
        [(-wide, 1.52, z), (wide, 1.52, z), (wide, height - 0.2, z - 0.2),
         (-wide, height - 0.2, z - 0.2)],
        GLASS,
    )  # fmt: skip
    add_end_panel(builder, z, (-half * 0.6, half * 0.6), (0.85, 1.32), darker(paint, 0.35))
    add_end_panel(builder, z, (-half * 0.95, half * 0.95), (0.42, 0.72), (60, 60, 62))
    add_end_panel(builder, z + 0.01, (-0.26, 0.26), (0.5, 0.62), PLATE)
    for s in (-1.0, 1.0):
        add_end_panel(
            builder, z + 0.01, (s * half * 0.66, s * half * 0.93), (0.74, 0.96), HEAD, HEADLIGHT
        )
        x = s * (half * 0.97 + 0.01)
        a, b = front - 0.3, cut + 0.45
        builder.face([(x, 1.5, a), (x, 1.5, b), (x, height - 0.3, b), (x, height - 0.3, a - 0.1)],
                     GLASS)  # fmt: skip
        builder.face([(x, 0.6, b - 0.06), (x, 0.6, b - 0.03), (x, height - 0.3, b - 0.03),
                      (x, height - 0.3, b - 0.06)], darker(paint, 0.5))  # fmt: skip


def _truck_rear(builder: MeshBuilder, z: float, half: float) -> None:
    for s in (-1.0, 1.0):
        x = (s * half * 0.7, s * half * 0.97)
        add_end_panel(builder, z - 0.02, x, (_DECK - 0.05, _DECK + 0.17), TAIL, TAILLIGHT)


def _draw_box(rng: Rng, half: float, paint: Colour) -> tuple[float, float, _Load]:
    height, logo = uniform(rng, 3.1, 3.7), pick(rng, BUS_PAINTS)
    logo_from, logo_to = sorted(rng.uniform(0.15, 0.85, 2).tolist())
    kind = int(rng.integers(3))

    def load(builder: MeshBuilder, z: tuple[float, float]) -> None:
        builder.box((-half, half), (_DECK, height), z, paint, layer=2)
        trim = darker(paint, 0.7)
        add_end_panel(
            builder, z[0] - 0.01, (-0.02, 0.02), (_DECK + 0.1, height - 0.1), darker(paint, 0.4)
        )
        add_end_panel(builder, z[0] - 0.01, (-half, half), (height - 0.12, height), trim)
        _truck_rear(builder, z[0], half)
        add_end_panel(
            builder, z[1] + 0.01, (-half * 0.6, half * 0.6), (height - 0.5, height - 0.15), trim
        )
        span = z[1] - z[0]
        stripes = [(*z, _DECK, _DECK + 0.14, trim), (*z, height - 0.1, height, trim)]
        if kind == 0 and logo_to - logo_from > 0.2:
            middle = 0.5 * (_DECK + height)
            ends = z[0] + logo_from * span, z[0] + logo_to * span
            stripes.append((*ends, middle - 0.35, middle + 0.35, logo))
        elif kind == 1:
            stripes.append((z[0], z[1], _DECK + 0.4, _DECK + 0.8, logo))
        else:
            for k in range(1, 8):
                at = z[0] + k * span / 8
                stripes.append((at, at + 0.05, _DECK, height, darker(paint, 0.85)))
        for s in (-1.0, 1.0):
            x = s * (half + 0.01)
            for z0, z1, y0, y1, colour in stripes:
                builder.face([(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)], colour)

    return height, half + 0.01, load


def _draw_tipper(rng: Rng, half: float, cargo: Colour) -> tuple[float, float, _Load]:
    paint, top = pick(rng, _CAB_PAINTS), _DECK + 1.35

    def load(builder: MeshBuilder, z: tuple[float, float]) -> None:
        builder.part(2, (0.0, _DECK + 0.6, 0.5 * (z[0] + z[1])))
        builder.prism(
            [(z[0] + 0.35, _DECK), (z[0], top), (z[1], top), (z[1], _DECK)], [half] * 4, paint,
            (70, 95, 120),
        )  # fmt: skip
        for s in (-1.0, 1.0):
            x = s * (half + 0.01)
            for k in range(1, 6):
                zz = z[0] + 0.3 + k * (z[1] - z[0] - 0.3) / 6
                builder.face(
                    [(x, _DECK, zz), (x, _DECK, zz + 0.12), (x, top, zz + 0.12), (x, top, zz)],
                    darker(paint, 0.72),
                )
        _truck_rear(builder, z[0], half)

    return top, half + 0.01, load


def _draw_tank(rng: Rng, half: float, paint: Colour) -> tuple[float, float, _Load]:
    radius = 0.95
    angles = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False) + np.pi / 12
    ring = [(half * 0.95 * np.cos(a), _DECK + radius * (1 + np.sin(a))) for a in angles]

    def load(builder: MeshBuilder, z: tuple[float, float]) -> None:
        builder.part(2, (0.0, _DECK + radius, 0.5 * (z[0] + z[1])))
        for i in range(len(ring)):
            (x0, y0), (x1, y1) = ring[i - 1], ring[i]
            builder.face([(x0, y0, z[0]), (x1, y1, z[0]), (x1, y1, z[1]), (x0, y0, z[1])], paint)
        for end in z:
            builder.face([(x, y, end) for x, y in ring], darker(paint, 0.85))
        builder.solid([(x, y, end) for end in z for x, y in ring])
        _truck_rear(builder, z[0], half)

    return max(y for _, y in ring), 0.0, load


def _draw_flatbed(rng: Rng, half: float, cargo: Colour) -> tuple[float, float, _Load]:
    count = int(rng.integers(2, 4))
    goods = [(uniform(rng, 0.7, 1.5), pick(rng, _CARGO_PAINTS)) for _ in range(count)]
    bed = _DECK + 0.25

    def load(builder: MeshBuilder, z: tuple[float, float]) -> None:
        builder.box((-half, half), (_DECK, bed), z, (60, 80, 110), layer=2)
        _truck_rear(builder, z[0], half)
        span = (z[1] - z[0]) / count
        for k, (height, paint) in enumerate(goods):
            builder.box(
                (-half * 0.85, half * 0.85), (bed, bed + height),
                (z[0] + k * span + 0.1, z[0] + (k + 1) * span - 0.1), paint, 3,
            )  # fmt: skip

    return bed + max(height for height, _ in goods), half, load


_LOADS: dict[str, Callable[[Rng, float, Colour], tuple[float, float, _Load]]] = {
    "box": _draw_box, "tipper": _draw_tipper, "tank": _draw_tank, "flat": _draw_flatbed,
}  # fmt: skip
"""What draws a kind of cargo: its height and half its width, m, and what builds it."""
