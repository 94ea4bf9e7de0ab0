"""Daylight, dusk and night: what lights surfaces, the colour of the sky, haze and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trafficsim.chance import one_of, uniform

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """The light of a scene. Colours are float64 (3,) BGR.

    Attributes:
        kind: "day", "dusk" or "night".
        ambient: Light from all sides, a factor on the surface's colour.
        sun: Light from the sun at normal incidence, a factor.
        sun_direction: Unit vector (3,) towards the sun.
        sky_top: Colour of the sky overhead, 0..255.
        sky_horizon: Colour of the sky at the horizon, 0..255.
        cloud: Colour of clouds, 0..255.
        haze: Colour that distance fades to, 0..255.
        haze_density: Share of light lost per m.
        lamp: Light below a street lamp, a factor; zeros while lamps are off.
        lit_windows: Share of windows with a light on.
        headlights: Whether vehicles have their lights on.
        noise: Standard deviation of the sensor noise, grey levels.
    """

    kind: str
    ambient: Array
    sun: Array
    sun_direction: Array
    sky_top: Array
    sky_horizon: Array
    cloud: Array
    haze: Array
    haze_density: float
    lamp: Array
    lit_windows: float
    headlights: bool
    noise: float

    @cached_property
    def rows(self) -> Array:
        """float64 (5, 3): ambient, sun, the sun's direction, lamp, haze."""
        return np.stack([self.ambient, self.sun, self.sun_direction, self.lamp, self.haze])

    def shade(self, albedo: Array, normals: Array) -> tuple[Array, Array]:
        """Surfaces with `albedo` (N, 3) and unit `normals` (N, 3).

        Returns:
            Their colours (N, 3) in the shade, and what full sun adds.
        """
        facing = np.maximum(normals @ self.sun_direction, 0.0)[:, None]
        above = (0.8 + 0.2 * normals[:, 1])[:, None]
        return albedo * (self.ambient * above), albedo * (self.sun * facing)

    def haze_share(self, depth: float) -> float:
        """Share of haze, 0..1, in front of something `depth` m away."""
        return float(1.0 - np.exp(-self.haze_density * max(depth, 0.0)))


def draw_light(rng: np.random.Generator, wanted: str, fog: float) -> Light:
    """The light of one scene.

    Args:
        rng: Where chance comes from.
        wanted: "day", "dusk", "night" or "mixed".
        fog: 0..1, chance and strength of fog.
    """
    kind = one_of(rng, ("day", "dusk", "night"), (0.66, 0.18, 0.16))
    kind = kind if wanted == "mixed" else wanted
    azimuth = uniform(rng, 0.0, 2.0 * np.pi)
    elevation = np.radians(uniform(rng, 28, 62) if kind == "day" else uniform(rng, 12, 20))
    direction = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ]
    )
    foggy = bool(rng.random() < fog)
    strength = uniform(rng, 0.35, 1.0) * (0.4 + 0.6 * fog)
    density = 0.0022 + (0.024 * strength if foggy else 0.0)
    exposure = uniform(rng, 0.9, 1.1)
    overcast = bool(rng.random() < 0.3) or foggy
    warm = uniform(rng, -0.03, 0.03)
    if kind == "day":
        ambient = np.array([0.66, 0.62, 0.60]) if not overcast else np.array([0.92, 0.90, 0.88])
        sun = np.array([0.48, 0.56, 0.62]) if not overcast else np.array([0.10, 0.10, 0.10])
        top = np.array([205.0, 140.0, 80.0]) if not overcast else np.array([196.0, 186.0, 178.0])
        horizon = np.array([236.0, 214.0, 190.0]) if not overcast else np.array([222.0] * 3)
        cloud, lamp = np.array([250.0, 248.0, 246.0]), np.zeros(3)
        lit, noise = 0.03, 2.0
    elif kind == "dusk":
        ambient, sun = np.array([0.50, 0.42, 0.42]), np.array([0.10, 0.22, 0.36])
        top, horizon = np.array([128.0, 84.0, 70.0]), np.array([120.0, 160.0, 232.0])
        cloud, lamp = np.array([140.0, 140.0, 205.0]), np.array([0.10, 0.17, 0.22])
        lit, noise = 0.36, 3.0  # as at night: kept fronts are the same
    else:
        ambient, sun = np.array([0.42, 0.36, 0.335]), np.zeros(3)
        top, horizon = np.array([42.0, 24.0, 16.0]), np.array([66.0, 48.0, 44.0])
        cloud, lamp = np.array([58.0, 46.0, 44.0]), np.array([0.34, 0.50, 0.60])
        lit, noise = 0.36, 3.5
    tint = exposure * np.array([1.0 - warm, 1.0, 1.0 + warm])
    haze = 0.8 * horizon + 0.2 * cloud
    if foggy:
        top, horizon = 0.35 * top + 0.65 * haze, 0.3 * horizon + 0.7 * haze
    return Light(
        kind=kind,
        ambient=ambient * tint,
        sun=sun * tint,
        sun_direction=direction,
        sky_top=top,
        sky_horizon=horizon,
        cloud=cloud,
        haze=haze,
        haze_density=density,
        lamp=lamp,
        lit_windows=lit,
        headlights=kind != "day" or foggy,
        noise=noise,
    )
