"""What vehicles look like: meshes of cars, trucks and buses, all looking along +z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segtrack.dataset.simulator.colours import Colour, darker, pick
from segtrack.dataset.simulator.mesh import (
    GLOWING,
    HEADLIGHT,
    TAILLIGHT,
    Array,
    Mesh,
    MeshBuilder,
)

Rng = np.random.Generator

_CAR_PAINTS: tuple[Colour, ...] = (
    (235, 235, 235), (190, 190, 192), (120, 122, 124), (48, 46, 46), (38, 38, 190),
    (150, 70, 30), (90, 45, 25), (70, 110, 40), (60, 150, 220), (40, 190, 235),
    (130, 150, 170), (70, 60, 120), (160, 130, 60), (30, 90, 200),
)  # fmt: skip
_CAB_PAINTS: tuple[Colour, ...] = (
    (40, 40, 185), (170, 80, 30), (225, 225, 225), (50, 140, 60), (40, 170, 230), (90, 70, 150),
    (30, 110, 220),
)  # fmt: skip
_CARGO_PAINTS: tuple[Colour, ...] = (
    (238, 238, 238), (215, 218, 220), (205, 160, 90), (90, 120, 200), (110, 170, 110),
    (80, 190, 225), (150, 150, 155),
)  # fmt: skip
_BUS_PAINTS: tuple[Colour, ...] = (
    (40, 40, 200), (50, 170, 235), (190, 110, 40), (80, 160, 60), (235, 235, 235),
    (30, 120, 235), (150, 60, 110),
)  # fmt: skip

_GLASS: Colour = (72, 62, 52)
_TYRE: Colour = (34, 33, 33)
_HUB: Colour = (150, 150, 152)
_UNDER: Colour = (28, 28, 28)
_PLATE: Colour = (225, 230, 230)
_HEAD: Colour = (235, 238, 240)
_TAIL: Colour = (40, 35, 170)


def make_vehicle(class_id: int, rng: Rng) -> Mesh:
    """A vehicle of class 1 (car), 2 (truck) or 3 (bus) with drawn shape and colours."""
    return (_car, _truck, _bus)[class_id - 1](rng)


def _wheels(
    builder: MeshBuilder, axles: Sequence[float], half_width: float, radius: float
) -> None:
    """Tyres with hubs at the `axles` (z): treads before everything else, sides last."""
    angles = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)
    for z in axles:
        hull = []
        for side in (-1.0, 1.0):
            x = side * (half_width + 0.01)
            inner = side * (half_width - 0.24)
            builder.part(-1, (side * (half_width - 0.12), radius, z))
            for end in (-0.7, 0.7):
                zz = z + end * radius
                low, high = 0.02, radius * 1.1
                builder.face(
                    [(x, low, zz), (inner, low, zz), (inner, high, zz), (x, high, zz)], _TYRE
                )
            builder.part(4, (side * (half_width - 0.12), radius, z))
            rim = [(x, radius + radius * np.sin(a), z + radius * np.cos(a)) for a in angles]
            builder.face(rim, _TYRE)
            hub = [
                (x + side * 0.01, radius + 0.6 * radius * np.sin(a), z + 0.6 * radius * np.cos(a))
                for a in angles[::2]
            ]
            builder.face(hub, _HUB)
            hull += rim
        builder.solid(np.array(hull))


class _Side:
    """Points on the slanted side of a cabin, whose half width falls with height."""

    def __init__(self, low: float, high: float, wide: float, narrow: float) -> None:
        self._low, self._high, self._wide, self._narrow = low, high, wide, narrow

    def half_width(self, y: float) -> float:
        share = (y - self._low) / (self._high - self._low)
        return self._wide + share * (self._narrow - self._wide)

    def polygon(self, side: float, corners: Sequence[tuple[float, float]]) -> list[Array]:
        """Corners (z, y) put on the left (-1) or right (1) side, a little outside of it."""
        return [np.array([side * (self.half_width(y) + 0.008), y, z]) for z, y in corners]


def _inset(quad: Sequence[tuple[float, float]], share: float) -> list[tuple[float, float]]:
    corners = np.array(quad)
    middle = corners.mean(axis=0)
    return [(float(a), float(b)) for a, b in middle + (corners - middle) * (1.0 - share)]


def _slanted_glass(
    builder: MeshBuilder, side: _Side, foot: tuple[float, float], head: tuple[float, float],
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
        _GLASS,
    )


def _end_panel(
    builder: MeshBuilder, z: float, x: tuple[float, float], y: tuple[float, float],
    colour: Colour, kind: int = 0,
) -> None:  # fmt: skip
    """An upright rectangle on a front or rear."""
    builder.face([(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)], colour, kind)


def _car(rng: Rng) -> Mesh:
    style = str(rng.choice(["sedan", "hatch", "suv", "wagon"], p=[0.32, 0.3, 0.24, 0.14]))
    length = {"sedan": 4.6, "hatch": 3.9, "suv": 4.5, "wagon": 4.7}[style] * rng.uniform(0.95, 1.05)
    height = {"sedan": 1.44, "hatch": 1.48, "suv": 1.72, "wagon": 1.5}[style] * rng.uniform(
        0.97, 1.03
    )
    half = 0.5 * float(rng.uniform(1.74, 1.9))
    paint = pick(rng, _CAR_PAINTS)
    lift = 0.1 if style == "suv" else 0.0
    waist = 0.60 * height + 0.02
    front, rear = 0.5 * length, -0.5 * length
    builder = MeshBuilder()
    radius = 0.32 + 0.5 * lift
    builder.box((-half * 0.92, half * 0.92), (0.16, 0.4), (rear + 0.25, front - 0.25), _UNDER)

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
            builder.face(
                [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)], darker(paint, 0.45)
            )
        for z in (0.12, -0.16 * length + 0.1):
            builder.face(
                [(x, line, z - 0.2), (x, line, z - 0.05), (x, line + 0.04, z - 0.05),
                 (x, line + 0.04, z - 0.2)],
                darker(paint, 0.6),
            )  # fmt: skip
    _wheels(builder, (0.31 * length, -0.29 * length), half, radius)

    side = _Side(waist, height, half * 0.93, half * 0.74)
    tail = {"sedan": (-0.36, -0.20), "hatch": (-0.46, -0.36), "suv": (-0.48, -0.43),
            "wagon": (-0.48, -0.42)}[style]  # fmt: skip
    a, b = (0.24 * length, waist - 0.02), (0.07 * length, height)
    c, d = (tail[1] * length, height - 0.02), (tail[0] * length, waist - 0.02)
    builder.part(3, (0.0, 0.5 * (waist + height), -0.1 * length))
    builder.prism(
        [a, b, c, d], [side.half_width(p[1]) for p in (a, b, c, d)], paint, darker(paint, 1.04)
    )
    _slanted_glass(builder, side, a, b, 0.01)
    _slanted_glass(builder, side, d, c, -0.01)
    pillar = -0.06 * length
    y0, y1 = waist + 0.03, height - 0.09
    for s in (-1.0, 1.0):
        fore = [(0.205 * length, y0), (pillar + 0.04, y0), (pillar + 0.04, y1), (0.075 * length, y1)]
        back = [(pillar - 0.04, y0), (d[0] + 0.16 * length, y0) if style == "sedan" else
                (d[0] + 0.05 * length, y0), (c[0] + 0.03 * length, y1), (pillar - 0.04, y1)]  # fmt: skip
        builder.face(side.polygon(s, fore), _GLASS)
        builder.face(side.polygon(s, back), _GLASS)
    return builder.build()


def _car_ends(
    builder: MeshBuilder, front: float, rear: float, half: float, waist: float, hood: float,
    lift: float, paint: Colour,
) -> None:  # fmt: skip
    """Lights, grille, bumpers and plates."""
    z, back = front + 0.01, rear - 0.01
    _end_panel(builder, z, (-half * 0.95, half * 0.95), (0.26 + lift, 0.40 + lift), _UNDER)
    _end_panel(builder, z, (-half * 0.5, half * 0.5), (0.46 + lift, hood - 0.12), _UNDER)
    _end_panel(builder, z + 0.005, (-0.26, 0.26), (0.40 + lift, 0.50 + lift), _PLATE)
    _end_panel(builder, back, (-half * 0.95, half * 0.95), (0.28 + lift, 0.44 + lift), _UNDER)
    _end_panel(builder, back, (-0.26, 0.26), (0.50 + lift, 0.61 + lift), _PLATE)
    for s in (-1.0, 1.0):
        x = (s * half * 0.56, s * half * 0.94)
        _end_panel(builder, z + 0.005, x, (hood - 0.26, hood - 0.10), _HEAD, HEADLIGHT)
        x = (s * half * 0.62, s * half * 0.95)
        _end_panel(builder, back - 0.005, x, (waist - 0.32, waist - 0.13), _TAIL, TAILLIGHT)
    _end_panel(
        builder, back, (-half * 0.95, half * 0.95), (waist - 0.36, waist - 0.34),
        darker(paint, 0.5),
    )  # fmt: skip


def _truck(rng: Rng) -> Mesh:
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
    _wheels(builder, axles, half * 0.97, 0.48)
    for s in (-1.0, 1.0):
        x = s * half * 0.97
        builder.part(1, (0.0, 0.8, 0.0))
        builder.face(
            [(x, 0.55, cut - 0.3), (x, 0.55, cut - 1.4), (x, 0.95, cut - 1.4), (x, 0.95, cut - 0.3)],
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
        [(-wide, 1.52, z), (wide, 1.52, z), (wide, height - 0.2, z - 0.2), (-wide, height - 0.2, z - 0.2)],
        _GLASS,
    )  # fmt: skip
    _end_panel(builder, z, (-half * 0.6, half * 0.6), (0.85, 1.32), darker(paint, 0.35))
    _end_panel(builder, z, (-half * 0.95, half * 0.95), (0.42, 0.72), (60, 60, 62))
    _end_panel(builder, z + 0.01, (-0.26, 0.26), (0.5, 0.62), _PLATE)
    for s in (-1.0, 1.0):
        _end_panel(
            builder, z + 0.01, (s * half * 0.66, s * half * 0.93), (0.74, 0.96), _HEAD, HEADLIGHT
        )
        x = s * (half * 0.97 + 0.01)
        a, b = front - 0.3, cut + 0.45
        builder.face([(x, 1.5, a), (x, 1.5, b), (x, height - 0.3, b), (x, height - 0.3, a - 0.1)],
                     _GLASS)  # fmt: skip
        builder.face([(x, 0.6, b - 0.06), (x, 0.6, b - 0.03), (x, height - 0.3, b - 0.03),
                      (x, height - 0.3, b - 0.06)], darker(paint, 0.5))  # fmt: skip


def _truck_rear(builder: MeshBuilder, z: float, half: float, deck: float) -> None:
    for s in (-1.0, 1.0):
        x = (s * half * 0.7, s * half * 0.97)
        _end_panel(builder, z - 0.02, x, (deck - 0.05, deck + 0.17), _TAIL, TAILLIGHT)


def _box_cargo(
    builder: MeshBuilder, rng: Rng, half: float, deck: float, height: float,
    z: tuple[float, float], paint: Colour,
) -> None:  # fmt: skip
    builder.box((-half, half), (deck, height), z, paint, layer=2)
    trim = darker(paint, 0.7)
    logo = pick(rng, _BUS_PAINTS)
    _end_panel(builder, z[0] - 0.01, (-0.02, 0.02), (deck + 0.1, height - 0.1), darker(paint, 0.4))
    _end_panel(builder, z[0] - 0.01, (-half, half), (height - 0.12, height), trim)
    _truck_rear(builder, z[0], half, deck)
    _end_panel(builder, z[1] + 0.01, (-half * 0.6, half * 0.6), (height - 0.5, height - 0.15), trim)
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
    builder.solid(np.array([(x, y, end) for end in z for x, y in ring]))
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


def _bus(rng: Rng) -> Mesh:
    length = float(rng.uniform(9.0, 12.0))
    half = 0.5 * float(rng.uniform(2.45, 2.55))
    height = float(rng.uniform(2.9, 3.2))
    paint, stripe = pick(rng, _BUS_PAINTS), pick(rng, _BUS_PAINTS)
    two_tone = bool(rng.random() < 0.5)
    front, rear = 0.5 * length, -0.5 * length
    builder = MeshBuilder()
    builder.box((-half * 0.9, half * 0.9), (0.2, 0.5), (rear + 0.3, front - 0.3), _UNDER)
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
        _GLASS,
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
    _end_panel(builder, z, (-half * 0.95, half * 0.95), (0.36, 0.52), (50, 50, 52))
    _end_panel(builder, rear - 0.01, (-half * 0.8, half * 0.8), (1.7, height - 0.5), _GLASS)
    _end_panel(builder, rear - 0.01, (-half * 0.6, half * 0.6), (0.7, 1.3), darker(paint, 0.6))
    for s in (-1.0, 1.0):
        x = (s * half * 0.62, s * half * 0.93)
        _end_panel(builder, z + 0.01, x, (0.6, 0.85), _HEAD, HEADLIGHT)
        _end_panel(
            builder, rear - 0.02, (s * half * 0.72, s * half * 0.95), (0.7, 1.2), _TAIL, TAILLIGHT
        )
        _bus_side(builder, s, half, (rear, front), (sill, lintel), paint, stripe, two_tone)
    _wheels(builder, (front - 2.4, rear + 2.6), half, 0.48)
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
