"""Trees, hedges and flowers: many round leaves, darker below."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from trafficsim.camera import Camera
from trafficsim.colours import Colour, pick
from trafficsim.light import Light
from trafficsim.mesh import SHIFT, Array, Image, fixed
from trafficsim.scene import Furniture
from trafficsim.sprites import Sprite, clipped_box, cut_out, empty_canvas

Rng = np.random.Generator

_LEAVES: tuple[Colour, ...] = ((45, 110, 62), (50, 125, 85), (40, 95, 70), (45, 130, 110))
_BLOSSOM: tuple[Colour, ...] = ((80, 80, 220), (60, 190, 240), (220, 160, 220))


def make_tree(
    rng: Rng, piece: Furniture, camera: Camera, background: Image, light: Light,
    shares: tuple[float, float], depth: float,
) -> Sprite | None:  # fmt: skip
    """A tree: a trunk that forks, and a crown of leaf clusters, darker below."""
    size = piece.scale
    trunk, crown, radius = 2.5 * size, 4.6 * size, 1.9 * size
    foot = np.array([piece.x, 0.0, piece.z])
    points = foot + np.array([[0, 0, 0], [0, trunk, 0], [0, crown, 0]])
    seen = camera.to_camera(points)
    if seen[:, 2].min() < 1.5:
        return None
    base, fork, middle = camera.to_pixels(seen)
    scale = camera.focal / depth
    spread = np.array([[-1, -1], [1, 1]]) * radius * scale * 1.25
    box = clipped_box(camera, np.concatenate([spread + middle, [base], [fork]]), 4.0)
    if box is None:
        return None
    canvas = empty_canvas(background, box)
    origin = np.array(box[:2])
    share = light.haze_share(depth)
    sun, lamp = shares
    gain = light.ambient + 0.5 * light.sun * max(sun, 0.6) + 0.5 * light.lamp * lamp

    def tone(colour: Array) -> Any:
        lit = np.clip(colour * gain, 0, 255)
        return (lit + (light.haze - lit) * share).tolist()

    wide = 0.15 * size * scale
    bark = np.array([(-1.3, 0.0), (1.3, 0.0), (0.8, 1.0), (-0.8, 1.0)])
    stem = base + bark[:, 1:] * (middle - base) * 0.9 + bark[:, :1] * np.array([wide, 0])
    for colour, part in (
        ((62, 78, 96), stem),
        ((48, 60, 76), stem - [(0, 0), (wide, 0), (wide * 0.6, 0), (0, 0)]),
    ):
        paint = (*tone(np.array(colour)), 255)
        cv2.fillConvexPoly(canvas, fixed(part - origin), paint, cv2.LINE_AA, SHIFT)
    leaf = np.array(pick(rng, _LEAVES))
    bright = float(light.sun_direction @ camera.rotation[0])
    few = min(max(radius * scale / 50.0, 0.25), 1.0)  # of a far tree: fewer clusters, larger ones
    for ring, number in ((0.5, 24), (0.8, 80), (1.0, 150)):
        # as many are drawn by chance at any size of the image, so that the scene stays the same
        shown = slice(int(number * few))
        angles = rng.uniform(0, 2 * np.pi, number)[shown]
        reach = np.sqrt(rng.uniform(0.0, 1.0, number)[shown]) * ring
        sizes = rng.uniform(0.09, 0.2, number)[shown] * (2.2 - 1.4 * ring) / few**0.5
        u, v = reach * np.cos(angles), reach * np.sin(angles) * 0.92
        at = middle + np.stack([u, -v], axis=1) * radius * scale - origin
        relief = 0.78 + 0.26 * v + 0.12 * u * bright + rng.normal(0, 0.1, number)[shown]
        relief += 0.1 * (ring - 0.7)
        size_px = np.maximum(1, (sizes * radius * scale * 16).astype(int)).tolist()
        spots = (at * 16).astype(int).tolist()
        for spot, part, paint in zip(spots, size_px, tone(leaf * relief[:, None]), strict=True):
            cv2.circle(canvas, spot, part, (*paint, 255), -1, cv2.LINE_AA, SHIFT)
    footprint = (piece.x - 0.25, piece.x + 0.25, piece.z - 0.25, piece.z + 0.25)
    return cut_out(canvas, box, footprint, depth)


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
