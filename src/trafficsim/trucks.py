"""Trucks: a cab in front of a box, a tipper, a tank or a flatbed."""

from __future__ import annotations

import numpy as np

from trafficsim.colours import Colour, darker, pick
from trafficsim.mesh import HEADLIGHT, TAILLIGHT, Mesh, MeshBuilder
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

_CAB_PAINTS: tuple[Colour, ...] = (
    (40, 40, 185), (170, 80, 30), (225, 225, 225), (50, 140, 60), (40, 170, 230), (90, 70, 150),
    (30, 110, 220),
)  # fmt: skip
_CARGO_PAINTS: tuple[Colour, ...] = (
    (238, 238, 238), (215, 218, 220), (205, 160, 90), (90, 120, 200), (110, 170, 110),
    (80, 190, 225), (150, 150, 155),
)  # fmt: skip


def make_truck(rng: Rng) -> Mesh:
    """A truck with one of four kinds of cargo."""
    body = str(rng.choice(["box", "tipper", "tank", "flat"], p=[0.62, 0.18, 0.1, 0.1]))
    cab_length = float(rng.uniform(1.7, 2.2))
    cargo_length = float(rng.uniform(4.2, 7.0))
    half = 0.5 * float(rng.uniform(2.25, 2.5))
    cab_height = float(rng.uniform(2.4, 2.9))
    paint, cargo = pick(rng, _CAB_PAINTS), pick(rng, _CARGO_PAINTS)
    length = cab_length + 0.25 + cargo_length
    front = 0.5 * length
    rear, cut = -front, front - cab_length
    deck = 1.0
    builder = MeshBuilder()
    builder.box((-half * 0.8, half * 0.8), (0.5, deck), (rear + 0.1, front - 0.2), (45, 44, 44))
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
    z0, z1 = rear, cut - 0.25
    if body == "box":
        _box_cargo(builder, rng, half, deck, float(rng.uniform(3.1, 3.7)), (z0, z1), cargo)
    elif body == "tipper":
        _tipper(builder, half, deck, (z0, z1), pick(rng, _CAB_PAINTS))
    elif body == "tank":
        _tank(builder, half, deck, (z0, z1), cargo)
    else:
        _flatbed(builder, rng, half, deck, (z0, z1))
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


def _truck_rear(builder: MeshBuilder, z: float, half: float, deck: float) -> None:
    for s in (-1.0, 1.0):
        x = (s * half * 0.7, s * half * 0.97)
        add_end_panel(builder, z - 0.02, x, (deck - 0.05, deck + 0.17), TAIL, TAILLIGHT)


def _box_cargo(
    builder: MeshBuilder, rng: Rng, half: float, deck: float, height: float,
    z: tuple[float, float], paint: Colour,
) -> None:  # fmt: skip
    builder.box((-half, half), (deck, height), z, paint, layer=2)
    trim = darker(paint, 0.7)
    logo = pick(rng, BUS_PAINTS)
    add_end_panel(
        builder, z[0] - 0.01, (-0.02, 0.02), (deck + 0.1, height - 0.1), darker(paint, 0.4)
    )
    add_end_panel(builder, z[0] - 0.01, (-half, half), (height - 0.12, height), trim)
    _truck_rear(builder, z[0], half, deck)
    add_end_panel(
        builder, z[1] + 0.01, (-half * 0.6, half * 0.6), (height - 0.5, height - 0.15), trim
    )
    span = z[1] - z[0]
    la, lb = sorted(rng.uniform(0.15, 0.85, 2))
    kind = int(rng.integers(3))
    for s in (-1.0, 1.0):
        x = s * (half + 0.01)
        stripes = [(z[0], z[1], deck, deck + 0.14, trim), (z[0], z[1], height - 0.1, height, trim)]
        if kind == 0 and lb - la > 0.2:
            middle = 0.5 * (deck + height)
            stripes.append((z[0] + la * span, z[0] + lb * span, middle - 0.35, middle + 0.35, logo))
        elif kind == 1:
            stripes.append((z[0], z[1], deck + 0.4, deck + 0.8, logo))
        else:
            stripes += [
                (z[0] + k * span / 8, z[0] + k * span / 8 + 0.05, deck, height, darker(paint, 0.85))
                for k in range(1, 8)
            ]
        for z0, z1, y0, y1, colour in stripes:
            builder.face([(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)], colour)


def _tipper(
    builder: MeshBuilder, half: float, deck: float, z: tuple[float, float], paint: Colour
) -> None:
    top = deck + 1.35
    builder.part(2, (0.0, deck + 0.6, 0.5 * (z[0] + z[1])))
    builder.prism(
        [(z[0] + 0.35, deck), (z[0], top), (z[1], top), (z[1], deck)], [half] * 4, paint,
        (70, 95, 120),
    )  # fmt: skip
    for s in (-1.0, 1.0):
        x = s * (half + 0.01)
        for k in range(1, 6):
            zz = z[0] + 0.3 + k * (z[1] - z[0] - 0.3) / 6
            builder.face(
                [(x, deck, zz), (x, deck, zz + 0.12), (x, top, zz + 0.12), (x, top, zz)],
                darker(paint, 0.72),
            )
    _truck_rear(builder, z[0], half, deck)


def _tank(
    builder: MeshBuilder, half: float, deck: float, z: tuple[float, float], paint: Colour
) -> None:
    radius = 0.95
    angles = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False) + np.pi / 12
    ring = [(half * 0.95 * np.cos(a), deck + radius * (1 + np.sin(a))) for a in angles]
    builder.part(2, (0.0, deck + radius, 0.5 * (z[0] + z[1])))
    for i in range(len(ring)):
        (x0, y0), (x1, y1) = ring[i - 1], ring[i]
        builder.face([(x0, y0, z[0]), (x1, y1, z[0]), (x1, y1, z[1]), (x0, y0, z[1])], paint)
    for end in z:
        builder.face([(x, y, end) for x, y in ring], darker(paint, 0.85))
    builder.solid([(x, y, end) for end in z for x, y in ring])
    _truck_rear(builder, z[0], half, deck)


def _flatbed(
    builder: MeshBuilder, rng: Rng, half: float, deck: float, z: tuple[float, float]
) -> None:
    builder.box((-half, half), (deck, deck + 0.25), z, (60, 80, 110), layer=2)
    _truck_rear(builder, z[0], half, deck)
    count = int(rng.integers(2, 4))
    span = (z[1] - z[0]) / count
    for k in range(count):
        height = float(rng.uniform(0.7, 1.5))
        builder.box(
            (-half * 0.85, half * 0.85), (deck + 0.25, deck + 0.25 + height),
            (z[0] + k * span + 0.1, z[0] + (k + 1) * span - 0.1), pick(rng, _CARGO_PAINTS), 3,
        )  # fmt: skip
