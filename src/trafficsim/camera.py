"""A pinhole camera over a street, and the clipping that projection needs.

World: x right, y up, z along the street, metres, the ground at y = 0.
Camera: x right, y down, z forward. Pixels follow OpenCV drawing, where whole numbers
are pixel centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEAR = 0.6
"""Distance in m in front of the camera at which geometry is cut off.

Compiled loops are kept with its value in them until their own file changes."""


@dataclass(frozen=True)
class Camera:
    """Where the camera is and how it looks.

    Attributes:
        position: float64 (3,), world, m.
        rotation: float64 (3, 3), rows are the camera's right, down and forward axes.
        focal: Focal length, px.
        centre: Principal point (x, y), px.
        size: Image (width, height), px.
    """

    position: Array
    rotation: Array
    focal: float
    centre: tuple[float, float]
    size: tuple[int, int]

    @property
    def lens(self) -> tuple[float, float, float]:
        """Focal length and principal point (x, y), px."""
        return float(self.focal), float(self.centre[0]), float(self.centre[1])

    def widened(self, margin: int) -> Camera:
        """The same view with `margin` px more on every side."""
        return self.shifted(margin, margin, (self.size[0] + 2 * margin, self.size[1] + 2 * margin))

    def shifted(self, dx: float, dy: float, size: tuple[int, int] | None = None) -> Camera:
        """The same view with its picture moved by (dx, dy) px."""
        centre = (self.centre[0] + dx, self.centre[1] + dy)
        return Camera(self.position, self.rotation, self.focal, centre, size or self.size)

    def to_camera(self, points: Array) -> Array:
        """World points (N, 3) as camera points (N, 3), m."""
        moved: Array = (points - self.position) @ self.rotation.T
        return moved

    def to_pixels(self, seen: Array) -> Array:
        """Camera points (N, 3) in front of the camera as px (N, 2)."""
        pixels: Array = seen[:, :2] * (self.focal / seen[:, 2:3])
        pixels += self.centre
        return pixels


def look(
    position: tuple[float, float, float],
    yaw: float,
    pitch: float,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
) -> Camera:
    """A camera at `position` (m), turned by `yaw` to the right and `pitch` up (radians)."""
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    down = -np.cross(forward, right)
    rotation = np.stack([right, down, forward])
    return Camera(np.array(position, dtype=np.float64), rotation, focal, centre, size)


def clip_near(seen: Array) -> Array:
    """Camera polygon (N, 3) cut at the near plane (Sutherland-Hodgman, one plane)."""
    ahead = seen[:, 2] >= NEAR
    if ahead.all():
        return seen
    kept: list[Array] = []
    for i in range(len(seen)):
        a, b = seen[i - 1], seen[i]
        if ahead[i] != ahead[i - 1]:
            kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
        if ahead[i]:
            kept.append(b)
    return np.array(kept).reshape(-1, 3)
