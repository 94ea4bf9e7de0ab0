"""Where on the ground the sun shines and street lamps glow: a raster seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.light import Light
from trafficsim.scene import Furniture, Street

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

_LEFT, _BEHIND, _WIDTH, _LENGTH, _CELLS = -30.0, -70.0, 60, 220, 4


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
    (a, b), (d, e) = plane[r : r + 2, c : c + 2].tolist()
    return float((1.0 - v) * (a + u * (b - a)) + v * (d + u * (e - d))) / 255.0


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
    direction = light.sun_direction
    per_metre = -direction[[0, 2]] / direction[1]
    for building in street.buildings:
        wall = building.side * (
            street.road + street.pavement[(building.side + 1) // 2] + building.setback
        )
        back = wall + building.side * 10.0
        corners = np.array([(x, z) for x in (wall, back) for z in (building.z0, building.z1)])
        _fill(sun, np.concatenate([corners, corners + per_metre * building.height]), 0)
    for piece in street.furniture:
        foot = np.array([piece.x, piece.z])
        if piece.kind == "tree":
            _tree(sun, piece, foot, per_metre)
        elif piece.kind in ("lamp", "signal"):
            height = 6.0 if piece.kind == "lamp" else 3.2
            side = 0.09 * np.array([-per_metre[1], per_metre[0]]) / np.hypot(*per_metre)
            tip = foot + per_metre * height
            _fill(sun, np.array([foot + side, foot - side, tip + side, tip - side]), 60)


def _tree(sun: Image, piece: Furniture, foot: Array, per_metre: Array) -> None:
    k = np.arange(14)
    out = 0.42 * np.sqrt(k)[:, None] * np.stack([np.cos(2.4 * k), np.sin(2.4 * k)], axis=1)
    middles = foot + (per_metre * 4.4 + out) * piece.scale
    cells = np.rint((middles - (_LEFT, _BEHIND)) * _CELLS).astype(int)
    radius = round(0.8 * piece.scale * _CELLS)
    for middle in cells.tolist():
        cv2.circle(sun, middle, radius, 25, -1)


def _fill(plane: Image, points: Array, value: int) -> None:
    cells = (points - (_LEFT, _BEHIND)) * _CELLS
    hull = cv2.convexHull(np.rint(cells).astype(np.int32))
    cv2.fillConvexPoly(plane, hull, value)
