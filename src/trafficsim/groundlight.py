"""Where on the ground the sun shines and street lamps glow: a raster seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.light import Light
from trafficsim.scene import Furniture, Street

Array = NDArray[np.float64]
Plane = NDArray[np.float32]

_LEFT, _BEHIND, _WIDTH, _LENGTH, _CELLS = -30.0, -70.0, 60.0, 220.0, 4


@dataclass(frozen=True)
class GroundLight:
    """Shares 0..1 of sun and of lamp light on the ground, float32, 4 cells per m, rows along z.

    `shaded` is whether the share of sun is below 1 anywhere.
    """

    sun: Plane
    lamp: Plane
    shaded: bool

    def at(self, x: float, z: float) -> tuple[float, float]:
        """Shares of sun and lamp light at (x, z), m."""
        column = min(max(int((x - _LEFT) * _CELLS), 0), self.sun.shape[1] - 1)
        row = min(max(int((z - _BEHIND) * _CELLS), 0), self.sun.shape[0] - 1)
        return float(self.sun[row, column]), float(self.lamp[row, column])

    def sun_at(self, x: Plane, z: Plane) -> Plane:
        """The share of sun at each of the points x, z (h, w), m."""
        return _seen(self.sun, x, z)

    def lamp_at(self, x: Plane, z: Plane) -> Plane:
        """The share of lamp light at each of the points x, z (h, w), m."""
        return _seen(self.lamp, x, z)


def make_ground_light(street: Street, light: Light) -> GroundLight:
    """Casts the shadows of houses, trees and lamps, and lights the lamps."""
    shape = (int(_LENGTH * _CELLS), int(_WIDTH * _CELLS))
    sun = np.full(shape, 255, np.uint8)
    shaded = float(light.sun.max()) > 0.3 and light.kind == "day"
    if shaded:
        _cast(sun, street, light)
        sun = np.asarray(cv2.GaussianBlur(sun, (5, 5), 0), dtype=np.uint8)
    lamp = np.zeros((shape[0] // 4, shape[1] // 4), np.float32)
    if float(light.lamp.max()) > 0.0:
        rows = np.arange(lamp.shape[0], dtype=np.float32)[:, None] + _BEHIND
        columns = np.arange(lamp.shape[1], dtype=np.float32)[None, :] + _LEFT
        for piece in street.furniture:
            if piece.kind == "lamp":
                distance = (columns - (piece.x - piece.side * 1.6)) ** 2 + (rows - piece.z) ** 2
                lamp += np.exp(-distance / 42.0)
    lamp = np.asarray(cv2.resize(np.minimum(lamp, 1.0), shape[::-1]), dtype=np.float32)
    return GroundLight(sun.astype(np.float32) / 255.0, lamp, shaded)


def _seen(plane: Plane, x: Plane, z: Plane) -> Plane:
    columns, rows = (x - _LEFT) * _CELLS, (z - _BEHIND) * _CELLS
    seen = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return np.asarray(seen, dtype=np.float32)


def _cast(sun: NDArray[np.uint8], street: Street, light: Light) -> None:
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


def _tree(sun: NDArray[np.uint8], piece: Furniture, foot: Array, per_metre: Array) -> None:
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    for k in range(14):
        spin = 2.4 * k
        out = 0.42 * np.sqrt(k) * piece.scale
        middle = foot + per_metre * 4.4 * piece.scale + out * np.array([np.cos(spin), np.sin(spin)])
        ring = 0.8 * piece.scale * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        _fill(sun, middle + ring, 25)


def _fill(plane: NDArray[np.uint8], points: Array, value: int) -> None:
    cells = (points - (_LEFT, _BEHIND)) * _CELLS
    hull = cv2.convexHull(np.rint(cells).astype(np.int32))
    cv2.fillConvexPoly(plane, hull, value)
