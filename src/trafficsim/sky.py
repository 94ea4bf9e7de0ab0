"""The sky and what stands along the horizon."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim import raster
from trafficsim.chance import uniform
from trafficsim.light import Light

Rng = np.random.Generator
Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

_ARCH = np.array([(np.cos(a), -np.sin(a)) for a in np.linspace(0.0, np.pi, 8)])
"""The upper half of a circle; the lower one is hidden by the ground."""


def paint_sky(image: Image, rng: Rng, light: Light, horizon: float) -> None:
    """Draws clouds down to the `horizon` row (px)."""
    height, width = image.shape[:2]
    rows = min(max(ceil(horizon) + 2, 1), height)
    share = (np.arange(rows) / max(horizon, 1.0)).clip(0, 1)[:, None] ** 1.2
    tones = light.sky_top * (1 - share) + light.sky_horizon * share
    size = ceil(width / 4) + 1, ceil(rows / 2)  # clouds are soft, and wide
    clouds = np.zeros(size[::-1], np.float32)
    for cells, weight in ((3, 0.5), (6, 0.28), (12, 0.15), (26, 0.08)):
        coarse = rng.random((max(2, cells * rows // width * 3 + 2), cells + 2)).astype(np.float32)
        octave = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        cv2.scaleAdd(octave, weight, clouds, clouds)
    _blend(image, tones, light.cloud, clouds, uniform(rng, 0.42, 0.58))


@compiled
def _blend(image: Image, tones: Array, cloud: Array, clouds: Plane, cover: float) -> None:
    """Paints the sky's rows.

    Args:
        image: uint8 (H, W, 3). tones: float64 (rows, 3), BGR of the clear sky.
        cloud: float64 (3,), BGR. clouds: float32 (rows / 2, W / 4 + 1), how thick they are on every
            fourth pixel of every second row. cover: from where on they are seen.
    """
    height, width = clouds.shape
    near, far = np.float32(0.75), np.float32(0.25)
    nothing, most, steep = np.float32(0.0), np.float32(0.85), np.float32(5.0)
    here, line = np.empty(width, np.float32), np.empty(4 * width, np.float32)
    for row in range(len(tones)):
        k = row // 2
        other = max(k - 1, 0) if row % 2 == 0 else min(k + 1, height - 1)
        for j in range(width):
            here[j] = near * clouds[k, j] + far * clouds[other, j] - np.float32(cover)
        for j in range(width - 1):
            for i in range(4):
                thick = here[j] + np.float32(0.25 * i) * (here[j + 1] - here[j])
                line[4 * j + i] = min(max(thick * steep, nothing), most)
        for channel in range(3):
            tone = np.float32(tones[row, channel])
            change = np.float32(cloud[channel]) - tone
            for j in range(image.shape[1]):
                # between two colours, so that it needs no cutting off
                image[row, j, channel] = np.uint8(np.int32(tone + change * line[j]))


def paint_skyline(image: Image, rng: Rng, light: Light, horizon: float) -> None:
    """Far roofs and tree tops along the horizon."""
    height, width = image.shape[:2]
    unit = width / 640.0
    roofs: list[tuple[int, ...]] = []
    rows = []
    for layer in (1.0, 0.6):
        x = -10.0
        while x < width:
            w = uniform(rng, 10, 42) * unit
            h = uniform(rng, 6, 30) * unit * layer
            x0, y0, x1, y1 = int(x), int(horizon - h), int(x + w), int(min(horizon + 3, height))
            roofs.append((x0, y0, x1, y0, x1, y1, x0, y1))
            x += w * uniform(rng, 0.7, 1.6)
        rows.append(len(roofs))
    across = np.arange(0.0, width, 6.0 * unit).astype(int)
    radii = np.maximum((rng.uniform(2.5, 6.5, len(across)) * unit).astype(int), 1)
    arches = radii[:, None, None] * _ARCH
    arches += np.stack([across, np.full(len(across), int(horizon))], axis=1)[:, None]
    shaded = light.ambient * ((120, 115, 110), (120, 115, 110), (60, 95, 75))
    share = np.array([[0.75], [0.55], [0.5]])
    tones = light.haze * share + shaded * (1 - share)
    number = [rows[0], rows[1] - rows[0], len(arches)]
    points = np.concatenate([np.array(roofs, np.float64).reshape(-1, 2), arches.reshape(-1, 2)])
    counts = np.repeat([4, 4, len(_ARCH)], number)
    raster.fill(image, points, counts, np.repeat(tones, number, axis=0))
