"""Solid things of flat faces: building them, and how they look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from math import cos, sin
from struct import pack

import numpy as np

from trafficsim import solids
from trafficsim.camera import Camera
from trafficsim.colours import Colour
from trafficsim.light import Light
from trafficsim.projection import (
    GLOWING,
    HEADLIGHT,
    PLAIN,
    TAILLIGHT,
    Array,
    Counts,
    Shape,
    see_mesh,
    see_outline,
)

__all__ = [
    "GLOWING", "HEADLIGHT", "PLAIN", "TAILLIGHT",
    "Array", "Body", "Mesh", "MeshBuilder",
]  # fmt: skip


Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Mesh:
    """Faces in the order of painting; all points in m, x right, y up, z ahead.

    Attributes:
        vertices: float64 (V, 3), the corners of all faces in a row, each face's in the order of
            its convex outline.
        counts: int64 (F,), the corners of each face.
        albedo: float64 (F, 3), BGR 0..255.
        kinds: int64 (F,), PLAIN, HEADLIGHT, TAILLIGHT or GLOWING.
        parts: int64 (P, 2), the layer and the first face of each. Lower layers are painted first,
            the farther parts first within a layer.
        centres: float64 (P, 3), which the faces of a part look away from.
        rims: float64 (N, 3), sets of points whose convex hulls together are the outline.
        solids: int64 (S,), the points of each set.
    """

    vertices: Array
    counts: Counts
    albedo: Array
    kinds: Counts
    parts: Counts
    centres: Array
    rims: Array
    solids: Counts

    @cached_property
    def half_size(self) -> tuple[float, float, float]:
        """Half extents (x, z) of the footprint, and the height."""
        x0, _, z0 = self.vertices.min(axis=0).tolist()
        x1, height, z1 = self.vertices.max(axis=0).tolist()
        return max(x1, -x0), max(z1, -z0), height

    def turned(self, heading: float) -> Mesh:
        """The mesh, which looks along +z, turned to the right by `heading` radians."""
        if heading == 0.0:
            return self
        c, s = cos(heading), sin(heading)
        turn = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
        vertices, centres, rims = self.vertices @ turn, self.centres @ turn, self.rims @ turn
        return replace(self, vertices=vertices, centres=centres, rims=rims)

    def seen(
        self, camera: Camera, position: Array, light: Light, shares: tuple[float, float, float],
        braking: bool = False,
    ) -> Shape:  # fmt: skip
        """How it looks at world `position` (3,); `shares` are of sun, of lamps and of haze."""
        seen = see_mesh(
            camera.rotation, camera.position, camera.lens, position,
            self.vertices, self.counts, self.albedo, self.kinds,
            self.parts, self.centres, light.rows, shares, light.headlights, braking,
        )  # fmt: skip
        rims = self.rims, self.solids
        return *seen, *see_outline(*rims, position, camera.rotation, camera.position, camera.lens)


class Body:
    """A vehicle's shape. Most are never seen, so that a mesh is built for the first who looks.

    Attributes:
        half_size: Half extents (x, z) of its footprint, and its height, m: those of `mesh`.
    """

    def __init__(
        self, half_size: tuple[float, float, float], build: Callable[[], Mesh], heading: float = 0.0
    ) -> None:
        """What `build` makes, turned by `heading`, 0 or pi."""
        self.half_size, self._build, self._heading = half_size, build, heading

    def turned(self, heading: float) -> Body:
        """The same, which looks along +z, turned by `heading`, 0 or pi, so that its size stays."""
        return Body(self.half_size, self._build, self._heading + heading)

    @cached_property
    def mesh(self) -> Mesh:
        """Its faces."""
        return self._build().turned(self._heading)


class MeshBuilder:
    """Collects parts; every part is convex and its details lie on its surface."""

    def __init__(self) -> None:
        # plain numbers until all is there: arrays of a few corners take most of a scene's time
        self._numbers: list[float] = []

    def part(self, layer: int, centre: Sequence[float]) -> None:
        """Begins a part; faces look away from its `centre`."""
        self._numbers += (solids.PART, layer, *centre)

    def face(self, points: Points, colour: Colour, kind: int = PLAIN) -> None:
        """Adds a convex outline of the present part."""
        self._numbers += chain((solids.FACE, len(points), kind), colour, *points)

    def solid(self, points: Points) -> None:
        """Adds the convex hull of points (x, y, z) to the outline."""
        self._numbers += chain((solids.HULL, len(points)), *points)

    def prism(
        self, profile: Sequence[tuple[float, float]], half_widths: Sequence[float], colour: Colour,
        top: Colour | None = None,
    ) -> None:  # fmt: skip
        """Adds a convex (z, y) profile drawn out to both sides, and its outline.

        Args:
            profile: The corners.
            half_widths: Half the width at each corner.
            colour: Of all faces.
            top: Of faces that look up, if they differ.
        """
        self._numbers += (solids.PRISM, len(profile), *colour, *(top or colour))
        for (z, y), width in zip(profile, half_widths, strict=True):
            self._numbers += (z, y, width)

    def box(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float],
        colour: Colour, layer: int = 0,
    ) -> None:  # fmt: skip
        """Adds a whole part: a box between the given limits."""
        self._numbers += (solids.BOX, layer, *colour, *x, *y, *z)

    def wheels(self, z: float, half_width: float, radius: float, tyre: Colour, hub: Colour) -> None:
        """Adds both wheels of an axle at `z`, and their outline."""
        self._numbers += (solids.WHEEL, *tyre, *hub, z, half_width, radius)

    def build(self) -> Mesh:
        """The mesh."""
        # np.array takes four times as long
        packed = bytearray(pack(f"{len(self._numbers)}d", *self._numbers))
        return Mesh(*solids.build(np.frombuffer(packed, np.float64)))
