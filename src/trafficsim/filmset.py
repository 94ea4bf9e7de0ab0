"""A scene that is ready to be filmed: what stands still is drawn once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trafficsim.background import paint_background
from trafficsim.camera import Camera
from trafficsim.effects import Noise, Shake
from trafficsim.frame import SimulatorKnobs
from trafficsim.furniture import make_sprite
from trafficsim.groundlight import GroundLight, make_ground_light
from trafficsim.light import Light
from trafficsim.scene import Street, make_street
from trafficsim.sprites import Sprite
from trafficsim.traffic import Traffic, make_traffic

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class FilmSet:
    """All of a scene.

    Attributes:
        knobs: What it was made with.
        street: The layout.
        camera: Of the image without shake.
        light: Of the scene.
        ground_light: Sun and lamps on the ground.
        picture: uint8 (H + 2 margin, W + 2 margin, 3), the street with its furniture.
        sprites: The furniture, farthest first; boxes are in `picture`.
        traffic: What moves.
        noise: Of the sensor.
        shake: Of the camera; `shake.margin` is the margin of `picture`.
        rng: For what is drawn anew in each frame.
    """

    knobs: SimulatorKnobs
    street: Street
    camera: Camera
    light: Light
    ground_light: GroundLight
    picture: Image
    sprites: tuple[Sprite, ...]
    traffic: Traffic
    noise: Noise
    shake: Shake
    rng: np.random.Generator


def make_film_set(knobs: SimulatorKnobs, seed: int, index: int, moving: bool) -> FilmSet:
    """Draws scene `index` of `seed`; `moving` scenes get the camera shake."""
    streams = np.random.SeedSequence([seed, index, int(moving)]).spawn(4)
    layout_rng, look_rng, traffic_rng, frame_rng = (np.random.default_rng(s) for s in streams)
    street, camera, light = make_street(layout_rng, knobs)
    amplitude = knobs.shake * 0.016 * knobs.width if moving else 0.0
    shake = Shake(frame_rng, amplitude)
    wide = camera.widened(shake.margin)
    ground_light = make_ground_light(street, light)
    picture = paint_background(look_rng, wide, street, light, ground_light)
    sprites = []
    for piece in street.furniture:
        sprite = make_sprite(look_rng, piece, wide, light, ground_light)
        if sprite is not None:
            sprites.append(sprite)
    sprites.sort(key=lambda s: -s.depth)
    for sprite in sprites:
        sprite.paste(picture)
    traffic = make_traffic(traffic_rng, street, knobs, float(camera.position[0]))
    noise = Noise(camera.size, light.noise)
    return FilmSet(
        knobs, street, camera, light, ground_light, picture, tuple(sprites), traffic, noise, shake,
        frame_rng,
    )  # fmt: skip
