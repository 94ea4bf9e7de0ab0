"""Vehicles and people as they are drawn: where they are, how they are lit, their shadows."""

from __future__ import annotations

from abc import ABC, abstractmethod

import cv2
import numpy as np

from trafficsim.camera import Camera, clip_cloud
from trafficsim.effects import add_glow
from trafficsim.filmset import FilmSet
from trafficsim.mesh import PLAIN, TAILLIGHT, Array, Image, Pixels, paint, shaded
from trafficsim.pedestrians import paint_figure
from trafficsim.people import Place
from trafficsim.traffic import Vehicle

_FADE = 8.0
"""Over this distance, m, far things fade in."""


class Wardrobe:
    """What is worked out once per vehicle and kept: colours in sun and shade, shadow hulls."""

    def __init__(self, stage: FilmSet) -> None:
        self.stage = stage
        self._colours: dict[int, tuple[Array, Array, Array]] = {}
        self._hulls: dict[int, tuple[Array, Array]] = {}

    def colours(self, vehicle: Vehicle) -> tuple[Array, Array, Array]:
        """Colours (F, 3) in the shade, what the sun adds, what a lamp adds."""
        known = self._colours.get(vehicle.key)
        if known is None:
            mesh, light = vehicle.body.mesh, self.stage.light
            shade, sun = shaded(mesh, light)
            lamp = np.zeros_like(shade)
            if light.lamp.any():
                above = (0.55 + 0.45 * np.maximum(mesh.normals[:, 1], 0.0))[:, None]
                lamp = mesh.albedo * light.lamp * above
                lamp[mesh.kinds != PLAIN] *= 0.0 if light.headlights else 1.0
            known = self._colours[vehicle.key] = (shade, sun, lamp)
        return known

    def hulls(self, vehicle: Vehicle) -> tuple[Array, Array]:
        """Ground outlines (N, 3) around the vehicle's middle: its sun shadow, its footprint."""
        known = self._hulls.get(vehicle.key)
        if known is None:
            direction = self.stage.light.sun_direction
            vertices = vehicle.body.mesh.vertices
            slide = vertices[:, 1:2] * (direction[[0, 2]] / max(direction[1], 0.1))
            shadow = _grounded(vertices[:, [0, 2]] - slide)
            x, z = vehicle.body.half_size[0] + 0.08, vehicle.body.half_size[1] + 0.1
            foot = np.array([(-x, 0.0, -z), (x, 0.0, -z), (x, 0.0, z), (-x, 0.0, z)])
            known = self._hulls[vehicle.key] = (shadow, foot)
        return known


class Actor(ABC):
    """Something that moves and is labelled."""

    key: int
    class_id: int
    position: Array
    footprint: tuple[float, float, float, float]
    height: float
    depth: float = 0.0
    fade: float = 1.0
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Where it may be drawn: x0, y0, x1, y1, px."""

    haze: float = 0.0
    sun: float = 1.0
    lamp: float = 0.0
    smallest: float = 14.0
    """Height in px of a 640 px wide image at which it fades out."""

    def __init__(self, wardrobe: Wardrobe) -> None:
        self.wardrobe = wardrobe
        self.stage = wardrobe.stage

    def in_sight(self, camera: Camera) -> bool:
        """Works out distance and light; False if it need not be drawn."""
        x, _, z = self.position.tolist()
        eye, forward = camera.position.tolist(), camera.rotation[2].tolist()
        self.depth = (
            forward[0] * (x - eye[0])
            + forward[1] * (0.5 * self.height - eye[1])
            + forward[2] * (z - eye[2])
        )
        smallest = max(9.0, self.smallest * camera.size[0] / 640.0)
        limit = min(camera.focal * self.height / smallest, 74.0)
        if self.stage.street.end is not None:
            reach = self.stage.street.end - 10.0 - abs(z)
            limit = min(limit, self.depth + reach)
        self.fade = min(max((limit - self.depth) / _FADE, 0.0), 1.0)
        if self.fade <= 0.02:
            return False
        x0, x1, z0, z1 = self.footprint
        corners = [(a, b, c) for a in (x0, x1) for b in (0.0, self.height) for c in (z0, z1)]
        seen = clip_cloud(camera.to_camera(np.array(corners)))
        if not len(seen):
            return False
        pixels = camera.to_pixels(seen)
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        room = 0.15 * (high - low) + 2 + 0.4 * camera.focal / float(seen[:, 2].min())
        (left, top), (right, bottom) = (low - room).tolist(), (high + room).tolist()
        width, height = camera.size
        if right < 0 or bottom < 0 or left > width or top > height:
            return False
        self.window = (max(int(left), 0), max(int(top), 0), int(right) + 1, int(bottom) + 1)
        light = self.stage.light
        self.haze = light.haze_share(self.depth)
        self.sun, self.lamp = self.stage.ground_light.at(x, z)
        return True

    @abstractmethod
    def paint(self, image: Image, camera: Camera) -> list[Pixels]:
        """Draws it; returns the convex outlines whose union is its silhouette."""

    @abstractmethod
    def sun_shadows(self) -> list[Array]:
        """World outlines (N, 3) of the shadow that the sun casts."""

    @abstractmethod
    def contact_shadow(self) -> Array:
        """World outline (N, 3) of the dark below it."""

    def beams(self) -> list[Array]:
        """World outlines (N, 3) of the light that it throws on the road, wide ones first."""
        return []


class VehicleActor(Actor):
    """A vehicle."""

    def __init__(self, vehicle: Vehicle, wardrobe: Wardrobe) -> None:
        super().__init__(wardrobe)
        self._vehicle = vehicle
        self.key, self.class_id = vehicle.key, vehicle.class_id
        self.position = np.array([vehicle.lane.x, 0.0, vehicle.z])
        half_x, half_z, self.height = vehicle.body.half_size
        x, z = vehicle.lane.x, vehicle.z
        self.footprint = (x - half_x, x + half_x, z - half_z, z + half_z)
        self._driving = vehicle.wish > 0 and vehicle not in wardrobe.stage.traffic.parked

    def paint(self, image: Image, camera: Camera) -> list[Pixels]:
        light, mesh = self.stage.light, self._vehicle.body.mesh
        shade, sun, lamp = self.wardrobe.colours(self._vehicle)
        colours = shade + sun * self.sun + lamp * self.lamp
        if self._vehicle.braking and self._driving:
            colours[mesh.kinds == TAILLIGHT] = (70.0, 70.0, 255.0)
        colours += (light.haze - colours) * self.haze
        outlines = paint(image, camera, mesh, self.position, colours)
        if outlines and light.headlights and self._driving:
            self._shine(image, camera)
        return outlines

    def sun_shadows(self) -> list[Array]:
        return [self.wardrobe.hulls(self._vehicle)[0] + self.position]

    def contact_shadow(self) -> Array:
        return self.wardrobe.hulls(self._vehicle)[1] + self.position

    def beams(self) -> list[Array]:
        if not self._driving:
            return []
        direction = self._vehicle.lane.direction
        front = self._vehicle.body.half_size[1]
        beams = []
        for near, far, wide in ((0.3, 11.0, 2.4), (0.5, 6.5, 1.5)):
            corners = np.array(
                [(-0.8, 0, near), (0.8, 0, near), (wide, 0, far), (-wide, 0, far)], dtype=np.float64
            )
            corners[:, 2] = (corners[:, 2] + front) * direction
            beams.append(corners + self.position)
        return beams

    def _shine(self, image: Image, camera: Camera) -> None:
        direction, half = self._vehicle.lane.direction, self._vehicle.body.half_size
        night = 1.0 if self.stage.light.kind == "night" else 0.6
        towards = (camera.position[2] - self.position[2]) * direction
        end, colour, size = (1.0, (0.75, 0.95, 1.0), 0.85) if towards > half[1] else (
            -1.0, (0.12, 0.12, 0.7), 0.5)  # fmt: skip
        height = 0.68 if self.class_id == 1 else 0.85
        points = self.position + np.array(
            [(s * half[0] * 0.74, height, end * direction * half[1]) for s in (-1, 1)]
        )
        seen = camera.to_camera(points)
        if abs(towards) < half[1] or seen[:, 2].min() < 1.5:
            return
        strength = night * (1.0 - 0.5 * self.haze) * self.fade
        tone = (colour[0] * strength, colour[1] * strength, colour[2] * strength)
        for (x, y), z in zip(camera.to_pixels(seen).tolist(), seen[:, 2].tolist(), strict=True):
            add_glow(image, (x, y), size * camera.focal / z * 0.8, tone)


class PersonActor(Actor):
    """A person."""

    class_id = 0
    smallest = 20.0

    def __init__(self, place: Place, wardrobe: Wardrobe) -> None:
        super().__init__(wardrobe)
        self._place = place
        self.key = place.key
        self.position = np.array([place.x, 0.0, place.z])
        self.footprint = (place.x - 0.2, place.x + 0.2, place.z - 0.2, place.z + 0.2)
        self.height = place.figure.height

    def paint(self, image: Image, camera: Camera) -> list[Pixels]:
        light, place = self.stage.light, self._place
        gain = light.ambient + 0.55 * light.sun * self.sun + 0.8 * light.lamp * self.lamp
        return paint_figure(
            image, camera, place.figure, self.position, place.heading, place.phase, gain,
            (light.haze, self.haze),
        )  # fmt: skip

    def sun_shadows(self) -> list[Array]:
        direction = self.stage.light.sun_direction
        slide = -direction / max(float(direction[1]), 0.1) * np.array([1.0, 0.0, 1.0])
        side = np.array([-slide[2], 0.0, slide[0]]) / max(float(np.hypot(slide[0], slide[2])), 1e-6)
        foot, waist, head = (self.position + slide * self.height * h for h in (0.0, 0.62, 1.0))
        body = [foot + side * 0.12, foot - side * 0.12, waist - side * 0.24, head - side * 0.08,
                head + side * 0.08, waist + side * 0.24]  # fmt: skip
        return [np.array(body)]

    def contact_shadow(self) -> Array:
        return self.position + _DISC


_ANGLES = np.linspace(0.0, 2.0 * np.pi, 9)[:-1]
_DISC = 0.24 * np.stack([np.cos(_ANGLES), 0.0 * _ANGLES, np.sin(_ANGLES)], axis=1)


def _grounded(points: Array) -> Array:
    """The hull of ground points (N, 2) as world points (M, 3)."""
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    return np.stack([hull[:, 0], np.zeros(len(hull)), hull[:, 1]], axis=1).astype(np.float64)
