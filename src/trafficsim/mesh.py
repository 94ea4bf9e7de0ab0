"""Solid things of flat faces: building them, shading them, drawing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import NEAR, Camera, clip_cloud, clip_near
from trafficsim.colours import Colour
from trafficsim.light import Light

Array = NDArray[np.float64]
Pixels = NDArray[np.int32]
Image = NDArray[np.uint8]

SHIFT = 4
"""Fractional bits of the pixel coordinates that OpenCV gets."""

PLAIN, HEADLIGHT, TAILLIGHT, GLOWING = 0, 1, 2, 3


def fixed(points: Array) -> Pixels:
    """Pixels as the fixed-point numbers that OpenCV draws with."""
    return np.rint(points * (1 << SHIFT)).astype(np.int32)


def hull_of(points: Pixels) -> Pixels:
    """The convex hull of fixed-point pixels (N, 2), as an outline (M, 2)."""
    return np.asarray(cv2.convexHull(points)[:, 0], dtype=np.int32)


class Mesh:
    """Faces in the order of painting; all points in m, x right, y up, z ahead.

    What only painting needs is worked out for the first that is painted.

    Attributes:
        vertices: float64 (V, 3).
        faces: Per face its vertices, in the order of its convex outline.
        solids: Sets of vertices whose convex hulls together are the outline.
        half_size: Half extents (x, z) of the footprint, and the height.
    """

    def __init__(self, vertices: Array, builder: MeshBuilder, turn: Array | None = None) -> None:
        """A mesh with what `builder` holds; `turn` (3, 3) has turned its vertices already."""
        self.vertices, self._builder, self._turn = vertices, builder, turn
        self.faces, self.solids = builder.faces, builder.solids
        x0, _, z0 = vertices.min(axis=0).tolist()
        x1, height, z1 = vertices.max(axis=0).tolist()
        self.half_size: tuple[float, float, float] = max(x1, -x0), max(z1, -z0), height

    def turned(self, heading: float) -> Mesh:
        """The mesh, which looks along +z, turned to the right by `heading` radians."""
        if heading == 0.0:
            return self
        c, s = np.cos(heading), np.sin(heading)
        turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
        return Mesh(self.vertices @ turn.T, self._builder, turn)

    @cached_property
    def anchors(self) -> NDArray[np.int64]:
        """int (F,), one vertex of each face."""
        return np.array([face.start for face in self.faces])

    @cached_property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """Per part its first face and its last face + 1."""
        begins = [first for _, first, _ in self._builder.parts]
        return tuple(zip(begins, [*begins[1:], len(self.faces)], strict=True))

    @cached_property
    def layers(self) -> NDArray[np.int64]:
        """int (P,), lower layers are painted first, the farther first within a layer."""
        return np.array([layer for layer, _, _ in self._builder.parts])

    @cached_property
    def centres(self) -> Array:
        """float64 (P, 3), of the parts."""
        return self._as_turned(self._centres)

    @cached_property
    def normals(self) -> Array:
        """float64 (F, 3), unit, outward."""
        inside = np.repeat(self._centres, [last - first for first, last in self.parts], axis=0)
        return self._as_turned(_normals(_points(self._builder.vertices), self.anchors, inside))

    @cached_property
    def offsets(self) -> Array:
        """float64 (F,), m, of the faces' planes along their normals."""
        corners = self.vertices[self.anchors]
        return np.asarray((corners * self.normals).sum(axis=1))

    @cached_property
    def albedo(self) -> Array:
        """float64 (F, 3), BGR 0..255."""
        return _points(self._builder.albedo)

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """int (F,), PLAIN, HEADLIGHT, TAILLIGHT or GLOWING."""
        return np.array(self._builder.kinds)

    @cached_property
    def _centres(self) -> Array:
        return _points([centre for _, _, centre in self._builder.parts])

    def _as_turned(self, points: Array) -> Array:
        return points if self._turn is None else points @ self._turn.T


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
        self.vertices: list[Sequence[float]] = []
        self.faces: list[slice] = []
        self.albedo: list[Colour] = []
        self.kinds: list[int] = []
        self.parts: list[tuple[int, int, Sequence[float]]] = []
        self.solids: list[slice] = []

    def part(self, layer: int, centre: Sequence[float]) -> None:
        """Begins a part; faces look away from its `centre`."""
        self.parts.append((layer, len(self.faces), centre))

    def face(self, points: Sequence[Sequence[float]], colour: Colour, kind: int = PLAIN) -> None:
        """Adds a convex outline of the present part."""
        self.faces.append(self._add(points))
        self.albedo.append(colour)
        self.kinds.append(kind)

    def solid(self, points: Sequence[Sequence[float]]) -> None:
        """Adds the convex hull of points (x, y, z) to the outline."""
        self.solids.append(self._add(points))

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
        left = [(-w, y, z) for (z, y), w in zip(profile, half_widths, strict=True)]
        right = [(w, y, z) for (z, y), w in zip(profile, half_widths, strict=True)]
        for i in range(len(profile)):
            corners = (left[i - 1], left[i], right[i], right[i - 1])
            flat = abs(profile[i][1] - profile[i - 1][1]) < 0.1 * abs(
                profile[i][0] - profile[i - 1][0]
            )
            self.face(corners, top if top is not None and flat else colour)
        self.face(left, colour)
        self.face(right, colour)
        self.solid(left + right)

    def box(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float],
        colour: Colour, layer: int = 0,
    ) -> None:  # fmt: skip
        """Adds a whole part: a box between the given limits."""
        middle = 0.5 * (x[0] + x[1])
        self.part(layer, (middle, 0.5 * (y[0] + y[1]), 0.5 * (z[0] + z[1])))
        corners = [(a, b, c) for a in x for b in y for c in z]
        for p, q, r, s in _BOX_FACES:
            self.face((corners[p], corners[q], corners[r], corners[s]), colour)
        self.solid(corners)

    def build(self) -> Mesh:
        """The mesh; nothing may be added afterwards."""
        return Mesh(_points(self.vertices), self)

    def _add(self, points: Sequence[Sequence[float]]) -> slice:
        first = len(self.vertices)
        self.vertices.extend(points)
        return slice(first, len(self.vertices))


_BOX_FACES = (
    (0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5),
)  # fmt: skip
"""Corners of a box's faces, as x, y and z vary, z fastest."""


def _points(points: Sequence[Sequence[float]]) -> Array:
    """Threes of numbers as float64 (N, 3), in half the time of `np.array`."""
    flat = np.fromiter(chain.from_iterable(points), np.float64, 3 * len(points))
    return flat.reshape(-1, 3)


def _normals(vertices: Array, anchors: NDArray[np.int64], inside: Array) -> Array:
    """Unit normals (F, 3) of faces that begin at `anchors`, away from points (F, 3) `inside`."""
    a, b, c = (vertices[anchors + i].T for i in range(3))
    (ux, uy, uz), (vx, vy, vz) = b - a, c - b
    normals = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])
    nx, ny, nz = normals
    size = np.maximum(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
    # parts are convex, so any corner tells which side is out
    ox, oy, oz = a - inside.T
    size[nx * ox + ny * oy + nz * oz < 0] *= -1.0
    return np.ascontiguousarray((normals / size).T)


def shaded(mesh: Mesh, light: Light) -> tuple[Array, Array]:
    """Colours (F, 3) of a mesh in the shade and what sun adds; lights are on if it is dark."""
    colours, sun = light.shade(mesh.albedo, mesh.normals)
    if light.headlights and mesh.kinds.any():
        colours[mesh.kinds == HEADLIGHT] = (215.0, 245.0, 255.0)
        colours[mesh.kinds == TAILLIGHT] = (50.0, 45.0, 235.0)
        colours[mesh.kinds == GLOWING] = mesh.albedo[mesh.kinds == GLOWING]
        sun[mesh.kinds != PLAIN] = 0.0
    return colours, sun


def paint(
    image: Image, camera: Camera, mesh: Mesh, position: Array, colours: Array
) -> list[Pixels]:
    """Draws a mesh at world `position` (3,) with `colours` (F, 3); returns its outlines.

    Returns:
        Convex polygons, int32 (N, 2) with `SHIFT` fractional bits, whose union is the
        silhouette; empty if the mesh is behind the camera.
    """
    eye = camera.position - position
    visible = mesh.normals @ eye > mesh.offsets
    seen = camera.to_camera(mesh.vertices + position)
    ahead = seen[:, 2] >= NEAR
    if not ahead.any():
        return []
    parts = mesh.parts
    if len(parts) > 1:
        away = ((mesh.centres - eye) ** 2).sum(axis=1)
        parts = tuple(parts[i] for i in np.lexsort((-away, mesh.layers)))
    tones, shown = colours.tolist(), visible.tolist()  # OpenCV keeps them in 0..255
    if ahead.all():
        pixels = fixed(camera.to_pixels(seen))
        for first, last in parts:
            for i in range(first, last):
                if shown[i]:
                    cv2.fillConvexPoly(image, pixels[mesh.faces[i]], tones[i], cv2.LINE_AA, SHIFT)
        return [hull_of(pixels[solid]) for solid in mesh.solids]
    for first, last in parts:
        for i in range(first, last):
            if shown[i]:
                cut = clip_near(seen[mesh.faces[i]])
                if len(cut) >= 3:
                    outline = fixed(camera.to_pixels(cut))
                    cv2.fillConvexPoly(image, outline, tones[i], cv2.LINE_AA, SHIFT)
    hulls = []
    for solid in mesh.solids:
        cut = clip_cloud(seen[solid])
        if len(cut) >= 3:
            hulls.append(hull_of(fixed(camera.to_pixels(cut))))
    return hulls
