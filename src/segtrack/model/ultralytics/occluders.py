"""Training images in which objects hide each other: cut-outs pasted in front of labelled objects.

Copy-paste augmentation (Ghiasi et al. 2021), with the opposite aim to the library's own, which
looks for free places and keeps the labels that were there: here the new object hides a good part of
an old one, whose label keeps what is still seen. What is nearer stands lower in a street image, so
an object of another image is moved sideways only: at the height where it stood it has its own size,
and it goes in front of what stands higher and behind what stands lower.

Importing this module imports ultralytics.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segtrack.dataset import joined
from segtrack.model.ultralytics.library import YOLODataset

HIDDEN = (0.2, 0.7)
"""Share of its target that a cut-out hides at least, and that is hidden of a target in total at
most, of what was seen of it before anything was pasted."""

LEAST_SEEN, LARGE_SHARE = 0.25, 0.01
"""A label of which less than this share is left, after all that is pasted, is dropped, unless it
fills this share of the image: as the simulator and KITTI leave out what is too hidden to be
judged."""

LEAST_PART = 0.05
"""Separate pieces below this share of what is left of an object are not in its label."""

LEAST_HEIGHT = 8.0
"""Objects lower than this are neither hidden nor cut out, px of the training image."""

TRIES = 20
"""Donors that are tried for a target."""

Mask = NDArray[np.uint8]


class Part(NamedTuple):
    """A part of an image, px: the right and lower edges are exclusive."""

    left: int
    upper: int
    right: int
    lower: int

    def __and__(self, other: Part) -> Part:
        """What they share; of no or negative size where that is nothing."""
        left, upper = max(self.left, other.left), max(self.upper, other.upper)
        return Part(left, upper, min(self.right, other.right), min(self.lower, other.lower))

    @property
    def size(self) -> int:
        """Pixels, 0 where there are none."""
        return max(self.right - self.left, 0) * max(self.lower - self.upper, 0)

    def of(self, pixels: NDArray[Any], place: Part) -> NDArray[Any]:
        """This part of ``pixels``, which cover ``place``; not a copy."""
        rows = slice(self.upper - place.upper, self.lower - place.upper)
        return pixels[rows, self.left - place.left : self.right - place.left]


@dataclass(frozen=True)
class Scene:
    """An image with its labels.

    Attributes:
        image: uint8 (H, W, C).
        classes: float32 (N, 1), class ids.
        outlines: of each object, float32 (n, 2), px.
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.float32]
    outlines: list[NDArray[np.float32]]

    @cached_property
    def boxes(self) -> NDArray[np.float32]:
        """Left, upper, right and lower edge of each object; float32 (N, 4), px."""
        if not self.outlines:
            return np.zeros((0, 4), np.float32)
        points, counts = np.concatenate(self.outlines), [len(p) for p in self.outlines]
        starts = np.cumsum([0, *counts[:-1]])
        corners = [edge.reduceat(points, starts) for edge in (np.minimum, np.maximum)]
        return np.concatenate(corners, axis=1).astype(np.float32)

    @property
    def whole(self) -> Part:
        """All of the image."""
        height, width = self.image.shape[:2]
        return Part(0, 0, width, height)

    def part(self, index: int) -> Part:
        """Where an object lies, with one pixel around it where the image has them."""
        left, upper, right, lower = (int(edge) for edge in self.boxes[index])
        return self.whole & Part(left - 1, upper - 1, right + 2, lower + 2)

    def mask(self, index: int, part: Part | None = None) -> Mask:
        """One object, in the whole image or a part of it, as 1; uint8, as training fills it."""
        return _filled(self.outlines[index], part or self.whole)


class OccludingDataset(YOLODataset):  # type: ignore[misc]
    """Pastes before an image goes into a mosaic; not in the last epochs, which have none."""

    paste_occluders = 0.0

    def update_labels_info(self, label: dict[str, Any]) -> dict[str, Any]:
        """``label`` as the library reads it, and as it goes on with it."""
        if self.paste_occluders and len(label["segments"]):
            size = np.array(label["img"].shape[1::-1], np.float32)
            before = Scene(label["img"], label["cls"], [p * size for p in label["segments"]])
            after = paste_occluders(before, self.paste_occluders, self.any_scene)
            label |= {"img": after.image, "cls": after.classes}
            label["segments"] = [p / size for p in after.outlines]
            x0, y0, x1, y1 = (after.boxes / np.tile(size, 2)).T
            label["bboxes"] = np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], axis=1)
        return super().update_labels_info(label)  # type: ignore[no-any-return]

    def close_mosaic(self, hyp: Any) -> None:
        """As the library ends its own copy-paste with the mosaic."""
        self.paste_occluders = 0.0
        super().close_mosaic(hyp)

    def any_scene(self) -> Scene:
        """One to cut from: of all where they are kept in memory, else of recent ones, as mosaics
        are made."""
        recent = self.buffer if self.cache != "ram" else None
        index = random.choice(recent) if recent else random.randrange(len(self.labels))
        image = self.load_image(index)[0]
        size = np.array(image.shape[1::-1], np.float32)
        label = self.labels[index]
        return Scene(image, label["cls"], [p * size for p in label["segments"]])


@dataclass(frozen=True)
class _Object:
    """An object among what was pasted so far.

    Attributes:
        class_id: float32 (1,).
        outline: of its label, float32 (n, 2), px.
        place: where it lies. seen: uint8 (h, w) of it, the pixels that nothing pasted hides, as 1;
            crumbs too.
        area: px that were seen of it before anything was pasted; of a cut-out, of all of it.
        foot: its lower edge at that time, px.
    """

    class_id: NDArray[np.float32]
    outline: NDArray[np.float32]
    place: Part
    seen: Mask
    area: float
    foot: float

    def labelled(self) -> int:
        """How many px of it are both seen and in its label."""
        return cv2.countNonZero(self.seen & _filled(self.outline, self.place))

    def behind(self, solid: Mask, part: Part, pixels: int) -> _Object | None:
        """What ``solid`` leaves of it, or None where that is no label in an image of ``pixels``."""
        shared = self.place & part
        if not shared.size:
            return self
        hidden = shared.of(solid, part)
        if not cv2.countNonZero(hidden & shared.of(self.seen, self.place)):
            return self
        seen = self.seen.copy()
        shared.of(seen, self.place)[hidden > 0] = 0
        if (outline := _outline_of(seen, self.place)) is None:
            return None
        rest = replace(self, outline=outline, seen=seen)
        enough = min(LEAST_SEEN * self.area, LARGE_SHARE * pixels)
        return rest if rest.labelled() >= enough else None


class _Layers(NamedTuple):
    """An image with its objects by number: those of its labels first, then what was pasted."""

    image: NDArray[np.uint8]
    objects: dict[int, _Object]


def paste_occluders(scene: Scene, share: float, donor: Callable[[], Scene]) -> Scene:
    """``scene`` with cut-outs in front of ``share`` of its objects; the image is copied first.

    However many cut-outs come to lie in front of one of these, no more than ``HIDDEN`` says is
    hidden of it in total. Random numbers come from ``random``, as the library's own.

    Args:
        donor: gives an image to cut from, at each call.
    """
    boxes = scene.boxes
    tall = boxes[:, 3] - boxes[:, 1] >= LEAST_HEIGHT
    targets = [i for i in range(len(boxes)) if random.random() < share and tall[i]]
    if not targets:
        return scene
    objects = {}
    for i, outline in enumerate(scene.outlines):
        seen = scene.mask(i, place := scene.part(i))
        area, foot = cv2.countNonZero(seen), float(boxes[i, 3])
        objects[i] = _Object(scene.classes[i], outline, place, seen, area, foot)
    layers = _Layers(scene.image.copy(), objects)
    for target in targets:
        whole = scene.outlines[target]
        for _ in range(TRIES):
            if pasted := _in_front_of(whole, target, targets, layers, donor()):
                layers = pasted
                break
    found = layers.objects.values()
    classes = np.stack([one.class_id for one in found])
    return Scene(layers.image, classes, [one.outline for one in found])


def _in_front_of(
    whole: NDArray[np.float32], target: int, targets: list[int], layers: _Layers, donor: Scene
) -> _Layers | None:
    """``layers`` with an object of ``donor`` before a target, or None where it does not fit.

    Args:
        whole: the target's outline before anything was pasted.
        targets: all of them, of which enough must stay.
    """
    image, objects = layers
    height, width = image.shape[:2]
    scale = height / donor.image.shape[0]
    x0, x1, y1 = whole[:, 0].min(), whole[:, 0].max(), whole[:, 1].max()
    boxes = donor.boxes * scale
    free = _free(boxes, donor.image.shape[1] * scale, height)
    fitting = np.flatnonzero(free & (boxes[:, 1] < y1) & (boxes[:, 3] > y1)).tolist()
    if not fitting:
        return None
    chosen = random.choice(fitting)
    left, upper, right, lower = boxes[chosen]
    aside = round(random.uniform(float(x0 - right), float(x1 - left)))
    part = Part(
        *(max(int(left) + aside - 1, 0), max(int(upper) - 1, 0)),
        *(min(int(right) + aside + 3, width), min(int(lower) + 3, height)),
    )
    needed = HIDDEN[0] * objects[target].area
    if (part & objects[target].place).size < needed:  # nor can its pixels, of which that is a bound
        return None
    rows, columns = slice(part.upper, part.lower), slice(part.left, part.right)
    move = np.array([[scale, 0, aside - part.left], [0, scale, -part.upper]], np.float32)
    size = part.right - part.left, part.lower - part.upper
    cut_out = donor.mask(chosen, place := donor.part(chosen))
    from_place = move.copy()
    from_place[:, 2] += scale * np.array(place[:2], np.float32)
    alpha = cv2.warpAffine(_alpha(cut_out), from_place, size)
    for nearer in objects.values():
        if nearer.foot > lower and (shared := nearer.place & part).size:
            shared.of(alpha, part)[shared.of(nearer.seen, nearer.place) > 0] = 0
    solid = np.asarray(alpha > 0, np.uint8)
    area = cv2.countNonZero(cut_out) * scale**2
    shared = part & objects[target].place
    before = shared.of(objects[target].seen, objects[target].place)
    if cv2.countNonZero(shared.of(solid, part) & before) < needed:
        return None
    if (outline := _outline_of(solid, part)) is None:
        return None
    new = _Object(donor.classes[chosen], outline, part, solid, area, float(lower))
    if new.labelled() < LEAST_SEEN * area:
        return None
    left_over = {}
    for n, one in objects.items():
        if rest := one.behind(solid, part, height * width):
            left_over[n] = rest
        enough = rest is one or (rest and rest.labelled() >= (1 - HIDDEN[1]) * one.area)
        if n in targets and not enough:
            return None
    image = image.copy()
    below = image[rows, columns].astype(np.float32)
    cut = cv2.warpAffine(donor.image, move, size).reshape(below.shape)
    image[rows, columns] = (below + alpha[..., None] * (cut - below)).round()
    return _Layers(image, left_over | {max(objects) + 1: new})


def _free(boxes: NDArray[np.float32], width: float, height: float) -> NDArray[np.bool_]:
    """Which objects are whole: high enough, off the border, and with nothing nearer before them."""
    x0, y0, x1, y1 = boxes.T
    inside = (x0 > 1) & (y0 > 1) & (x1 < width - 1) & (y1 < height - 1) & (y1 - y0 >= LEAST_HEIGHT)
    beside = (x0[:, None] >= x1) | (x0 >= x1[:, None]) | (y0[:, None] >= y1) | (y0 >= y1[:, None])
    return np.asarray(inside & (beside | (y1[:, None] >= y1)).all(axis=1))


def _outline_of(mask: Mask, place: Part) -> NDArray[np.float32] | None:
    """One outline, px of the image, around the parts that count of a mask that covers ``place``;
    filled, it gives their pixels back."""
    contours, _ = cv2.findContours(
        mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=place[:2]
    )
    least = LEAST_PART * cv2.countNonZero(mask)
    parts = [c[:, 0] for c in contours if len(c) >= 3 and cv2.contourArea(c) >= least]
    # Numbers of pixels are cut to whole ones when they are filled: not to fall below, add a bit.
    return (
        joined([p.astype(np.float64) + 0.25 for p in parts]).astype(np.float32) if parts else None
    )


def _alpha(mask: Mask) -> NDArray[np.float32]:
    """0..1, falling to 0 within the mask's own outermost pixel: no halo of what was behind."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (3, 3), 0)
    return np.asarray(np.clip(2 * soft - 1, 0, 1), np.float32)


def _filled(outline: NDArray[np.float32], part: Part) -> Mask:
    """Pixels inside of an outline as 1, uint8 (h, w) of the part, as training fills it."""
    mask = np.zeros((part.lower - part.upper, part.right - part.left), np.uint8)
    cv2.fillPoly(mask, [outline.astype(np.int32)], 1, offset=(-part.left, -part.upper))
    return mask
