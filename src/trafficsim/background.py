"""The picture of a street without anything that moves or stands in front: sky, ground, houses."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import NEAR, Camera, clip_near
from trafficsim.colours import Colour, fill, pick
from trafficsim.facades import draw_front
from trafficsim.ground import paint_ground
from trafficsim.groundlight import GroundLight
from trafficsim.light import Light
from trafficsim.mesh import SHIFT, fixed
from trafficsim.scene import Building, Street
from trafficsim.sky import paint_sky, paint_skyline

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

_COARSE = 4
"""Haze is worked out on every fourth pixel."""

_DEPTH_OF_HOUSES = 10.0
_UP = np.array([0.0, 1.0, 0.0])
_ROOFS: tuple[Colour, ...] = ((60, 70, 130), (70, 80, 95), (75, 70, 68), (60, 85, 120))


def paint_background(
    rng: Rng, camera: Camera, street: Street, light: Light, ground_light: GroundLight
) -> Image:
    """Draws what is still and behind everything, uint8 (H, W, 3) for the camera's size."""
    width, height = camera.size
    image: Image = np.zeros((height, width, 3), np.uint8)
    horizon = horizon_row(camera)
    paint_sky(image, rng, light, horizon)
    paint_skyline(image, rng, light, horizon)
    rays = _Rays(camera)
    down = rays.along(np.array([0.0, -1.0, 0.0]))
    closeness = np.where(down > 1e-6, down / camera.position[1], 0.0).astype(np.float32)
    closeness[closeness <= 0.0] = 1.0 / 400.0
    paint_ground(image, rng, camera, street, light, ground_light, horizon)
    houses = _Houses(image, closeness, rays, camera, light)
    eye = camera.position
    if street.end is not None:
        houses.close_street(street, np.random.default_rng(int(rng.integers(1 << 30))))
    for building in sorted(
        street.buildings, key=lambda b: -abs(0.5 * (b.z0 + b.z1) - float(eye[2]))
    ):
        houses.add(building, street)
    houses.draw()
    return _hazy(image, closeness, light, horizon)


def horizon_row(camera: Camera) -> float:
    """The image row of the horizon, px."""
    ahead = camera.rotation[2] * np.array([1.0, 0.0, 1.0])
    seen = camera.rotation @ ahead
    return float(camera.centre[1] + camera.focal * seen[1] / seen[2])


def _hazy(image: Image, closeness: Plane, light: Light, horizon: float) -> Image:
    """Fades everything but the sky to the haze; `closeness` is 1 / depth in 1/m, coarse."""
    share = 1.0 - np.exp(-light.haze_density / np.maximum(closeness, 1.0 / 400.0))
    rows = np.arange(closeness.shape[0])[:, None] * _COARSE
    sky = (closeness <= 1.0 / 399.0) & (rows < horizon)
    height_share = np.clip(rows / max(horizon, 1.0), 0, 1) ** 2
    share = np.where(sky, share * height_share, share).astype(np.float32)
    amount = cv2.cvtColor(np.rint(255.0 * share).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    amount = cv2.resize(amount, image.shape[1::-1])
    haze = np.empty_like(image)
    fill(haze, (light.haze + 0.5).tolist())
    # OpenCV's arithmetic on bytes: numpy is slow where the last axis is a pixel's three numbers
    hazy = cv2.multiply(image, cv2.bitwise_not(amount), scale=1.0 / 255.0)
    hidden = cv2.multiply(haze, amount, amount, 1.0 / 255.0)
    return np.asarray(cv2.add(hazy, hidden, hazy), dtype=np.uint8)


class _Rays:
    """Directions of every `_COARSE`-th pixel, with forward part 1."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._xs = (np.arange(0, camera.size[0], _COARSE) - camera.centre[0]) / camera.focal
        self._ys = (np.arange(0, camera.size[1], _COARSE) - camera.centre[1]) / camera.focal

    def along(
        self, direction: Array, rows: slice = slice(None), columns: slice = slice(None)
    ) -> Array:
        """Their lengths (h, w) along a world `direction`, of some rows and columns."""
        right, down, forward = (self._camera.rotation @ direction).tolist()
        across = self._xs[columns] * right
        return np.asarray(np.add.outer(self._ys[rows] * down + forward, across))


@dataclass(frozen=True)
class _Wall:
    """An upright rectangle from its lower corner `origin` along `u`, m; `gable`: a side wall."""

    rng: Rng
    origin: Array
    u: Array
    width: float
    height: float
    normal: Array
    gable: bool = False


@dataclass(frozen=True)
class _Flat:
    """A polygon of one colour."""

    corners: Array
    normal: Array
    paint: Colour


class _Houses:
    """Draws walls with their fronts, and notes how near they are."""

    def __init__(
        self, image: Image, closeness: Plane, rays: _Rays, camera: Camera, light: Light
    ) -> None:
        self._image, self._closeness, self._rays = image, closeness, rays
        self._camera, self._light = camera, light
        self._waiting: list[_Wall | _Flat] = []

    def add(self, building: Building, street: Street) -> None:
        """A house at the side of the street."""
        rng = np.random.default_rng(building.style)
        side = building.side
        x = side * (street.road + street.pavement[(side + 1) // 2] + building.setback)
        eye = self._camera.position
        for z, normal in ((building.z0, -1.0), (building.z1, 1.0)):
            if (float(eye[2]) - z) * normal > 0:
                corner, along = np.array([x, 0.0, z]), np.array([float(side), 0.0, 0.0])
                self._waiting.append(_Wall(rng, corner, along, _DEPTH_OF_HOUSES, building.height,
                                           np.array([0.0, 0.0, normal]), gable=True))  # fmt: skip
        if building.height < 9.0:
            self._roof(building, x, side, pick(rng, _ROOFS))
        origin = np.array([x, 0.0, building.z0])
        u = np.array([0.0, 0.0, 1.0])
        if side < 0:
            origin, u = np.array([x, 0.0, building.z1]), -u
        self._waiting.append(_Wall(rng, origin, u, building.z1 - building.z0, building.height,
                                   np.array([-float(side), 0.0, 0.0])))  # fmt: skip

    def close_street(self, street: Street, rng: Rng) -> None:
        """Houses across the far end of the street."""
        assert street.end is not None
        x = -45.0
        while x < 45.0:
            width = float(rng.uniform(10, 18))
            height = float(3.1 * rng.integers(2, 5)) + 1.2
            if height < 9.0:
                corners = [(x, height, street.end), (x + width, height, street.end),
                           (x + width - 1.5, height + 2.6, street.end + 4),
                           (x + 1.5, height + 2.6, street.end + 4)]  # fmt: skip
                normal = np.array([0.0, 0.83, -0.55])
                self._waiting.append(_Flat(np.array(corners), normal, pick(rng, _ROOFS)))
            origin = np.array([x, 0.0, street.end])
            self._waiting.append(_Wall(rng, origin, np.array([1.0, 0.0, 0.0]), width, height,
                                       np.array([0.0, 0.0, -1.0])))  # fmt: skip
            x += width

    def _gain(self, normal: Array) -> Array:
        shade, sun = self._light.shade(np.ones((1, 3)), normal[None])
        return np.asarray((shade + sun)[0] + 0.25 * self._light.lamp, dtype=np.float64)

    def _roof(self, building: Building, x: float, side: int, paint: Colour) -> None:
        top, ridge = building.height, building.height + 2.6
        z0, z1 = building.z0 - 0.2, building.z1 + 0.2
        for z, normal in ((building.z0, -1.0), (building.z1, 1.0)):
            if (float(self._camera.position[2]) - z) * normal > 0:
                gable = [
                    (x, top - 0.3, z),
                    (x + side * 4.5, ridge, z),
                    (x + side * 9.3, top - 0.3, z),
                ]
                facing = np.array([0.0, 0.0, normal])
                self._waiting.append(_Flat(np.array(gable), facing, (150, 160, 170)))
        corners = [(x - side * 0.3, top - 0.1, z0), (x - side * 0.3, top - 0.1, z1),
                   (x + side * 4.5, ridge, z1), (x + side * 4.5, ridge, z0)]  # fmt: skip
        self._waiting.append(_Flat(np.array(corners), np.array([-side * 0.5, 0.86, 0.0]), paint))

    def draw(self) -> None:
        """Draws what was added: all walls are projected in one go, which takes less time."""
        walls = [wall for wall in self._waiting if isinstance(wall, _Wall)]
        if not walls:
            return
        corners = np.array([wall.origin for wall in walls]).repeat(4, axis=0).reshape(-1, 4, 3)
        corners[:, 1:3] += np.array([wall.u * wall.width for wall in walls])[:, None]
        corners[:, 2:, 1] += np.array([wall.height for wall in walls])[:, None]
        seen = self._camera.to_camera(corners.reshape(-1, 3)).reshape(-1, 4, 3)
        ahead = (seen[..., 2] >= NEAR).sum(axis=1).tolist()
        normals = np.array([wall.normal for wall in walls])
        towards = ((self._camera.position - corners[:, 0]) * normals).sum(axis=1).tolist()
        each = zip(seen, ahead, towards, strict=True)
        for one in self._waiting:
            if isinstance(one, _Flat):
                self._flat(one)
                continue
            outline, number, facing = next(each)
            if facing > 0 and number:
                cut = outline if number == 4 else clip_near(outline)
                self._front(one, self._camera.to_pixels(cut))

    def _flat(self, flat: _Flat) -> None:
        corners, outline = flat.corners, self._camera.polygon(flat.corners)
        if outline is None:
            return
        tone = np.clip(np.array(flat.paint) * self._gain(flat.normal), 0, 255).tolist()
        cv2.fillConvexPoly(self._image, fixed(outline), tone, cv2.LINE_AA, SHIFT)
        self._note(outline, corners[0], np.cross(corners[1] - corners[0], corners[2] - corners[1]))

    def _front(self, wall: _Wall, outline: Array) -> None:
        xs, ys = outline.T.tolist()  # plain numbers: there are four of them
        x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
        limit_y, limit_x = self._image.shape[:2]
        left, top = int(min(max(x0, 0), limit_x)), int(min(max(y0, 0), limit_y))
        right, bottom = ceil(min(max(x1 + 1, 0), limit_x)), ceil(min(max(y1 + 1, 0), limit_y))
        if right - left < 2 or bottom - top < 2:
            return
        extent, size, gain = (wall.width, wall.height), (x1 - x0, y1 - y0), self._gain(wall.normal)
        front = draw_front(wall.rng, extent, size, self._light, gain, wall.gable)
        rows, columns = front.shape[:2]
        to_plane = np.array(
            [[wall.width / columns, 0.0, 0.0], [0.0, -wall.height / rows, wall.height],
             [0.0, 0.0, 1.0]]
        )  # fmt: skip
        window = self._camera.shifted(-float(left), -float(top))
        homography = window.plane_homography(wall.origin, wall.u, _UP) @ to_plane
        window_size = right - left, bottom - top
        warped = cv2.warpPerspective(
            front, homography, window_size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        mask = np.zeros(warped.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, fixed(outline - (left, top)), 255, cv2.LINE_8, SHIFT)
        cv2.copyTo(warped, mask, self._image[top:bottom, left:right])
        self._note(outline, wall.origin, wall.normal)

    def _note(self, outline: Array, point: Array, normal: Array) -> None:
        offset = float(normal @ (point - self._camera.position))
        if abs(offset) <= 1e-9:
            return
        corners = fixed(outline / _COARSE)
        height, width = self._closeness.shape
        xs, ys = corners.T.tolist()
        x0 = min(max((min(xs) >> SHIFT) - 1, 0), width)
        y0 = min(max((min(ys) >> SHIFT) - 1, 0), height)
        x1 = min(max((max(xs) >> SHIFT) + 2, 0), width)
        y1 = min(max((max(ys) >> SHIFT) + 2, 0), height)
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(mask, corners - [x0 << SHIFT, y0 << SHIFT], 1, cv2.LINE_8, SHIFT)
        near = self._rays.along(normal / offset, slice(y0, y1), slice(x0, x1))
        closeness = self._closeness[y0:y1, x0:x1]
        np.copyto(closeness, near.clip(1.0 / 390.0, 2.0), "same_kind", mask.view(np.bool_))
