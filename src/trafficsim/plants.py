"""Trees, hedges and flowers: many round leaves, darker below."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor, log2, sqrt

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim.camera import Array, Camera
from trafficsim.colours import Colour, pick
from trafficsim.light import Light
from trafficsim.raster import Image, fill
from trafficsim.scene import Furniture
from trafficsim.sprites import Sprite
from trafficsim.textures import Texture, as_picture, as_texture, paint_tree

Rng = np.random.Generator

_TREES = 24
"""Trees that a process keeps, each at the sizes that were asked for, of 3 kB to 2.7 MB."""

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
    tree, extents = _drawn_tree(which, level)
    # from the picture to the drawn tree, crown to crown and foot to foot, as wide as it is seen
    middle = _ROOM * 2**level
    fall = _CROWN / _RADIUS * 2**level / (foot_y - y)
    sunny_side = 1 if light.sun_direction @ camera.rotation[0] >= 0.0 else -1
    across = sunny_side * 2**level / size
    lean = -across * (foot_x - x) / (foot_y - y)
    to_tree = np.array(
        [[across, lean, middle - across * (x - x0) - lean * (y - y0)],
         [0.0, fall, middle - fall * (y - y0)]]
    )  # fmt: skip
    sun, lamp = shares
    gain = light.ambient + 0.5 * light.sun * max(sun, 0.6) + 0.5 * light.lamp * lamp
    picture = np.zeros((y1 - y0, x1 - x0), np.uint32)
    share = light.haze_share(depth)
    paint_tree(picture, tree, extents, to_tree, gain * tint, light.haze, share)
    footprint = (piece.x - 0.25, piece.x + 0.25, piece.z - 0.25, piece.z + 0.25)
    return Sprite((x0, y0, x1, y1), as_picture(picture), footprint, depth)


@lru_cache(6 * _TREES)
def _drawn_tree(which: int, size: int) -> tuple[Texture, NDArray[np.int64]]:
    """A tree in its own colours, multiplied by their cover, the sun on its right.

    A trunk that forks, and a crown of leaf clusters, darker below; the crown's radius is
    ``2**size`` px.

    Returns:
        uint32 (h, w), and of each row the first and the last column with any cover, int64 (h, 2);
        the last is less where there is none.
    """
    rng = np.random.default_rng((which, 1))
    scale = float(2**size)
    middle = np.array([_ROOM * scale, _ROOM * scale])
    base = middle + np.array([0.0, _CROWN / _RADIUS * scale])
    picture: Image = np.zeros((int(base[1]), int(2 * _ROOM * scale), 4), np.uint8)
    wide = 0.15 / _RADIUS * scale
    bark = np.array([(-1.3, 0.0), (1.3, 0.0), (0.8, 1.0), (-0.8, 1.0)])
    stem = base + bark[:, 1:] * (middle - base) * 0.9 + bark[:, :1] * np.array([wide, 0])
    dark = stem - [(0, 0), (wide, 0), (wide * 0.6, 0), (0, 0)]
    colours = np.array([(62.0, 78.0, 96.0), (48.0, 60.0, 76.0)])
    fill(picture, np.concatenate([stem, dark]), np.array([4, 4]), colours)
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
        discs(as_texture(picture), at, np.maximum(sizes * scale, 1 / 16), leaf * relief[:, None])
    covered = picture[..., 3] > 0
    columns = covered.shape[1]
    first, last = covered.argmax(axis=1), columns - 1 - covered[:, ::-1].argmax(axis=1)
    first[~covered.any(axis=1)] = columns
    return as_texture(picture), np.stack([first, last], axis=1)


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
    normal, random = rng.standard_normal, rng.random
    changes, sizes = [], []
    blossoms: dict[int, Colour] = {}
    for i in range(count):
        changes.append(normal())
        if flowers and random() < 0.15:
            blossoms[i] = _BLOSSOM[int(rng.integers(3))]
        sizes.append(random())
    brightness = 0.65 + 0.35 * (places[:, 1] - base) / (top - base) + 0.1 * np.array(changes)
    radii = camera.focal / depth * (0.07 + 0.09 * np.array(sizes))
    colours = leaf * brightness[:, None]
    for i, blossom in blossoms.items():
        colours[i] = blossom
    lit = np.clip(colours * (light.ambient + 0.5 * light.sun), 0, 255)
    lit += (light.haze - lit) * light.haze_share(depth)
    discs(as_texture(canvas), pixels, np.maximum(radii, 1 / 16), lit)


@compiled
def discs(canvas: Texture, places: Array, radii: Array, colours: Array) -> None:
    """Paints opaque discs one after the other; they fade over a px outside of their radius.

    Args:
        canvas: uint32 (h, w), colours and cover; the colours are taken as multiplied by it.
        places: float64 (N, 2), their middles, px.
        radii: float64 (N,), px.
        colours: float64 (N, 3), 0..255; what is beyond is cut off.
    """
    height, width = canvas.shape
    for k in range(len(places)):
        x, y, radius, reach = places[k, 0], places[k, 1], radii[k], radii[k] + 1.0
        opaque = 255 << 24
        for c in range(3):
            opaque |= int(min(max(colours[k, c], 0.0), 255.0) + 0.5) << 8 * c
        for row in range(max(ceil(y - reach), 0), min(floor(y + reach), height - 1) + 1):
            down = (row - y) ** 2
            wide = sqrt(max(reach * reach - down, 0.0))
            inside = sqrt(radius * radius - down) if down <= radius * radius else -1.0
            for column in range(max(ceil(x - wide), 0), min(floor(x + wide), width - 1) + 1):
                if abs(column - x) <= inside:
                    canvas[row, column] = opaque
                    continue
                cover = reach - sqrt(down + (column - x) ** 2)
                before, mixed = np.int64(canvas[row, column]), 0
                for c in range(4):
                    old = (before >> 8 * c) & 255
                    new = (opaque >> 8 * c) & 255
                    mixed |= int(old + (new - old) * cover + 0.5) << 8 * c
                canvas[row, column] = mixed
