"""Houses: walls with their fronts, and roofs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trafficsim.camera import NEAR, Camera, clip_near
from trafficsim.colours import Colour, pick
from trafficsim.facades import Front, choose_front
from trafficsim.light import Light
from trafficsim.raster import nearest
from trafficsim.scene import Building, Street
from trafficsim.textures import VEIL_PER_METRE, Texture, paint_wall

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Point = tuple[float, float, float]

_DEPTH = 10.0
_VEIL_END = 390.0
"""How far the table of haze reaches, m: past all houses, but the ray of a pixel beside a wall may
meet its plane farther away or nowhere."""

_ROOFS: tuple[Colour, ...] = ((60, 70, 130), (70, 80, 95), (75, 70, 68), (60, 85, 120))
_GABLE: Colour = (150, 160, 170)

_WHITE: Texture = np.full((1, 1), 0x00FFFFFF, np.uint32)
"""The texture of what has one colour: the light on it says which."""

_MOST_CORNERS = 5
"""Of four corners that are cut at the near plane."""


class _Flat(NamedTuple):
    """A polygon of one colour: its three or four corners (m), its normal."""

    corners: tuple[Point, ...]
    normal: Point
    paint: Colour


class _Wall(NamedTuple):
    """An upright rectangle, the lower corners first, with a front; `gable`: a side wall."""

    corners: tuple[Point, ...]
    normal: Point
    extent: tuple[float, float]
    rng: Rng
    gable: bool = False


def _wall(
    rng: Rng, x: float, z: float, along: tuple[float, float], normal: Point,
    extent: tuple[float, float], gable: bool = False,
) -> _Wall:  # fmt: skip
    """A wall from (x, z) on in the direction `along` (x, z)."""
    (width, height), (dx, dz) = extent, along
    end_x, end_z = x + dx * width, z + dz * width
    corners = (x, 0.0, z), (end_x, 0.0, end_z), (end_x, height, end_z), (x, height, z)
    return _Wall(corners, normal, extent, rng, gable)


def paint_houses(image: Image, rng: Rng, camera: Camera, street: Street, light: Light) -> None:
    """Draws the houses of a street with the haze before them, from the farthest on.

    Args:
        image: uint8 (H, W, 3) for the camera's size.
        rng: Where chance comes from for what closes the street.
        camera: Which looks.
        street: Which has the houses.
        light: On them.
    """
    eye = camera.position
    sides: list[_Wall | _Flat] = []
    if street.end is not None:
        sides += _closing(street.end, np.random.default_rng(int(rng.integers(1 << 30))))
    for building in sorted(
        street.buildings, key=lambda b: -abs(0.5 * (b.z0 + b.z1) - float(eye[2]))
    ):
        sides += _house(building, street, float(eye[2]))
    if sides:
        _paint(image, camera, light, sides)


def _house(building: Building, street: Street, eye_z: float) -> list[_Wall | _Flat]:
    """What is seen of a house at the side of the street, the front last."""
    rng = np.random.default_rng(building.style)
    side, (z0, z1), height = building.side, (building.z0, building.z1), building.height
    x = side * (street.road + street.pavement[(side + 1) // 2] + building.setback)
    ends = [(z, (0.0, 0.0, n)) for z, n in ((z0, -1.0), (z1, 1.0)) if (eye_z - z) * n > 0]
    sides: list[_Wall | _Flat] = [
        _wall(rng, x, z, (side, 0.0), normal, (_DEPTH, height), gable=True) for z, normal in ends
    ]
    front = _wall(rng, x, z0 if side > 0 else z1, (0.0, side), (-side, 0.0, 0.0), (z1 - z0, height))
    if height < 9.0:
        paint, ridge = pick(rng, _ROOFS), height + 2.6
        for z, normal in ends:
            gable = (
                (x, height - 0.3, z),
                (x + side * 4.5, ridge, z),
                (x + side * 9.3, height - 0.3, z),
            )
            sides.append(_Flat(gable, normal, _GABLE))
        edge, middle, z0, z1 = x - side * 0.3, x + side * 4.5, z0 - 0.2, z1 + 0.2
        roof = (
            (edge, height - 0.1, z0),
            (edge, height - 0.1, z1),
            (middle, ridge, z1),
            (middle, ridge, z0),
        )
        sides.append(_Flat(roof, (-side * 0.5, 0.86, 0.0), paint))
    return [*sides, front]


def _closing(end: float, rng: Rng) -> list[_Wall | _Flat]:
    """Houses across the far end of a street, at `end` m."""
    sides: list[_Wall | _Flat] = []
    x = -45.0
    while x < 45.0:
        width = float(rng.uniform(10, 18))
        height = float(3.1 * rng.integers(2, 5)) + 1.2
        if height < 9.0:
            ridge = height + 2.6
            roof = ((x, height, end), (x + width, height, end), (x + width - 1.5, ridge, end + 4),
                    (x + 1.5, ridge, end + 4))  # fmt: skip
            sides.append(_Flat(roof, (0.0, 0.83, -0.55), pick(rng, _ROOFS)))
        sides.append(_wall(rng, x, end, (1.0, 0.0), (0.0, 0.0, -1.0), (width, height)))
        x += width
    return sides


def _paint(image: Image, camera: Camera, light: Light, sides: list[_Wall | _Flat]) -> None:
    """All are projected in one go, which takes less time."""
    corners = np.array([(*side.corners, side.corners[-1])[:4] for side in sides])
    normals = np.array([side.normal for side in sides])
    outlines, ahead = _outlines(camera, corners)
    moved = corners[:, 0] - camera.position
    facing = ((moved * normals).sum(axis=1) < 0).tolist()
    low, high = outlines.min(axis=1), outlines.max(axis=1)
    begin = np.clip(low, 0, camera.size).astype(int)
    wide = (np.ceil(np.clip(high + 1, 0, camera.size)).astype(int) - begin >= 2).all(axis=1)
    sizes = (high - low).tolist()
    shade, sun = light.shade(np.ones((1, 3)), normals)
    gains = shade + sun + 0.25 * light.lamp
    to_wall, flat = _inverse(camera, corners)
    painted: list[int] = []
    fronts: list[Front] = []
    for k, side in enumerate(sides):
        if flat[k] or not ahead[k]:
            continue
        if isinstance(side, _Flat):
            fronts.append(Front(_WHITE, (1.0, 1.0), np.array(side.paint) / 255.0))
        elif facing[k] and wide[k]:
            lit = light.lit_windows
            fronts.append(choose_front(side.rng, side.extent, sizes[k], lit, side.gable))
        else:
            continue
        painted.append(k)
    if not painted:
        return
    gains = gains[painted] * np.array([front.tint for front in fronts])
    to_wall = to_wall[painted]
    to_wall[:, :2] *= np.array([front.shown for front in fronts])[..., None]
    numbers = np.zeros(image.shape[:2], np.int16)
    depths = (np.arange(_VEIL_END * VEIL_PER_METRE) + 0.5) / VEIL_PER_METRE
    clear = np.exp((-light.haze_density * depths).astype(np.float32))
    veil = (1.0 - clear).astype(np.float32)
    spans, edges = nearest(numbers, outlines[painted])
    for k, front in enumerate(fronts):
        paint_wall(
            image, numbers, k + 1, spans[k], edges[k], to_wall[k], front.texture, gains[k],
            light.haze, veil,
        )  # fmt: skip


def _outlines(camera: Camera, corners: Array) -> tuple[Array, list[int]]:
    """Polygons (N, 4, 3) as px (N, _MOST_CORNERS, 2), and how many corners are ahead.

    Corners are repeated where there are fewer.
    """
    seen = camera.to_camera(corners.reshape(-1, 3)).reshape(-1, 4, 3)
    ahead = (seen[..., 2] >= NEAR).sum(axis=1).tolist()
    pixels = camera.to_pixels(np.maximum(seen, [-np.inf, -np.inf, NEAR]).reshape(-1, 3))
    outlines = pixels.reshape(-1, 4, 2)[:, [0, 1, 2, 3, 3]]
    for k, number in enumerate(ahead):
        if 0 < number < 4:
            cut = camera.to_pixels(clip_near(seen[k]))
            outlines[k] = cut[np.minimum(np.arange(_MOST_CORNERS), len(cut) - 1)]
    return outlines, ahead


def _inverse(camera: Camera, corners: Array) -> tuple[Array, list[bool]]:
    """Where the rays of pixels meet the planes of polygons (N, 4, 3), and which are seen as lines.

    The first are float64 (N, 3, 3). They make of a pixel (x, y, 1) how far along the first side
    it is, and how far from the top down to the lowest corner, both from 0 to 1 and over the depth;
    and 1 / depth, 1/m.
    """
    focal, (x, y) = camera.focal, camera.centre
    rays = camera.rotation.T @ [[1 / focal, 0, -x / focal], [0, 1 / focal, -y / focal], [0, 0, 1]]
    moved, along = corners[:, 0] - camera.position, corners[:, 1] - corners[:, 0]
    planes = np.cross(along, corners[:, 2] - corners[:, 1])
    away = (planes * moved).sum(axis=1)
    flat = np.abs(away) <= 1e-9
    near = (planes @ rays) / np.where(flat, 1.0, away)[:, None]
    across = along @ rays - (along * moved).sum(axis=1)[:, None] * near
    across /= (along * along).sum(axis=1)[:, None]
    top, lowest = corners[..., 1].max(axis=1), corners[..., 1].min(axis=1)
    down = (top - camera.position[1])[:, None] * near - rays[1]
    down /= (top - lowest)[:, None]
    return np.stack([across, down, near], axis=1), flat.tolist()
