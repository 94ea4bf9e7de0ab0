"""Vehicles and people as they are drawn: where they are, how they are lit, their shadows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from trafficsim.camera import Array, Camera
from trafficsim.filmset import FilmSet
from trafficsim.light import Light
from trafficsim.people import Place
from trafficsim.poses import see_figure
from trafficsim.projection import Shape, in_sight
from trafficsim.traffic import Vehicle

_VEHICLE, _PERSON = 14.0, 20.0
"""Height in px of a 640 px wide image at which they fade out."""


@dataclass(frozen=True)
class Sight:
    """How something is seen.

    Attributes:
        position: float64 (3,), world, m.
        footprint: x0, x1, z0, z1 on the ground, m.
        window: Where it may be drawn: x0, y0, x1, y1, px.
        depth: Distance from the camera along its axis, m.
        fade: 0..1, below 1 while it fades in.
        shares: Of the sun that reaches it, of lamp light, and of haze in front of it, 0..1.
    """

    position: Array
    footprint: tuple[float, float, float, float]
    window: tuple[int, int, int, int]
    depth: float
    fade: float
    shares: tuple[float, float, float]

    @property
    def clear(self) -> float:
        """How much of it is seen through haze, while it fades in; 0..1."""
        return self.fade * (1.0 - self.shares[2])


Glow = tuple[tuple[float, float], float, tuple[float, float, float]]
"""What `add_glow` takes: where, px, radius, px, and colour."""


class Actor(ABC):
    """Something that moves and is labelled."""

    key: int
    class_id: int

    def __init__(self, sight: Sight, light: Light) -> None:
        self.sight, self.light = sight, light
        self.footprint, self.depth = sight.footprint, sight.depth

    @abstractmethod
    def seen(self, camera: Camera) -> Shape:
        """Its polygons and its outline, as `see_mesh` gives them."""

    @abstractmethod
    def casts(self) -> Array:
        """World points (N, 3) whose hull is what casts its shadow."""

    @abstractmethod
    def contact_shadow(self) -> Array:
        """World points (N, 3) around the dark below it."""

    def beams(self) -> list[Array]:
        """World outlines (N, 3) of the light that it throws on the road, wide ones first."""
        return []

    def glows(self, camera: Camera) -> list[Glow]:
        """The shine of its lights."""
        return []


class VehicleActor(Actor):
    """A vehicle; `moving` is False for a parked one."""

    def __init__(self, vehicle: Vehicle, moving: bool, sight: Sight, light: Light) -> None:
        super().__init__(sight, light)
        self.key, self.class_id = vehicle.key, vehicle.class_id
        self._vehicle, self._driving = vehicle, vehicle.wish > 0 and moving

    def seen(self, camera: Camera) -> Shape:
        sight = self.sight
        return self._vehicle.body.mesh.seen(
            camera, sight.position, self.light, sight.shares,
            self._driving and self._vehicle.braking,
        )  # fmt: skip

    def casts(self) -> Array:
        return self._vehicle.body.mesh.rims + self.sight.position

    def contact_shadow(self) -> Array:
        x0, x1, z0, z1 = self.footprint
        x0, x1, z0, z1 = x0 - 0.08, x1 + 0.08, z0 - 0.1, z1 + 0.1
        return np.array([(x0, 0.0, z0), (x1, 0.0, z0), (x1, 0.0, z1), (x0, 0.0, z1)])

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
            beams.append(corners + self.sight.position)
        return beams

    def glows(self, camera: Camera) -> list[Glow]:
        if not (self._driving and self.light.headlights):
            return []
        direction, half = self._vehicle.lane.direction, self._vehicle.body.half_size
        position = self.sight.position
        night = 1.0 if self.light.kind == "night" else 0.6
        towards = (camera.position[2] - position[2]) * direction
        end, colour, size = (1.0, (0.75, 0.95, 1.0), 0.85) if towards > half[1] else (
            -1.0, (0.12, 0.12, 0.7), 0.5)  # fmt: skip
        height = 0.68 if self.class_id == 1 else 0.85
        points = position + np.array(
            [(s * half[0] * 0.74, height, end * direction * half[1]) for s in (-1, 1)]
        )
        seen = camera.to_camera(points)
        if abs(towards) < half[1] or seen[:, 2].min() < 1.5:
            return []
        strength = night * (1.0 - 0.5 * self.sight.shares[2]) * self.sight.fade
        tone = (colour[0] * strength, colour[1] * strength, colour[2] * strength)
        radii = (size * camera.focal * 0.8 / seen[:, 2]).tolist()
        spots = camera.to_pixels(seen).tolist()
        return [((x, y), radius, tone) for (x, y), radius in zip(spots, radii, strict=True)]


class PersonActor(Actor):
    """A person."""

    class_id = 0

    def __init__(self, place: Place, sight: Sight, light: Light) -> None:
        super().__init__(sight, light)
        self.key, self._place = place.key, place

    def seen(self, camera: Camera) -> Shape:
        sight, place = self.sight, self._place
        points, counts, colours = see_figure(
            camera.rotation, camera.position, camera.lens, sight.position, place.figure.rows,
            float(place.heading), float(place.phase), self.light.rows, sight.shares,
        )  # fmt: skip
        return points, counts, colours, points, counts

    def casts(self) -> Array:
        x, _, z = self.light.sun_direction.tolist()
        size = max((x * x + z * z) ** 0.5, 1e-6)
        height = self._place.figure.height
        points: Array = self.sight.position + _SILHOUETTE * np.array([-z / size, height, x / size])
        return points

    def contact_shadow(self) -> Array:
        return self.sight.position + _DISC


_SILHOUETTE = np.array(
    [(w, h, w) for h, half in ((0.0, 0.12), (0.62, 0.24), (1.0, 0.08)) for w in (-half, half)]
)
"""Of a person of 1 m who turns towards the sun: across, up and again across, m."""

_ANGLES = np.linspace(0.0, 2.0 * np.pi, 9)[:-1]
_DISC = 0.24 * np.stack([np.cos(_ANGLES), 0.0 * _ANGLES, np.sin(_ANGLES)], axis=1)


def actors_in_sight(stage: FilmSet, camera: Camera, most: int) -> list[Actor]:
    """All vehicles and people that need to be drawn, at most `most` of them."""
    traffic, light, ground = stage.traffic, stage.light, stage.ground_light
    vehicles, places = [*traffic.vehicles, *traffic.parked], traffic.places()
    rows = [(v.lane.x, v.z, *v.body.half_size, _VEHICLE) for v in vehicles]
    rows += [(p.x, p.z, 0.2, 0.2, p.figure.height, _PERSON) for p in places]
    end = np.inf if stage.street.end is None else float(stage.street.end)
    shown, looks, windows = in_sight(
        camera.rotation, camera.position, camera.lens, camera.size,
        np.array(rows, np.float64).reshape(-1, 6), end,
    )  # fmt: skip
    actors: list[Actor] = []
    for i, (depth, fade), window in zip(
        shown[:most].tolist(), looks.tolist(), windows.tolist(), strict=False
    ):
        x, z, half_x, half_z, *_ = rows[i]
        position = np.array([x, 0.0, z])
        footprint = x - half_x, x + half_x, z - half_z, z + half_z
        shares = *ground.at(x, z), light.haze_share(depth)
        sight = Sight(position, footprint, tuple(window), depth, fade, shares)
        if i < len(vehicles):
            moving = i < len(traffic.vehicles)
            actors.append(VehicleActor(vehicles[i], moving, sight, light))
        else:
            actors.append(PersonActor(places[i - len(vehicles)], sight, light))
    return actors
