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
    """Sun and lamp light on the ground, rows along z.

    Attributes:
        sun: uint8, the share of sun, 255 for all of it, 4 cells per m.
        lamp: float32, the share 0..1 of lamp light, one cell per m.
        shaded: Whether the share of sun is below 1 anywhere.
        lit: Whether there is lamp light.
    """

    sun: Image
    lamp: Plane
    shaded: bool
    lit: bool

    def at(self, x: float, z: float) -> tuple[float, float]:
        """Shares of sun and lamp light at (x, z), m."""
        place = np.array([[x]], np.float32), np.array([[z]], np.float32)
        sun = float(self.sun_at(*place)[0, 0]) if self.shaded else 1.0
        lamp = float(self.lamp_at(*place)[0, 0]) if self.lit else 0.0
        return sun, lamp

    def sun_at(self, x: Plane, z: Plane) -> Plane:
        """The share of sun at each of the points x, z (h, w), m."""
        return np.multiply(_seen(self.sun, x, z, _CELLS), np.float32(1.0 / 255.0))

    def lamp_at(self, x: Plane, z: Plane) -> Plane:
        """The share of lamp light at each of the points x, z (h, w), m."""
        return _seen(self.lamp, x, z, 1)


def make_ground_light(street: Street, light: Light) -> GroundLight:
    """Casts the shadows of houses, trees and lamps, and lights the lamps."""
    sun = np.full((_LENGTH * _CELLS, _WIDTH * _CELLS), 255, np.uint8)
    shaded = float(light.sun.max()) > 0.3 and light.kind == "day"
    if shaded:
        _cast(sun, street, light)
        sun = np.asarray(cv2.GaussianBlur(sun, (5, 5), 0), dtype=np.uint8)
    lamp = np.zeros((_LENGTH, _WIDTH), np.float32)
    lit = float(light.lamp.max()) > 0.0
    if lit:
        rows = np.arange(_LENGTH, dtype=np.float32)[:, None] + _BEHIND
        columns = np.arange(_WIDTH, dtype=np.float32)[None, :] + _LEFT
        for piece in street.furniture:
            if piece.kind == "lamp":
                distance = (columns - (piece.x - piece.side * 1.6)) ** 2 + (rows - piece.z) ** 2
                lamp += np.exp(-distance / 42.0)
    return GroundLight(sun, np.minimum(lamp, np.float32(1.0)), shaded, lit)


def _seen(plane: Image | Plane, x: Plane, z: Plane, cells: int) -> Plane:
    columns, rows = (x - _LEFT) * cells, (z - _BEHIND) * cells
    seen = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return np.asarray(seen, dtype=np.float32)


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
