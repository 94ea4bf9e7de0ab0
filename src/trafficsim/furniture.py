"""Street furniture and trees, drawn as sprites that hide what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np

from trafficsim.camera import Camera
from trafficsim.colours import Colour, darker, pick
from trafficsim.groundlight import GroundLight
from trafficsim.light import Light
from trafficsim.mesh import GLOWING, Mesh, MeshBuilder
from trafficsim.plants import add_leaves, make_tree
from trafficsim.raster import fill
from trafficsim.scene import Furniture
from trafficsim.sprites import Sprite, clipped_box

Rng = np.random.Generator

_REACH = 2.8
"""No piece but a tree reaches farther to the side, m, with leaves and the room around it."""

_STEEL: Colour = (92, 90, 88)
_WOOD: Colour = (60, 95, 140)

_PAINTS: dict[str, tuple[Colour, ...]] = {
    "sign": ((40, 40, 205), (190, 90, 30), (230, 230, 230), (40, 190, 235)),
    "bin": ((60, 90, 50), (70, 70, 72), (40, 60, 120)),
    "cabinet": ((140, 150, 140), (120, 125, 128), (90, 120, 80)),
    "planter": ((150, 155, 160), (70, 95, 130)),
    "kiosk": ((70, 110, 60), (50, 60, 150), (150, 110, 60)),
    "shelter": ((60, 60, 190), (190, 140, 60)),
    "postbox": ((40, 40, 190), (40, 190, 230), (150, 70, 40)),
}


def make_sprite(
    rng: Rng, piece: Furniture, camera: Camera, light: Light, ground_light: GroundLight
) -> Sprite | None:
    """The piece as the camera sees it, or None if it is out of sight."""
    position = np.array([piece.x, 0.0, piece.z])
    x, _, depth = camera.to_camera(position[None])[0].tolist()
    if depth < 2.0 or depth > 110.0:
        return None
    sun, lamp = ground_light.at(piece.x, piece.z)
    if piece.kind == "tree":
        return make_tree(rng, piece, camera, light, (sun, lamp), depth)
    build = _drawn(rng, piece.kind, piece.side)
    aside = max(camera.centre[0], camera.size[0] - camera.centre[0]) * (depth + _REACH)
    if camera.focal * (abs(x) - _REACH) > aside:
        return None
    mesh = build()
    nearest = depth + float((mesh.rims @ camera.rotation[2]).min())
    if nearest < 1.0:
        return None
    shares = sun, 0.7 * lamp, light.haze_share(depth)
    points, counts, colours, outline, _ = mesh.seen(camera, position, light, shares)
    leafy = piece.kind in ("hedge", "planter")
    box = clipped_box(camera, outline, 3 + (0.4 * camera.focal / nearest if leafy else 0.0))
    if box is None:
        return None
    canvas = np.zeros((box[3] - box[1], box[2] - box[0], 4), np.uint8)
    points -= box[:2]
    fill(canvas, points, counts, colours)
    if leafy:
        add_leaves(rng, canvas, camera.shifted(-box[0], -box[1]), piece, light, depth)
    half_x, half_z = mesh.half_size[0], mesh.half_size[1]
    if piece.kind == "lamp":
        half_x = half_z = 0.15
    footprint = (piece.x - half_x, piece.x + half_x, piece.z - half_z, piece.z + half_z)
    return Sprite(box, canvas, footprint, depth)


def _lamp(side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.09, 0.09), (0.0, 0.9), (-0.09, 0.09), darker(_STEEL, 0.8))
    b.box((-0.055, 0.055), (0.9, 6.0), (-0.055, 0.055), _STEEL)
    tip = -side * 1.7
    b.box((min(0.0, tip), max(0.0, tip)), (5.94, 6.04), (-0.04, 0.04), _STEEL, layer=1)
    ends = sorted((tip - side * 0.35, tip + side * 0.3))
    b.box((ends[0], ends[1]), (5.9, 6.06), (-0.14, 0.14), (120, 120, 120), layer=2)
    b.part(3, ((ends[0] + ends[1]) / 2, 6.2, 0.0))
    corners = [(ends[0], 5.88, -0.14), (ends[1], 5.88, -0.14), (ends[1], 5.88, 0.14),
               (ends[0], 5.88, 0.14)]  # fmt: skip
    b.face(corners, (170, 225, 250), GLOWING)
    b.solid(corners)
    return b.build()


def _signal(side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.06, 0.06), (0.0, 2.4), (-0.06, 0.06), (60, 60, 58))
    b.box((-0.17, 0.17), (2.3, 3.2), (-0.14, 0.14), (35, 35, 35), layer=1)
    for k, colour in enumerate(((60, 110, 50), (40, 110, 130), (50, 50, 190))):
        y = 2.45 + 0.28 * k
        for z in (-0.15, 0.15):
            b.face([(-0.09, y, z), (0.09, y, z), (0.09, y + 0.18, z), (-0.09, y + 0.18, z)], colour)
    return b.build()


def _sign(paint: Colour, side: int, round_sign: bool, white_inside: bool) -> Mesh:
    b = MeshBuilder()
    b.box((-0.035, 0.035), (0.0, 2.9), (-0.035, 0.035), (140, 140, 140))
    angles = (
        np.linspace(0, 2 * np.pi, 13)[:-1] if round_sign else np.pi / 4 + np.arange(4) * np.pi / 2
    )
    radius = 0.34 if round_sign else 0.44
    for z, centre in ((-0.05, 0.0), (0.05, 0.0)):
        b.part(1, (0.0, 2.55, centre))
        ring = np.stack(
            [radius * np.cos(angles), 2.55 + radius * np.sin(angles), angles * 0 + z], 1
        )
        b.face(ring.tolist(), paint)
        inner = ring.copy()
        inner[:, 0] *= 0.7
        inner[:, 1] = 2.55 + (inner[:, 1] - 2.55) * 0.7
        inner[:, 2] += 0.01 * np.sign(z)
        b.face(inner.tolist(), (232, 232, 232) if white_inside else darker(paint, 0.6))
        b.solid(ring.tolist())
    return b.build()


def _bench(side: int) -> Mesh:
    b = MeshBuilder()
    for z in (-0.7, 0.7):
        b.box((-0.2, 0.2), (0.0, 0.42), (z - 0.05, z + 0.05), (50, 50, 50))
    b.box((-0.24, 0.24), (0.40, 0.48), (-0.9, 0.9), _WOOD, layer=1)
    x = side * 0.24
    b.box((min(x, x + side * 0.05), max(x, x + side * 0.05)), (0.55, 0.92), (-0.9, 0.9), _WOOD, 2)
    return b.build()


def _bin(paint: Colour, side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.26, 0.26), (0.06, 0.92), (-0.26, 0.26), paint)
    b.box((-0.29, 0.29), (0.92, 1.06), (-0.29, 0.29), darker(paint, 0.6), layer=1)
    return b.build()


def _cabinet(paint: Colour, side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.25, 0.25), (0.0, 1.25), (-0.55, 0.55), paint)
    b.box((-0.28, 0.28), (1.25, 1.32), (-0.58, 0.58), darker(paint, 0.75), layer=1)
    return b.build()


def _planter(paint: Colour, side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.38, 0.38), (0.0, 0.6), (-0.75, 0.75), paint)
    return b.build()


def _hedge(side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.32, 0.32), (0.0, 1.05), (-1.6, 1.6), (38, 72, 48))
    return b.build()


def _bollards(side: int) -> Mesh:
    b = MeshBuilder()
    for z in (-1.4, 0.0, 1.4):
        b.box((-0.08, 0.08), (0.0, 0.85), (z - 0.08, z + 0.08), (70, 70, 70))
        b.box((-0.085, 0.085), (0.68, 0.76), (z - 0.085, z + 0.085), (220, 220, 220), layer=1)
    return b.build()


def _kiosk(paint: Colour, side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.75, 0.75), (0.0, 2.3), (-1.1, 1.1), paint)
    for s in (-1, 1):
        b.face([(s * 0.76, 1.0, -0.85), (s * 0.76, 1.0, 0.85), (s * 0.76, 1.9, 0.85),
                (s * 0.76, 1.9, -0.85)], (150, 190, 215), GLOWING)  # fmt: skip
        b.face([(s * 0.77, 0.75, -0.9), (s * 0.77, 0.75, 0.9), (s * 0.77, 0.95, 0.9),
                (s * 0.77, 0.95, -0.9)], (200, 200, 200))  # fmt: skip
    b.box((-0.95, 0.95), (2.3, 2.5), (-1.3, 1.3), darker(paint, 0.7), layer=1)
    return b.build()


def _shelter(paint: Colour, side: int) -> Mesh:
    b = MeshBuilder()
    for z in (-1.7, 1.7):
        for x in (-0.55, 0.55):
            b.box((x - 0.04, x + 0.04), (0.0, 2.3), (z - 0.04, z + 0.04), _STEEL)
    b.box((-0.5, 0.5), (0.3, 2.1), (1.72, 1.84), paint, layer=1)
    x = side * 0.6
    b.box((x - 0.03, x + 0.03), (0.25, 0.5), (-1.7, 1.7), _STEEL, layer=1)
    b.box((x - 0.2, x + 0.2), (0.45, 0.52), (-1.4, 1.4), _WOOD, layer=1)
    b.box((-0.8, 0.8), (2.3, 2.42), (-2.0, 2.0), (90, 95, 90), layer=2)
    return b.build()


def _fence(side: int) -> Mesh:
    b = MeshBuilder()
    for z in (-1.2, 1.2):
        b.box((-0.15, 0.15), (0.0, 0.9), (z - 0.04, z + 0.04), (90, 90, 90))
    for k in range(6):
        z = -1.3 + k * 0.4333
        colour = (45, 45, 210) if k % 2 else (230, 230, 230)
        b.box((-0.03, 0.03), (0.55, 0.95), (z, z + 0.4333), colour, layer=1)
    return b.build()


def _hydrant(side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.12, 0.12), (0.0, 0.6), (-0.12, 0.12), (40, 40, 190))
    b.box((-0.18, 0.18), (0.38, 0.5), (-0.06, 0.06), (40, 40, 170), layer=1)
    b.box((-0.08, 0.08), (0.6, 0.72), (-0.08, 0.08), (40, 40, 170), layer=1)
    return b.build()


def _postbox(paint: Colour, side: int) -> Mesh:
    b = MeshBuilder()
    b.box((-0.05, 0.05), (0.0, 0.8), (-0.05, 0.05), _STEEL)
    b.box((-0.22, 0.22), (0.75, 1.4), (-0.28, 0.28), paint, layer=1)
    return b.build()


_SAME: dict[str, Callable[[int], Mesh]] = {
    "lamp": _lamp, "signal": _signal, "bench": _bench, "hedge": _hedge, "bollards": _bollards,
    "fence": _fence, "hydrant": _hydrant,
}  # fmt: skip
_PAINTED: dict[str, Callable[..., Mesh]] = {
    "sign": _sign, "bin": _bin, "cabinet": _cabinet, "planter": _planter, "kiosk": _kiosk,
    "shelter": _shelter, "postbox": _postbox,
}  # fmt: skip


def _drawn(rng: Rng, kind: str, side: int) -> Callable[[], Mesh]:
    """What builds a piece whose looks are drawn."""
    if kind in _SAME:
        return partial(_same, kind, side)
    paint = pick(rng, _PAINTS[kind])
    looks = (bool(rng.random() < 0.6), paint[0] < 100) if kind == "sign" else ()
    return partial(_painted, paint, kind, side, *looks)


@cache
def _same(kind: str, side: int) -> Mesh:
    """What looks alike everywhere is built once."""
    return _SAME[kind](side)


def _painted(paint: Colour, kind: str, side: int, *looks: bool) -> Mesh:
    mesh, white = _unpainted(kind, side, *looks)
    return replace(mesh, albedo=mesh.albedo + (white.albedo - mesh.albedo) * np.array(paint))


@cache
def _unpainted(kind: str, side: int, *looks: bool) -> tuple[Mesh, Mesh]:
    """A piece in black and in 1: each of its colours is given, or a share of the paint."""
    build = _PAINTED[kind]
    return build((0.0, 0.0, 0.0), side, *looks), build((1.0, 1.0, 1.0), side, *looks)
