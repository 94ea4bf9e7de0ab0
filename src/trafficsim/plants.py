"""Trees, hedges and flowers: many round leaves, darker below."""

from __future__ import annotations

import cv2
import numpy as np

from trafficsim.camera import Camera
from trafficsim.colours import Colour, pick
from trafficsim.light import Light
from trafficsim.mesh import SHIFT, Array, Image, fixed
from trafficsim.scene import Furniture
from trafficsim.sprites import Sprite, clipped_box, cut_out

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
    patch = background[box[1] : box[3], box[0] : box[2]].copy()
    cover = np.zeros(patch.shape[:2], np.uint8)
    origin = np.array(box[:2])
    share = light.haze_share(depth)
    sun, lamp = shares
    gain = light.ambient + 0.5 * light.sun * max(sun, 0.6) + 0.5 * light.lamp * lamp

    def tone(colour: Array) -> list[float]:
        lit = np.clip(colour * gain, 0, 255)
        hazy: list[float] = (lit + (light.haze - lit) * share).tolist()
        return hazy

    wide = 0.15 * size * scale
    bark = np.array([(-1.3, 0.0), (1.3, 0.0), (0.8, 1.0), (-0.8, 1.0)])
    stem = base + bark[:, 1:] * (middle - base) * 0.9 + bark[:, :1] * np.array([wide, 0])
    for colour, part in (
        ((62, 78, 96), stem),
        ((48, 60, 76), stem - [(0, 0), (wide, 0), (wide * 0.6, 0), (0, 0)]),
    ):
        for target, paint_with in ((patch, tone(np.array(colour))), (cover, 255)):
            cv2.fillConvexPoly(target, fixed(part - origin), paint_with, cv2.LINE_AA, SHIFT)
    leaf = np.array(pick(rng, _LEAVES))
    bright = float(light.sun_direction @ camera.rotation[0])
    for ring, count in ((0.5, 24), (0.8, 80), (1.0, 150)):
        angles = rng.uniform(0, 2 * np.pi, count)
        reach = np.sqrt(rng.uniform(0.0, 1.0, count)) * ring
        sizes = rng.uniform(0.09, 0.2, count) * (2.2 - 1.4 * ring)
        for angle, out, part_size in zip(angles, reach, sizes, strict=True):
            u, v = out * np.cos(angle), out * np.sin(angle) * 0.92
            at = middle + np.array([u, -v]) * radius * scale - origin
            relief = 0.78 + 0.26 * v + 0.12 * u * bright + float(rng.normal(0, 0.1))
            relief += 0.1 * (ring - 0.7)
            size_px = max(1, int(part_size * radius * scale * 16))
            spot = (int(at[0] * 16), int(at[1] * 16))
            cv2.circle(patch, spot, size_px, tone(leaf * relief), -1, cv2.LINE_AA, SHIFT)
            cv2.circle(cover, spot, size_px, 255, -1, cv2.LINE_AA, SHIFT)
    footprint = (piece.x - 0.25, piece.x + 0.25, piece.z - 0.25, piece.z + 0.25)
    return cut_out(patch, cover, box, footprint, depth)


def add_leaves(
    rng: Rng, patch: Image, cover: Image, camera: Camera, piece: Furniture, light: Light,
    depth: float,
) -> None:  # fmt: skip
    """Leaves over a hedge or in a planter."""
    hedge = piece.kind == "hedge"
    half_z, base, top, half_x = (1.6, 0.1, 1.15, 0.3) if hedge else (0.65, 0.55, 1.0, 0.3)
    count = 190 if hedge else 70
    leaf = np.array(pick(rng, _LEAVES))
    flowers = not hedge and rng.random() < 0.6
    places = rng.uniform((-half_x, base, -half_z), (half_x, top, half_z), (count, 3))
    seen = camera.to_camera(places + np.array([piece.x, 0.0, piece.z]))
    order = np.argsort(-seen[:, 2])
    places, pixels = places[order], camera.to_pixels(seen[order])
    share = light.haze_share(depth)
    gain = light.ambient + 0.5 * light.sun
    for spot, place in zip(pixels, places, strict=True):
        colour = leaf * (0.65 + 0.35 * (place[1] - base) / (top - base) + rng.normal(0, 0.1))
        if flowers and rng.random() < 0.15:
            colour = np.array(_BLOSSOM[int(rng.integers(3))], dtype=np.float64)
        lit = np.clip(colour * gain, 0, 255)
        tone = (lit + (light.haze - lit) * share).tolist()
        radius = max(1, int(camera.focal / depth * rng.uniform(0.07, 0.16) * 16))
        at = (int(spot[0] * 16), int(spot[1] * 16))
        cv2.circle(patch, at, radius, tone, -1, cv2.LINE_AA, SHIFT)
        cv2.circle(cover, at, radius, 255, -1, cv2.LINE_AA, SHIFT)
