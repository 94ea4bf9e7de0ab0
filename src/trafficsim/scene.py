"""Who is where: the street's cross-section, the camera, buildings, furniture, people's places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trafficsim.camera import Camera, look
from trafficsim.chance import one_of, uniform
from trafficsim.frame import SimulatorKnobs
from trafficsim.light import Light, draw_light

Rng = np.random.Generator

LANE = 3.3
"""Width of a lane, m."""

PARKING = 2.2
"""Width of a strip of parked cars, m."""

_KINDS = {
    "bench": 1.2, "bin": 1.2, "cabinet": 1.0, "sign": 1.6, "planter": 1.4, "bollards": 1.0,
    "kiosk": 0.45, "hedge": 1.2, "shelter": 0.45, "fence": 1.0, "hydrant": 0.8, "postbox": 0.8,
}  # fmt: skip
"""Kinds of scattered furniture and how often each is met."""

_LARGE_KINDS = ["hedge", "hedge", "hedge", "planter", "shelter", "kiosk", "cabinet"]


@dataclass(frozen=True)
class Lane:
    """A lane along z: its middle x (m) and its direction, +1 or -1."""

    x: float
    direction: int


@dataclass(frozen=True)
class Building:
    """A house on one side (-1 left, +1 right) of the street, from z0 to z1, m."""

    side: int
    z0: float
    z1: float
    height: float
    setback: float
    style: int


@dataclass(frozen=True)
class Furniture:
    """Something that stands on the street: what, where (m), how large (a factor)."""

    kind: str
    x: float
    z: float
    scale: float
    side: int


@dataclass(frozen=True)
class Street:
    """The layout of one scene. Lengths in m; the street runs along z, its middle is x = 0.

    Attributes:
        view: "along", "oblique" or "across".
        camera_side: -1 or +1, the side of the street on which the camera stands.
        lanes: All lanes.
        road: Half the width between the kerbs.
        parking: Whether cars are parked on the (left, right).
        pavement: Width of the pavement on the (left, right).
        crosswalk: z of the zebra crossing, or None.
        z_range: Where traffic lives.
        end: z of the house that closes the street, or None.
        buildings: Houses on both sides.
        furniture: Trees, posts, benches, ...
    """

    view: str
    camera_side: int
    lanes: tuple[Lane, ...]
    road: float
    parking: tuple[bool, bool]
    pavement: tuple[float, float]
    crosswalk: float | None
    z_range: tuple[float, float]
    end: float | None
    buildings: tuple[Building, ...]
    furniture: tuple[Furniture, ...]


def make_street(rng: Rng, knobs: SimulatorKnobs) -> tuple[Street, Camera, Light]:
    """Draws a street, where the camera stands, and the light."""
    light = draw_light(rng, knobs.light, knobs.fog)
    view = one_of(rng, ("along", "oblique", "across"), (0.5, 0.26, 0.24))
    side = one_of(rng, (-1, 1))
    per_side = one_of(rng, (1, 2), (0.55, 0.45))
    drive = 1 if rng.random() < 0.8 else -1
    parking = (bool(rng.random() < 0.35), bool(rng.random() < 0.35))
    if view == "across":
        parking = (parking[0] and side > 0, parking[1] and side < 0)
    road = per_side * LANE + PARKING * (0.5 if any(parking) else 0.0) * 2
    lanes = tuple(Lane(s * (0.5 + k) * LANE, s * drive) for s in (-1, 1) for k in range(per_side))
    pavement = (uniform(rng, 3.2, 5.0), uniform(rng, 3.2, 5.0))
    crosswalk = None
    if rng.random() < 0.65:
        crosswalk = uniform(rng, -5, 5) if view == "across" else uniform(rng, 13, 24)
    z_range = {"along": (-12.0, 80.0), "oblique": (-8.0, 75.0), "across": (-42.0, 42.0)}[view]
    end = uniform(rng, 78, 110) if rng.random() < 0.45 and view != "across" else None
    camera = _place_camera(rng, knobs, view, side, road, pavement)
    buildings = _buildings(rng, view, side, end)
    layout = Street(
        view, side, lanes, road, parking, pavement, crosswalk, z_range, end, buildings, ()
    )
    furniture = _furniture(rng, knobs, layout, camera)
    street = Street(
        view, side, lanes, road, parking, pavement, crosswalk, z_range, end, buildings, furniture
    )
    return street, camera, light


def _place_camera(
    rng: Rng, knobs: SimulatorKnobs, view: str, side: int, road: float,
    pavement: tuple[float, float],
) -> Camera:  # fmt: skip
    half_view = np.radians(uniform(rng, 25, 32))
    size = (knobs.width, knobs.height)
    # the view keeps its size across aspect ratios: 16:9 is the frame that it is meant for
    focal = 0.5 * max(knobs.width, knobs.height * 16 / 9) / np.tan(half_view)
    walk = pavement[(side + 1) // 2]
    if view == "along":
        height = uniform(rng, 3.4, 6.4)
        x = side * (road + uniform(rng, 0.3, 0.8) * walk)
        if height > 4.8 and rng.random() < 0.6:
            # over the road, high enough for lorries to pass below
            x, height = uniform(rng, -road, road), height + 1.4
        aim = uniform(rng, -0.25, 0.6) * side * road - x
        yaw = float(np.arctan2(aim, 32.0)) + uniform(rng, -0.08, 0.08)
        pitch = -np.radians(uniform(rng, 5.0, 7.0) + 1.2 * (height - 3.4))
    elif view == "oblique":
        height = uniform(rng, 3.2, 5.8)
        x = side * (road + walk + uniform(rng, 0.5, 2.5))
        yaw = -side * float(np.radians(uniform(rng, 24, 44)))
        pitch = -np.radians(uniform(rng, 6.0, 9.0) + (height - 3.2))
    else:
        height = uniform(rng, 2.4, 4.6)
        x = side * (road + walk + uniform(rng, 6.0, 10.0))
        yaw = -side * float(np.radians(uniform(rng, 76, 104)))
        pitch = -np.radians(uniform(rng, 2.5, 5.0) + (height - 2.4))
    centre = (0.5 * (knobs.width - 1), 0.5 * (knobs.height - 1))
    return look((x, height, 0.0), yaw, float(pitch), float(focal), centre, size)


def _buildings(rng: Rng, view: str, side: int, end: float | None) -> tuple[Building, ...]:
    houses = []
    start, stop = (-75.0, 75.0) if view == "across" else (-30.0, 150.0)
    stop = end - 14.0 if end is not None else stop
    tall = uniform(rng, 0.8, 1.6)
    for s in (-1, 1):
        if view != "along" and s == side:
            continue
        z = start + uniform(rng, 0, 8)
        while z < stop:
            width = uniform(rng, 8, 18)
            height = float(3.1 * rng.integers(2, 6)) * tall + 1.2
            setback = 0.0 if rng.random() < 0.7 else uniform(rng, 0.5, 3.0)
            if rng.random() < 0.86:
                z1 = min(z + width, stop)
                houses.append(Building(s, z, z1, height, setback, int(rng.integers(1 << 30))))
            z += width + (0.0 if rng.random() < 0.65 else uniform(rng, 1.5, 5.0))
    return tuple(houses)


def _furniture(
    rng: Rng, knobs: SimulatorKnobs, street: Street, camera: Camera
) -> tuple[Furniture, ...]:
    """Regular rows of lamps and trees, and scattered pieces; more with `knobs.occlusion`."""
    pieces: list[Furniture] = []
    low, high = (-30.0, 30.0) if street.view == "across" else (2.0, 70.0)
    sparse = max(0.0, 1.0 - 2.0 * knobs.occlusion)
    for s in (-1, 1):
        kerb = s * (street.road + 0.55)
        near_side = s == street.camera_side
        spacing = uniform(rng, 16, 22) * (1.0 + (3.0 * sparse if near_side else 0.0))
        for z in np.arange(low + uniform(rng, 0, spacing), high, spacing):
            pieces.append(Furniture("lamp", kerb, float(z), 1.0, s))
        if rng.random() < 1.2 * knobs.occlusion:
            spacing = uniform(rng, 8, 12) * (1.5 - 0.5 * knobs.occlusion)
            for z in np.arange(low + uniform(rng, 0, spacing), high, spacing):
                scale = uniform(rng, 0.75, 1.15)
                pieces.append(Furniture("tree", kerb + s * 0.2, float(z) + 1.3, scale, s))
        kinds = _scattered(rng, knobs.occlusion, near_side)
        for kind in kinds:
            z = uniform(rng, low, min(high, 45.0))
            x = kerb + s * uniform(rng, 0.0, 0.4)
            pieces.append(Furniture(kind, x, z, uniform(rng, 0.9, 1.15), s))
        if street.crosswalk is not None:
            for dz in (-2.6, 2.6):
                pieces.append(Furniture("signal", s * (street.road + 0.4), street.crosswalk + dz,
                                        1.0, s))  # fmt: skip
    return _spread(pieces, street, camera)


def _scattered(rng: Rng, occlusion: float, near_side: bool) -> list[str]:
    """What stands around on one pavement; above one half, large pieces are added."""
    odds = np.array(list(_KINDS.values()))
    count = rng.poisson((13.0 if near_side else 8.0) * occlusion)
    kinds = rng.choice(list(_KINDS), size=count, p=odds / odds.sum())
    if occlusion > 0.5:
        more = rng.poisson((60.0 if near_side else 24.0) * (occlusion - 0.5))
        kinds = np.concatenate([kinds, rng.choice(_LARGE_KINDS, size=more)])
    return [str(kind) for kind in kinds]


def _spread(pieces: list[Furniture], street: Street, camera: Camera) -> tuple[Furniture, ...]:
    """Leaves out what would stand on the crossing, on another piece, or in the lens."""
    kept: list[Furniture] = []
    ranks = {"signal": 0, "lamp": 1, "tree": 3}
    for piece in sorted(pieces, key=lambda p: ranks.get(p.kind, 2)):
        long = piece.kind in ("hedge", "shelter", "fence", "bollards", "kiosk", "bench", "postbox")
        room = 2.2 if long else 1.2
        crossing = street.crosswalk
        if crossing is not None and piece.kind != "signal" and abs(piece.z - crossing) < 2.3 + room:
            continue
        away = np.hypot(piece.x - camera.position[0], piece.z - camera.position[2])
        if away < (9.0 if piece.kind in ("tree", "kiosk", "shelter", "hedge") else 5.5):
            continue
        if any(k.side == piece.side and abs(k.z - piece.z) < room for k in kept):
            continue
        kept.append(piece)
    return tuple(kept)
