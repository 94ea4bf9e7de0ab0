"""Where on the ground the sun shines and street lamps glow: a raster seen from above."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim import raster
from trafficsim.light import Light
from trafficsim.scene import Street

Image = NDArray[np.uint8]

_LEFT, _BEHIND, _WIDTH, _LENGTH, _CELLS = -30.0, -70.0, 60, 220, 4

_DISC = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0.0, 2.0 * np.pi, 9)[1:]])
_CROWN = 0.75 * _DISC + [
    [(0.42 * np.sqrt(k) * np.cos(2.4 * k), 0.42 * np.sqrt(k) * np.sin(2.4 * k))] for k in range(14)
]
"""(14, 8, 2), m, discs of shadow that a tree's leaves make."""


@dataclass(frozen=True)
class GroundLight:
    """Sun and lamp light on the ground, rows along z; of both 255 is all of it.

    Attributes:
        sun: uint8, 4 cells per m.
        lamp: uint8, one cell per m.
        origin: x and z of the first cells, m.
        shaded: Whether the share of sun is below 1 anywhere.
        lit: Whether there is lamp light.
    """

    sun: Image
    lamp: Image
    origin: tuple[float, float]
    shaded: bool
    lit: bool

    def at(self, x: float, z: float) -> tuple[float, float]:
        """Shares, 0..1, of sun and lamp light at (x, z), m."""
        across, along = x - self.origin[0], z - self.origin[1]
        sun = _between(self.sun, _CELLS * across, _CELLS * along) if self.shaded else 1.0
        return sun, _between(self.lamp, across, along) if self.lit else 0.0


def make_ground_light(street: Street, light: Light) -> GroundLight:
    """Casts the shadows of houses, trees and lamps, and lights the lamps."""
    sun = np.full((_LENGTH * _CELLS, _WIDTH * _CELLS), 255, np.uint8)
    shaded = float(light.sun.max()) > 0.3 and light.kind == "day"
    if shaded:
        _cast(sun, street, light)
        sun = np.asarray(cv2.GaussianBlur(sun, (5, 5), 0), dtype=np.uint8)
    lit = float(light.lamp.max()) > 0.0
    lamp = _glow(street) if lit else np.zeros((_LENGTH, _WIDTH), np.uint8)
    return GroundLight(sun, lamp, (_LEFT, _BEHIND), shaded, lit)


def _between(plane: Image, across: float, along: float) -> float:
    """The share at a place among the cells of a plane, 0..1."""
    height, width = plane.shape
    across, along = min(max(across, 0.0), width - 1.001), min(max(along, 0.0), height - 1.001)
    c, r = int(across), int(along)
    u, v = across - c, along - r
    a, b, d, e = (
        plane.item(r, c),
        plane.item(r, c + 1),
        plane.item(r + 1, c),
        plane.item(r + 1, c + 1),
    )
    return ((1.0 - v) * (a + u * (b - a)) + v * (d + u * (e - d))) / 255.0


def _glow(street: Street) -> Image:
    """Lamp light, as `GroundLight` has it."""
    lamps = [piece for piece in street.furniture if piece.kind == "lamp"]
    if not lamps:
        return np.zeros((_LENGTH, _WIDTH), np.uint8)
    xs, zs = np.array([(lamp.x - lamp.side * 1.6, lamp.z) for lamp in lamps]).T
    across = np.exp(-((np.arange(_WIDTH) + _LEFT - xs[:, None]) ** 2) / 42.0)
    along = np.exp(-((np.arange(_LENGTH) + _BEHIND - zs[:, None]) ** 2) / 42.0)
    return np.asarray(np.rint(255.0 * np.minimum(along.T @ across, 1.0)), np.uint8)


def _cast(sun: Image, street: Street, light: Light) -> None:
    """Shadows, the darkest last, so that none lightens another."""
    east, up, north = light.sun_direction.tolist()
    per_x, per_z = -east / up, -north / up  # m of shadow per m of height
    poles, trees, houses = [], [], []
    for piece in street.furniture:
        x, z = piece.x, piece.z
        if piece.kind == "tree":
            reach = 4.4 * piece.scale
            trees.append((x + per_x * reach, z + per_z * reach, piece.scale))
        elif piece.kind in ("lamp", "signal"):
            height = 6.0 if piece.kind == "lamp" else 3.2
            half = 0.09 / hypot(per_x, per_z)
            dx, dz = per_x * height, per_z * height
            ox, oz = -per_z * half, per_x * half  # half a pole's width
            poles.append((x + ox, z + oz, x - ox, z - oz,
                          x + dx - ox, z + dz - oz, x + dx + ox, z + dz + oz))  # fmt: skip
    for house in street.buildings:
        front = street.road + street.pavement[(house.side + 1) // 2] + house.setback
        x0, x1 = house.side * front, house.side * (front + 10.0)
        z0, z1 = house.z0, house.z1
        dx, dz = per_x * house.height, per_z * house.height
        # the corner towards the sun first
        x0, x1 = (x0, x1) if (x1 - x0) * dx >= 0.0 else (x1, x0)
        z0, z1 = (z0, z1) if (z1 - z0) * dz >= 0.0 else (z1, z0)
        houses.append(
            (x0, z0, x1, z0, x1 + dx, z0 + dz, x1 + dx, z1 + dz, x0 + dx, z1 + dz, x0, z1)
        )
    places = np.array(trees).reshape(-1, 3)[:, None, None]
    crowns = places[..., :2] + places[..., 2:] * _CROWN
    for value, corners, shapes in ((60, 4, poles), (25, len(_DISC), crowns), (0, 6, houses)):
        points = (np.array(shapes, np.float64).reshape(-1, 2) - (_LEFT, _BEHIND)) * _CELLS
        counts = np.full(len(points) // corners, corners)
        raster.stamp(sun, points, counts, np.full(len(counts), value))
