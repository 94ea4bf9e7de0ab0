"""The sky and what stands along the horizon."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.light import Light

Rng = np.random.Generator
Image = NDArray[np.uint8]


def paint_sky(image: Image, rng: Rng, light: Light, horizon: float) -> None:
    """Draws clouds down to the `horizon` row (px)."""
    height, width = image.shape[:2]
    rows = int(np.clip(np.ceil(horizon) + 2, 1, height))
    share = (np.arange(rows) / max(horizon, 1.0)).clip(0, 1)[:, None] ** 1.2
    column = light.sky_top * (1 - share) + light.sky_horizon * share
    half = (width + 1) // 2, (rows + 1) // 2  # clouds are soft
    clouds = np.zeros(half[::-1], np.float32)
    for cells, weight in ((3, 0.5), (6, 0.28), (12, 0.15), (26, 0.08)):
        coarse = rng.random((max(2, cells * rows // width * 3 + 2), cells + 2)).astype(np.float32)
        clouds += weight * cv2.resize(coarse, half, interpolation=cv2.INTER_CUBIC)
    cover = float(rng.uniform(0.42, 0.58))
    amount = cv2.resize(np.clip((clouds - cover) * 5.0, 0.0, 0.85), (width, rows))
    planes = []
    for channel, cloud in enumerate(light.cloud.astype(np.float32)):
        tone = column[:, channel : channel + 1].astype(np.float32)
        sky = (cloud - tone) * amount
        sky += tone
        planes.append(sky.astype(np.uint8))  # between two colours
    cv2.merge(planes, image[:rows])


def paint_skyline(image: Image, rng: Rng, light: Light, horizon: float) -> None:
    """Far roofs and tree tops along the horizon."""
    height, width = image.shape[:2]
    unit = width / 640.0
    for layer, mix in ((1.0, 0.75), (0.6, 0.55)):
        x = -10.0
        while x < width:
            w = float(rng.uniform(10, 42)) * unit
            h = float(rng.uniform(6, 30)) * unit * layer
            tone = light.haze * mix + (1 - mix) * light.ambient * np.array([120, 115, 110])
            box = ((int(x), int(horizon - h)), (int(x + w), int(min(horizon + 3, height))))
            cv2.rectangle(image, box[0], box[1], tone.tolist(), -1)
            x += w * float(rng.uniform(0.7, 1.6))
    green = light.haze * 0.5 + 0.5 * light.ambient * np.array([60, 95, 75])
    across = np.arange(0.0, width, 6.0 * unit)
    radii = (rng.uniform(2.5, 6.5, len(across)) * unit).astype(int).tolist()
    for x, radius in zip(across.astype(int).tolist(), radii, strict=True):
        cv2.circle(image, (x, int(horizon)), max(1, radius), green.tolist(), -1, cv2.LINE_AA)
