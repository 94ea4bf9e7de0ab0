"""Trees, hedges and flowers: many round leaves, darker below."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor, log2

import cv2
import numpy as np

from trafficsim.camera import Camera
from trafficsim.colours import Colour, pick
from trafficsim.light import Light
from trafficsim.mesh import SHIFT, Image, fixed
from trafficsim.scene import Furniture
from trafficsim.sprites import Sprite

Rng = np.random.Generator

_TREES = 24
"""Trees that a process keeps, each at the sizes that were asked for, of 40 kB to 2 MB."""

_RADIUS, _CROWN = 1.9, 4.6
"""Of a tree of scale 1: the radius of its crown, and how high the crown's middle is, m."""

_ROOM, _LARGEST = 1.35, 8
"""A drawn tree has so many radii around the crown's middle; its largest radius is 2 ** 8 px."""

_LEAVES: tuple[Colour, ...] = ((45, 110, 62), (50, 125, 85), (40, 95, 70), (45, 130, 110))
_BLOSSOM: tuple[Colour, ...] = ((80, 80, 220), (60, 190, 240), (220, 160, 220))


def make_tree(
    rng: Rng, piece: Furniture, camera: Camera, light: Light, shares: tuple[float, float],
    depth: float,
) -> Sprite | None:  # fmt: skip
    """A tree: one of those that a process keeps, as large as it is seen, and lit."""
    which, tint = int(rng.integers(_TREES)), rng.uniform(0.88, 1.08) * rng.uniform(0.95, 1.05, 3)
    radius = _RADIUS * piece.scale
    foot = np.array([piece.x, 0.0, piece.z])
    seen = camera.to_camera(foot + np.array([[0, 0, 0], [0, _CROWN * piece.scale, 0]]))
    if seen[:, 2].min() < 1.5:
        return None
    (foot_x, foot_y), (x, y) = camera.to_pixels(seen).tolist()
    size = radius * camera.focal / depth  # of the crown, px
    room = _ROOM * size
    (width, height), (x0, y0) = camera.size, (max(floor(x - room), 0), max(floor(y - room), 0))
    x1, y1 = min(ceil(max(x, foot_x) + room), width), min(ceil(foot_y), height)
    x0 = max(min(x0, floor(foot_x - room)), 0)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    level = min(max(round(log2(size)), 3), _LARGEST)
    tree = _drawn_tree(which, level)
    # from the drawn tree's crown and foot to those in the picture, as wide as the crown is seen
    high, shrunk = _CROWN / _RADIUS * 2**level, size / 2**level
    across = shrunk if light.sun_direction @ camera.rotation[0] >= 0.0 else -shrunk
    lean, fall = (foot_x - x) / high, (foot_y - y) / high
    middle = _ROOM * 2**level
    place = np.array(
        [[across, lean, x - x0 - (across + lean) * middle], [0.0, fall, y - y0 - fall * middle]]
    )
    tree = np.asarray(cv2.warpAffine(tree, place, (x1 - x0, y1 - y0)), dtype=np.uint8)
    sun, lamp = shares
    gain = light.ambient + 0.5 * light.sun * max(sun, 0.6) + 0.5 * light.lamp * lamp
    share = light.haze_share(depth)
    cover = cv2.extractChannel(tree, 3)
    cover3 = cv2.cvtColor(cover, cv2.COLOR_GRAY2BGR)
    colour = cv2.cvtColor(tree, cv2.COLOR_BGRA2BGR)
    # it is multiplied by its cover, and so must haze be
    cv2.multiply(colour, np.append(gain * tint * (1.0 - share), 0.0), colour)
    cv2.add(colour, cv2.multiply(cover3, np.append(light.haze * share / 255.0, 0.0)), colour)
    return Sprite(
        box=(x0, y0, x1, y1),
        colour=np.asarray(colour, dtype=np.uint8),
        rest=np.asarray(cv2.bitwise_not(cover3), dtype=np.uint8),
        solid=cover > 127,
        footprint=(piece.x - 0.25, piece.x + 0.25, piece.z - 0.25, piece.z + 0.25),
        depth=depth,
    )


@lru_cache(6 * _TREES)
def _drawn_tree(which: int, size: int) -> Image:
    """A tree in its own colours, multiplied by their cover, the sun on its right; uint8 (h, w, 4).

    A trunk that forks, and a crown of leaf clusters, darker below; the crown's radius is
    ``2**size`` px.
    """
    rng = np.random.default_rng((which, 1))
    scale = float(2**size)
    middle = np.array([_ROOM * scale, _ROOM * scale])
    base = middle + np.array([0.0, _CROWN / _RADIUS * scale])
    picture: Image = np.zeros((int(base[1]), int(2 * _ROOM * scale), 4), np.uint8)
    wide = 0.15 / _RADIUS * scale
    bark = np.array([(-1.3, 0.0), (1.3, 0.0), (0.8, 1.0), (-0.8, 1.0)])
    stem = base + bark[:, 1:] * (middle - base) * 0.9 + bark[:, :1] * np.array([wide, 0])
    for colour, part in (
        ((62, 78, 96), stem),
        ((48, 60, 76), stem - [(0, 0), (wide, 0), (wide * 0.6, 0), (0, 0)]),
    ):
        cv2.fillConvexPoly(picture, fixed(part), (*colour, 255), cv2.LINE_AA, SHIFT)
    leaf = np.array(_LEAVES[which % len(_LEAVES)])
    few = min(max(scale / 64.0, 0.25), 1.0)  # of a far tree: fewer clusters, larger ones
    for ring, number in ((0.5, 24), (0.8, 80), (1.0, 150)):
        # as many are drawn by chance at any size, so that the tree stays the same
        shown = slice(int(number * few))
        angles = rng.uniform(0, 2 * np.pi, number)[shown]
        reach = np.sqrt(rng.uniform(0.0, 1.0, number)[shown]) * ring
        sizes = rng.uniform(0.09, 0.2, number)[shown] * (2.2 - 1.4 * ring) / few**0.5
        u, v = reach * np.cos(angles), reach * np.sin(angles) * 0.92
        at = middle + np.stack([u, -v], axis=1) * scale
        relief = 0.78 + 0.26 * v + 0.08 * u + rng.normal(0, 0.1, number)[shown]
        relief += 0.1 * (ring - 0.7)
        size_px = np.maximum(1, (sizes * scale * 16).astype(int)).tolist()
        spots, paints = (at * 16).astype(int).tolist(), (leaf * relief[:, None]).tolist()
        for spot, part, paint in zip(spots, size_px, paints, strict=True):
            cv2.circle(picture, spot, part, (*paint, 255), -1, cv2.LINE_AA, SHIFT)
    return picture


def add_leaves(
    rng: Rng, canvas: Image, camera: Camera, piece: Furniture, light: Light, depth: float
) -> None:
    """Leaves over a hedge or in a planter, on a sprite's canvas."""
    hedge = piece.kind == "hedge"
    half_z, base, top, half_x = (1.6, 0.1, 1.15, 0.3) if hedge else (0.65, 0.55, 1.0, 0.3)
    count = 190 if hedge else 70
    leaf = np.array(pick(rng, _LEAVES))
    flowers = not hedge and rng.random() < 0.6
    places = rng.uniform((-half_x, base, -half_z), (half_x, top, half_z), (count, 3))
    seen = camera.to_camera(places + np.array([piece.x, 0.0, piece.z]))
    order = np.argsort(-seen[:, 2])
    places, pixels = places[order], camera.to_pixels(seen[order])
    brightness = 0.65 + 0.35 * (places[:, 1] - base) / (top - base)
    blossoms: dict[int, Colour] = {}
    sizes = np.empty(count)
    for i in range(count):
        brightness[i] += rng.normal(0, 0.1)
        if flowers and rng.random() < 0.15:
            blossoms[i] = _BLOSSOM[int(rng.integers(3))]
        sizes[i] = rng.uniform(0.07, 0.16)
    colours = leaf * brightness[:, None]
    for i, blossom in blossoms.items():
        colours[i] = blossom
    lit = np.clip(colours * (light.ambient + 0.5 * light.sun), 0, 255)
    tones = (lit + (light.haze - lit) * light.haze_share(depth)).tolist()
    radii = np.maximum(1, (camera.focal / depth * sizes * 16).astype(int)).tolist()
    spots = (pixels * 16).astype(int).tolist()
    for spot, radius, tone in zip(spots, radii, tones, strict=True):
        cv2.circle(canvas, spot, radius, (*tone, 255), -1, cv2.LINE_AA, SHIFT)
