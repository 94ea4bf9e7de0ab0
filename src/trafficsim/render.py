"""Films a stage: pictures and labels, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.actors import Actor, actors_in_sight
from trafficsim.camera import Camera
from trafficsim.effects import GroundLayer, add_glow, shadow_factor
from trafficsim.filmset import FilmSet, make_film_set
from trafficsim.frame import Frame, Instance, SimulatorKnobs
from trafficsim.labels import Silhouette, label
from trafficsim.order import back_to_front
from trafficsim.raster import fill, stamp_whole
from trafficsim.sprites import Sprite

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

_MOST_OBJECTS = 250
"""Objects in one frame; their numbers are bytes."""


def render_still(knobs: SimulatorKnobs, seed: int, index: int) -> Frame:
    """Image `index` of `seed`: a scene of its own.

    Equal arguments give equal bytes. `knobs.fps` and `knobs.shake` have no effect.
    """
    return _Film(make_film_set(knobs, seed, index, moving=False)).take()


def render_video(knobs: SimulatorKnobs, seed: int, index: int, frames: int) -> Iterator[Frame]:
    """Video `index` of `seed`: one scene in `frames` frames at `knobs.fps`.

    An object keeps its `track_id` as long as it is in the scene, also while it is hidden.
    """
    film = _Film(make_film_set(knobs, seed, index, moving=True))
    for _ in range(frames):
        yield film.take()
        film.stage.traffic.advance(1.0 / knobs.fps)


@dataclass(frozen=True)
class _Drawn:
    number: int
    actor: Actor
    silhouette: Silhouette


class _Film:
    """Takes frames of a stage and remembers the track ids."""

    def __init__(self, stage: FilmSet) -> None:
        self.stage = stage
        self._track_ids: dict[int, int] = {}
        self._started = stage.traffic.time

    def take(self) -> Frame:
        stage = self.stage
        width, height = stage.camera.size
        margin = stage.shake.margin
        dx, dy = stage.shake.at(stage.traffic.time - self._started)
        camera = stage.camera.shifted(dx, dy)
        top, left = margin - dy, margin - dx
        image = stage.picture[top : top + height, left : left + width].copy()
        ids: Image = np.zeros((height, width), np.uint8)
        actors = actors_in_sight(stage, camera, _MOST_OBJECTS)
        touched = np.zeros((height, width), np.bool_)
        for box in self._shadows(image, camera, actors):
            _touch(touched, box)
        drawn = self._paint(image, ids, camera, actors, touched, (dx - margin, dy - margin))
        stage.noise.apply(image, stage.rng)
        return Frame(image, tuple(self._labels(ids, drawn)))

    def _shadows(self, image: Image, camera: Camera, actors: list[Actor]) -> list[Box]:
        light = self.stage.light
        factor = shadow_factor(light)
        x, _, z = (light.sun_direction / max(float(light.sun_direction[1]), 0.1)).tolist()
        things: list[Array] = []
        values: list[float] = []
        for actor in actors:
            strength = actor.sight.shares[0] * actor.sight.clear
            if factor < 0.93 and strength > 0.3:
                things.append(actor.casts())
                values.append(255 * (1 - (1 - factor) * strength))
        for actor in actors:
            things.append(actor.contact_shadow())
            values.append(255 * (1 - 0.55 * actor.sight.clear))
        layer = GroundLayer(camera.size, 2, 255)
        touched = layer.draw(camera, things, values, (-x, 0.0, -z))
        layer.multiply_into(image)
        if light.headlights:
            beams = [(actor, k, beam) for actor in actors for k, beam in enumerate(actor.beams())]
            power = 70.0 if light.kind == "night" else 28.0
            values = [power * (0.55 + 0.45 * k) * actor.sight.clear for actor, k, _ in beams]
            layer = GroundLayer(camera.size, 4, 0)
            touched += layer.draw(camera, [beam for _, _, beam in beams], values)
            layer.add_into(image, (0.62, 0.85, 1.0))
        return touched

    def _paint(
        self, image: Image, ids: Image, camera: Camera, actors: list[Actor], touched: Mask,
        offset: tuple[int, int],
    ) -> list[_Drawn]:  # fmt: skip
        """Paints actors from the farthest on, and furniture where it stands in front of them.

        The image has all furniture already, so that it is `touched` pixels alone that need it.
        """
        things: list[Actor | Sprite] = [*actors, *self.stage.sprites]
        footprints = np.array([thing.footprint for thing in things], dtype=np.float64)
        depths = np.array([thing.depth for thing in things], dtype=np.float64)
        eye = (float(camera.position[0]), float(camera.position[2]))
        drawn: list[_Drawn] = []
        for i in back_to_front(footprints.reshape(-1, 4), eye, depths):
            thing = things[i]
            if isinstance(thing, Sprite):
                thing.cover(image, ids, touched, *offset)
                continue
            points, counts, colours, outline, corners = thing.seen(camera)
            if not len(outline):
                continue
            x0, y0, x1, y1 = thing.sight.window
            view, fade = image[y0:y1, x0:x1], thing.sight.fade
            before = view.copy() if fade < 1.0 else None
            fill(image, points, counts, colours)
            for glow in thing.glows(camera):
                _touch(touched, add_glow(image, *glow))
            number = len(drawn) + 1
            area, *box = stamp_whole(ids, outline, corners, number)
            if before is not None:
                cv2.addWeighted(view, fade, before, 1.0 - fade, 0.0, view)
            silhouette = Silhouette(area, (box[0], box[1], box[2], box[3]))
            _touch(touched, silhouette.box)
            drawn.append(_Drawn(number, thing, silhouette))
        return drawn

    def _labels(self, ids: Image, drawn: list[_Drawn]) -> Iterator[Instance]:
        for one in drawn:
            if one.actor.sight.fade < 0.5:
                continue
            track_id = self._track_ids.get(one.actor.key, len(self._track_ids) + 1)
            instance = label(ids, one.number, one.silhouette, track_id, one.actor.class_id)
            if instance is not None:
                self._track_ids[one.actor.key] = track_id
                yield instance


def _touch(touched: Mask, box: Box) -> None:
    x0, y0, x1, y1 = (max(edge, 0) for edge in box)
    touched[y0:y1, x0:x1] = True
