"""What the camera sees of solids and of the ground, as convex polygons in pixels, compiled."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import ZERO, compiled
from trafficsim.camera import NEAR

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Lens = tuple[float, float, float]
Shape = tuple[Array, Counts, Array, Array, Counts]

PLAIN, HEADLIGHT, TAILLIGHT, GLOWING = 0, 1, 2, 3
"""Kinds of faces; all but the first shine while lights are on."""


_FARTHEST, _FADE = 74.0, 8.0
"""Nothing that moves is drawn farther away; over so much before that, or before it gets too small,
it fades in, m."""


@compiled
def see_mesh(
    rotation: Array, eye: Array, lens: Lens, position: Array,
    vertices: Array, counts: Counts, albedo: Array, kinds: Counts,
    parts: Counts, centres: Array, light: Array, shares: Lens, lights_on: bool, braking: bool,
) -> tuple[Array, Counts, Array]:  # fmt: skip
    """A mesh as polygons in the order of painting, lit.

    Args:
        rotation: float64 (3, 3), of the camera, as are the next two.
        eye: float64 (3,), m.
        lens: Focal length and principal point (x, y), px.
        position: float64 (3,), where the mesh stands, m.
        vertices: float64 (V, 3), m, the corners of all faces in a row.
        counts: int64 (F,), the corners of each.
        albedo: float64 (F, 3), BGR.
        kinds: int64 (F,), `PLAIN` to `GLOWING`.
        parts: int64 (P, 2), layer and first face of each.
        centres: float64 (P, 3), m, which the faces of a part look away from.
        light: float64 (5, 3), of `Light.rows`.
        shares: Of the sun, of lamp light, and of haze in front, 0..1.
        lights_on: Whether what is not plain shines.
        braking: Whether the tail lights are bright.

    Returns:
        Points float64 (N, 2) px, counts int64 (K,), colours float64 (K, 3); all empty if the mesh
        is behind the camera.
    """
    firsts = np.empty(len(counts) + 1, np.int64)
    firsts[0] = 0
    for i in range(len(counts)):
        firsts[i + 1] = firsts[i] + counts[i]
    points = np.empty((len(vertices) + len(counts), 2))
    sizes, tones = np.empty(len(counts), np.int64), np.empty((len(counts), 3))
    room = np.empty((len(vertices) + 1, 3))
    used = known = ZERO
    for part in _far_first(parts, centres, eye, position):
        last = parts[part + 1, 1] if part + 1 < len(parts) else len(counts)
        for i in range(parts[part, 1], last):
            first = firsts[i]
            a, b, c, inside = (
                vertices[first],
                vertices[first + 1],
                vertices[first + 2],
                centres[part],
            )
            ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
            vx, vy, vz = c[0] - b[0], c[1] - b[1], c[2] - b[2]
            x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            # parts are convex, so any corner tells which side is out
            away = x * (a[0] - inside[0]) + y * (a[1] - inside[1]) + z * (a[2] - inside[2])
            out = -1.0 if away < 0.0 else 1.0
            towards = x * (eye[0] - position[0] - a[0]) + y * (eye[1] - position[1] - a[1])
            towards += z * (eye[2] - position[2] - a[2])
            if towards * out <= 0.0:
                continue
            corners = _cut(vertices, first, firsts[i + 1], position, rotation, eye, room)
            if corners < 3:
                continue
            _flatten(room, corners, lens, points[used:])
            used += corners
            size = max(sqrt(x * x + y * y + z * z), 1e-12) * out
            sizes[known] = corners
            x, y, z = x / size, y / size, z / size
            facing = x * light[2, 0] + y * light[2, 1] + z * light[2, 2]
            sun = max(facing, 0.0) * shares[0]
            sky = 0.8 + 0.2 * y
            lamp = (0.55 + 0.45 * max(y, 0.0)) * shares[1]
            for k in range(3):
                tones[known, k] = albedo[i, k] * (
                    light[0, k] * sky + light[1, k] * sun + light[3, k] * lamp
                )
                if lights_on and kinds[i] == GLOWING:
                    tones[known, k] = albedo[i, k]
            if kinds[i] == TAILLIGHT and braking:
                tones[known, 0], tones[known, 1], tones[known, 2] = 70.0, 70.0, 255.0
            elif kinds[i] == TAILLIGHT and lights_on:
                tones[known, 0], tones[known, 1], tones[known, 2] = 50.0, 45.0, 235.0
            elif kinds[i] == HEADLIGHT and lights_on:
                tones[known, 0], tones[known, 1], tones[known, 2] = 215.0, 245.0, 255.0
            for k in range(3):
                tones[known, k] += (light[4, k] - tones[known, k]) * shares[2]
            known += 1
    return points[:used], sizes[:known], tones[:known]


@compiled
def see_ground(
    rotation: Array, eye: Array, lens: Lens, points: Array, counts: Counts, slide: Lens
) -> tuple[Array, Counts]:
    """The hulls of shadows on the ground.

    Args:
        rotation: As in `see_mesh`, and `eye` and `lens`.
        eye: See there.
        lens: See there.
        points: float64 (N, 3), world, m, the points of all that casts a shadow.
        counts: int64 (P,), the points of each.
        slide: How far (x, 0, z) the shadow of what is 1 m high falls, m.

    Returns:
        Points float64 (M, 2), px, and int64 (P,), how many each has; 0 behind the camera.
    """
    origin = np.zeros(3)
    flat = np.empty((len(points), 2))
    for i in range(len(points)):
        flat[i, 0] = points[i, 0] + points[i, 1] * slide[0]
        flat[i, 1] = points[i, 2] + points[i, 1] * slide[2]
    hull, ring = np.empty((len(points) + 1, 2)), np.zeros((len(points), 3))
    cut = np.empty((len(points) + 1, 3))
    pixels, sizes = np.empty((len(points) + len(counts), 2)), np.zeros(len(counts), np.int64)
    first = used = ZERO
    for k in range(len(counts)):
        corners = _hull(flat[first : first + counts[k]], hull)
        first += counts[k]
        for i in range(corners):
            ring[i, 0], ring[i, 2] = hull[i, 0], hull[i, 1]
        corners = _cut(ring, ZERO, corners, origin, rotation, eye, cut)
        if corners >= 3:
            _flatten(cut, corners, lens, pixels[used:])
            sizes[k], used = corners, used + corners
    return pixels[:used], sizes


@compiled
def in_sight(
    rotation: Array, eye: Array, lens: Lens, size: tuple[int, int], things: Array, end: float
) -> tuple[Counts, Array, Counts]:
    """Which upright boxes on the ground are seen, and how.

    Args:
        rotation: As in `see_mesh`, and `eye` and `lens`.
        eye: See there.
        lens: See there.
        size: Of the image, (width, height), px.
        things: float64 (N, 6), x and z of their middles, half extents, height, m, and the height
            in px of a 640 px wide image at which they fade out.
        end: Where the street ends, z, m, before which they fade out; or infinite.

    Returns:
        int64 (K,), those that are seen; float64 (K, 2), how far away they are along the camera's
        axis, m, and 0..1, below 1 while they fade in; and int64 (K, 4), where they may be drawn,
        x0, y0, x1, y1, px, not negative.
    """
    shown, count = np.empty(len(things), np.int64), 0
    looks, windows = np.empty((len(things), 2)), np.empty((len(things), 4), np.int64)
    corners, origin = np.empty((8, 3)), np.zeros(3)
    for i in range(len(things)):
        x, z, half_x, half_z, height, smallest = things[i]
        depth = rotation[2, 0] * (x - eye[0]) + rotation[2, 1] * (0.5 * height - eye[1])
        depth += rotation[2, 2] * (z - eye[2])
        limit = min(lens[0] * height / max(9.0, smallest * size[0] / 640.0), _FARTHEST)
        limit = min(limit, depth + end - 10.0 - abs(z))
        fade = min(max((limit - depth) / _FADE, 0.0), 1.0)
        if fade <= 0.02:
            continue
        for k in range(8):
            corners[k, 0] = x + half_x if k & 1 else x - half_x
            corners[k, 1] = height if k & 2 else 0.0
            corners[k, 2] = z + half_z if k & 4 else z - half_z
        flat, number, nearest = _cloud(corners, ZERO, len(corners), origin, rotation, eye, lens)
        if number == 0:
            continue
        for axis in range(2):
            low, high = flat[0, axis], flat[0, axis]
            for k in range(1, number):
                low, high = min(low, flat[k, axis]), max(high, flat[k, axis])
            room = 0.15 * (high - low) + 2.0 + 0.4 * lens[0] / nearest
            windows[count, axis], windows[count, 2 + axis] = max(low - room, 0.0), high + room + 1.0
            if high + room < 0.0 or low - room > size[axis]:
                number = 0
        if number > 0:
            shown[count], looks[count, 0], looks[count, 1] = i, depth, fade
            count += 1
    return shown[:count], looks[:count], windows[:count]


@compiled
def _far_first(parts: Counts, centres: Array, eye: Array, position: Array) -> Counts:
    """The order of painting of the parts: lower layers first, and within one the farther."""
    count = len(parts)
    order, away = np.empty(count, np.int64), np.empty(count)
    for i in range(count):
        away[i] = 0.0
        for axis in range(3):
            away[i] += (centres[i, axis] + position[axis] - eye[axis]) ** 2
        place = i
        while place > 0:
            other = order[place - 1]
            if parts[other, 0] < parts[i, 0]:
                break
            if parts[other, 0] == parts[i, 0] and away[other] >= away[i]:
                break
            order[place] = other
            place -= 1
        order[place] = i
    return order


@compiled
def _cut(
    vertices: Array, first: int, last: int, position: Array, rotation: Array, eye: Array,
    cut: Array,
) -> int:  # fmt: skip
    """A polygon in camera coordinates, cut at the near plane (Sutherland-Hodgman, one plane).

    Writes to `cut` (n + 1, 3) and returns how many corners there are.
    """
    x0, y0, z0 = _seen(vertices[last - 1], position, rotation, eye)
    count = 0
    for i in range(first, last):
        x, y, z = _seen(vertices[i], position, rotation, eye)
        if (z >= NEAR) != (z0 >= NEAR):
            share = (NEAR - z0) / (z - z0)
            cut[count, 0], cut[count, 1] = x0 + (x - x0) * share, y0 + (y - y0) * share
            cut[count, 2] = NEAR
            count += 1
        if z >= NEAR:
            cut[count, 0], cut[count, 1], cut[count, 2] = x, y, z
            count += 1
        x0, y0, z0 = x, y, z
    return count


@compiled
def _seen(point: Array, position: Array, rotation: Array, eye: Array) -> tuple[float, float, float]:
    """A point of something at `position` in camera coordinates, m."""
    x = point[0] + position[0] - eye[0]
    y = point[1] + position[1] - eye[1]
    z = point[2] + position[2] - eye[2]
    return (
        x * rotation[0, 0] + y * rotation[0, 1] + z * rotation[0, 2],
        x * rotation[1, 0] + y * rotation[1, 1] + z * rotation[1, 2],
        x * rotation[2, 0] + y * rotation[2, 1] + z * rotation[2, 2],
    )


@compiled
def _flatten(seen: Array, count: int, lens: Lens, pixels: Array) -> None:
    """Writes where the first `count` of camera points (n, 3) are in the picture to `pixels`."""
    for i in range(count):
        pixels[i, 0] = seen[i, 0] * (lens[0] / seen[i, 2]) + lens[1]
        pixels[i, 1] = seen[i, 1] * (lens[0] / seen[i, 2]) + lens[2]


@compiled
def see_outline(
    points: Array, counts: Counts, position: Array, rotation: Array, eye: Array, lens: Lens
) -> tuple[Array, Counts]:
    """The hulls (M, 2), px, of sets of points (N, 3), and how many corners each has."""
    room = 0
    for count in counts:
        room += _cloud_room(count)
    hulls, sizes = np.empty((room, 2)), np.zeros(len(counts), np.int64)
    first = used = ZERO
    for k in range(len(counts)):
        cloud, count, _ = _cloud(points, first, first + counts[k], position, rotation, eye, lens)
        first += counts[k]
        if count >= 3:
            sizes[k] = _hull(cloud[:count], hulls[used:])
            used += sizes[k]
    return hulls[:used], sizes


@compiled
def _cloud_room(count: int) -> int:
    """As many points as `_cloud` makes of `count` at most: with all chords between two halves."""
    return count + (count // 2) * (count - count // 2) + 1


@compiled
def _cloud(
    points: Array, first: int, last: int, position: Array, rotation: Array, eye: Array,
    lens: Lens,
) -> tuple[Array, int, float]:  # fmt: skip
    """Corners (N, 2), px, of the part of a convex hull that is ahead, how many, and the nearest.

    These are its points, and all chords that cross the near plane.
    """
    seen, behind = np.empty((last - first, 3)), 0
    for i in range(last - first):
        seen[i, 0], seen[i, 1], seen[i, 2] = _seen(points[first + i], position, rotation, eye)
        behind += seen[i, 2] < NEAR
    flat = np.empty((_cloud_room(len(seen)) if behind else len(seen), 2))
    count, nearest = 0, np.inf
    for a in seen:
        if a[2] < NEAR:
            continue
        nearest = min(nearest, a[2])
        flat[count, 0] = a[0] * (lens[0] / a[2]) + lens[1]
        flat[count, 1] = a[1] * (lens[0] / a[2]) + lens[2]
        count += 1
        if not behind:
            continue
        for b in seen:
            if b[2] < NEAR:
                share, nearest = (NEAR - a[2]) / (b[2] - a[2]), NEAR
                flat[count, 0] = (a[0] + (b[0] - a[0]) * share) * (lens[0] / NEAR) + lens[1]
                flat[count, 1] = (a[1] + (b[1] - a[1]) * share) * (lens[0] / NEAR) + lens[2]
                count += 1
    return flat, count, nearest


@compiled
def _hull(points: Array, hull: Array) -> int:
    """The convex hull of points (N, 2), which get sorted, by Andrew's monotone chain.

    Writes to `hull` (at least N + 1, 2) and returns how many corners there are.
    """
    for i in range(1, len(points)):
        x, y, place = points[i, 0], points[i, 1], i
        while place > 0:
            left, below = points[place - 1, 0], points[place - 1, 1]
            if left < x or (left == x and below <= y):
                break
            points[place, 0], points[place, 1] = left, below
            place -= 1
        points[place, 0], points[place, 1] = x, y
    count, least = 0, 2
    for step in range(2 * len(points) - 1):
        # there along the one side, and back along the other
        i = step if step < len(points) else 2 * len(points) - 2 - step
        if step == len(points):
            least = count + 1
        while count >= least:
            ux, uy = (
                hull[count - 1, 0] - hull[count - 2, 0],
                hull[count - 1, 1] - hull[count - 2, 1],
            )
            vx, vy = points[i, 0] - hull[count - 1, 0], points[i, 1] - hull[count - 1, 1]
            if ux * vy - uy * vx > 0.0:
                break
            count -= 1
        hull[count, 0], hull[count, 1] = points[i, 0], points[i, 1]
        count += 1
    return max(count - 1, 1)  # the last is the first again
