"""Films a stage: pictures and labels, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trafficsim.actors import Actor, PersonActor, VehicleActor, Wardrobe
from trafficsim.camera import Camera
from trafficsim.effects import GroundLayer, shadow_factor
from trafficsim.filmset import FilmSet, make_film_set
from trafficsim.frame import Frame, Instance, SimulatorKnobs
from trafficsim.labels import Silhouette, label
from trafficsim.order import back_to_front
from trafficsim.sprites import Sprite

Image = NDArray[np.uint8]
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
        self._wardrobe = Wardrobe(stage)
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
        actors = self._actors(camera)
        touched = self._shadows(image, camera, actors)
        drawn = self._paint(image, ids, camera, actors, touched, (dx - margin, dy - margin))
        stage.noise.apply(image, stage.rng)
        return Frame(image, tuple(self._labels(ids, drawn)))

    def _actors(self, camera: Camera) -> list[Actor]:
        traffic = self.stage.traffic
        actors: list[Actor] = []
        for vehicle in traffic.vehicles + traffic.parked:
            actors.append(VehicleActor(vehicle, self._wardrobe))
        for place in traffic.places():
            actors.append(PersonActor(place, self._wardrobe))
        return [actor for actor in actors if actor.in_sight(camera)][:_MOST_OBJECTS]

    def _shadows(self, image: Image, camera: Camera, actors: list[Actor]) -> list[Box]:
        light = self.stage.light
        layer = GroundLayer(camera.size, 2, 255)
        touched: list[Box | None] = []
        factor = shadow_factor(light)
        for actor in actors:
            strength = actor.sun * actor.fade * (1.0 - actor.haze)
            if factor < 0.93 and strength > 0.3:
                value = 255 * (1 - (1 - factor) * strength)
                touched += [layer.draw(camera, hull, value) for hull in actor.sun_shadows()]
        for actor in actors:
            value = 255 * (1 - 0.55 * actor.fade * (1.0 - actor.haze))
            touched.append(layer.draw(camera, actor.contact_shadow(), value))
        layer.multiply_into(image)
        if light.headlights:
            beams = GroundLayer(camera.size, 4, 0)
            power = 70.0 if light.kind == "night" else 28.0
            for actor in actors:
                for k, beam in enumerate(actor.beams()):
                    value = power * (0.55 + 0.45 * k) * (1.0 - actor.haze) * actor.fade
                    touched.append(beams.draw(camera, beam, value))
            beams.add_into(image, (0.62, 0.85, 1.0))
        return [box for box in touched if box is not None]

    def _paint(
        self, image: Image, ids: Image, camera: Camera, actors: list[Actor], touched: list[Box],
        offset: tuple[int, int],
    ) -> list[_Drawn]:  # fmt: skip
        things: list[Actor | Sprite] = [*actors, *self.stage.sprites]
        footprints = np.array([thing.footprint for thing in things], dtype=np.float64)
        depths = np.array([thing.depth for thing in things], dtype=np.float64)
        eye = (float(camera.position[0]), float(camera.position[2]))
        drawn: list[_Drawn] = []
        for i in back_to_front(footprints.reshape(-1, 4), eye, depths):
            thing = things[i]
            if isinstance(thing, Sprite):
                if _meets(thing.box, offset, touched):
                    thing.paste(image, ids, *offset)
                continue
            x0, y0, x1, y1 = thing.window
            view = image[y0:y1, x0:x1]
            before = view.copy() if thing.fade < 1.0 else None
            outlines = thing.paint(image, camera)
            if not outlines:
                continue
            silhouette = Silhouette(outlines)
            number = len(drawn) + 1
            silhouette.stamp(ids, number)
            if before is not None:
                cv2.addWeighted(view, thing.fade, before, 1.0 - thing.fade, 0.0, view)
            touched.append(silhouette.box)
            drawn.append(_Drawn(number, thing, silhouette))
        return drawn

    def _labels(self, ids: Image, drawn: list[_Drawn]) -> Iterator[Instance]:
        for one in drawn:
            if one.actor.fade < 0.5:
                continue
            track_id = self._track_ids.get(one.actor.key, len(self._track_ids) + 1)
            instance = label(ids, one.number, one.silhouette, track_id, one.actor.class_id)
            if instance is not None:
                self._track_ids[one.actor.key] = track_id
                yield instance


def _meets(box: Box, offset: tuple[int, int], boxes: list[Box]) -> bool:
    """Whether a moved box overlaps any of `boxes`."""
    x0, y0, x1, y1 = box[0] + offset[0], box[1] + offset[1], box[2] + offset[0], box[3] + offset[1]
    return any(x0 < b[2] and b[0] < x1 and y0 < b[3] and b[1] < y1 for b in boxes)
