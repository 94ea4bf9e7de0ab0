"""What a format cannot hold: objects are changed until it can, and what is lost is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from segtrack.base import rle
from segtrack.convert.material import Material, Picture, Polygon, Thing
from segtrack.dataset import joined, outlines


@dataclass(frozen=True)
class Holds:
    """What a format has room for.

    Attributes:
        boxes: objects that are only boxes.
        outlines: polygons.
        parts: objects of several polygons.
        masks: every pixel of a mask, with its holes.
        overlaps: masks that share pixels.
        crowds: regions of many objects, told from single ones.
        splits: train, val, test and pool.
        scores, track_ids: of objects.
        visible: visible fractions.
        interpolated: marks of objects that nothing was detected of.
        ignored: marks of ground truth that is not to be judged.
    """

    boxes: bool = True
    outlines: bool = True
    parts: bool = True
    masks: bool = True
    overlaps: bool = True
    crowds: bool = False
    splits: bool = True
    scores: bool = False
    track_ids: bool = False
    visible: bool = False
    interpolated: bool = False
    ignored: bool = False


# Kinds of loss in the order in which they are said: of {n} objects, and why.
SAYS = {
    "crowds": "{n} regions of many objects are left out: {format} has none",
    "no_mask": "{n} objects that have no mask are left out: {format} has masks only",
    "empty": "{n} objects are left out, of which {format} can show no pixel",
    "only_boxes": "{n} masks and outlines are written as their boxes: {format} has boxes only",
    "holes": "{n} masks have holes, which are filled: {format} has outlines only",
    "parts": "{n} objects of several parts are joined by lines of no width: {format} has one "
    "outline for an object",
    "to_masks": "{n} objects of several outlines are written as masks: {format} has one outline "
    "for an object",
    "to_outlines": "{n} masks are written as the outlines of their pixels: {format} has no masks",
    "boxes": "{n} objects that are only boxes are written as rectangles: {format} has outlines",
    "overlaps": "{n} masks lose pixels that another object has: masks of {format} are disjoint",
    "scores": "{n} scores are left out: {format} has none",
    "track_ids": "{n} track ids are left out: {format} has none",
    "visible": "{n} visible fractions are left out: {format} has none",
    "interpolated": "{n} marks of interpolated objects are left out: {format} has none",
    "ignored": "{n} objects that are not to be judged are written as others are: {format} has no "
    "mark for them",
    "splits": "{n} images keep no split: {format} has none",
    "no_video": "{n} videos are not there: give --video FILE, or put each where the labels say",
    "no_picture": "{n} pictures are not there, and only their labels are written",
}


class Losses:
    """Counts what was lost or changed, by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, count: int = 1) -> None:
        """``count`` more of a kind, a key of ``SAYS``."""
        assert kind in SAYS, kind
        self.counts[kind] += count

    def lines(self, name: str) -> list[str]:
        """One line per kind, for the format ``name``."""
        return [
            text.format(n=self.counts[kind], format=name)
            for kind, text in SAYS.items()
            if self.counts[kind]
        ]


def fitted(material: Material, holds: Holds, losses: Losses) -> Material:
    """``material`` with objects that ``holds`` has room for.

    Each object then has exactly one of: an ``rle``, where masks are held; ``polygons``, several
    only where parts are held; or its box alone. Losses are counted as the pictures come by.
    """

    def change(picture: Picture) -> Picture:
        if picture.split and not holds.splits:
            losses.add("splits")
        things = [_fit(thing, picture, holds, losses) for thing in picture.things]
        kept = [thing for thing in things if thing is not None]
        if not holds.overlaps:
            kept = _apart(kept, picture, losses)
        return picture.having(tuple(kept))

    return material.mapped(change)


def _fit(thing: Thing, picture: Picture, holds: Holds, losses: Losses) -> Thing | None:
    if thing.crowd and not holds.crowds:
        losses.add("crowds")
        return None
    shape = _shape(thing, picture, holds, losses)
    if shape is None:
        return None
    polygons, counts = shape
    for kind, there in (
        ("scores", thing.score is not None),
        ("track_ids", thing.track_id is not None),
        ("visible", thing.visible is not None),
        ("interpolated", thing.interpolated),
        ("ignored", thing.ignored),
    ):
        if there and not getattr(holds, kind):
            losses.add(kind)
    if polygons is thing.polygons and counts == thing.rle:  # as nearly always
        return thing
    return replace(thing, polygons=polygons, rle=counts)


def _shape(
    thing: Thing, picture: Picture, holds: Holds, losses: Losses
) -> tuple[tuple[Polygon, ...], bytes] | None:
    """Polygons and RLE as the format has them, both empty for the box; None for nothing."""
    outlined, size = holds.outlines, (picture.height, picture.width)
    if not thing.rle and not thing.polygons:
        if holds.boxes:
            return (), b""
        if not outlined:
            losses.add("no_mask")
            return None
        losses.add("boxes")
        x, y, u, v = thing.bbox_xyxy
        return (np.array([[x, y], [u, y], [u, v], [x, v]]),), b""
    if not outlined and not holds.masks:
        losses.add("only_boxes")
        return (), b""
    if thing.rle and holds.masks:
        return (), thing.rle
    if not thing.rle and outlined and (holds.parts or len(thing.polygons) == 1):
        return thing.polygons, b""
    if not thing.rle and holds.masks:
        counts = rle_of(thing.polygons, *size)
        if not rle.pixels(counts):
            losses.add("empty")
            return None
        if outlined:
            losses.add("to_masks")
        return (), counts
    polygons = list(thing.polygons)
    if thing.rle:
        mask = {"size": list(size), "counts": thing.rle}
        polygons = outlines(mask)
        losses.add("holes" if _has_holes(polygons, thing.rle, size) else "to_outlines")
    if not polygons:
        losses.add("empty")
        return None
    if len(polygons) > 1 and not holds.parts:
        losses.add("parts")
        polygons = [joined(polygons)]
    return tuple(polygons), b""


def rle_of(polygons: tuple[Polygon, ...], height: int, width: int) -> bytes:
    """Compressed COCO RLE of what polygons cover together, as pycocotools draws them."""
    from pycocotools import mask

    flat = [polygon.reshape(-1).tolist() for polygon in polygons if len(polygon) > 2]
    if not flat:
        return rle.encode_runs(np.zeros(0, int), np.zeros(0, int), [0], height, width)[0]
    return bytes(mask.merge(mask.frPyObjects(flat, height, width))["counts"])


def _has_holes(polygons: list[Polygon], counts: bytes, size: tuple[int, int]) -> bool:
    filled = sum(abs(_doubled_area(polygon)) for polygon in polygons) / 2
    return round(filled) > rle.pixels(counts)


def _doubled_area(points: Polygon) -> float:
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _apart(things: list[Thing], picture: Picture, losses: Losses) -> list[Thing]:
    """Masks of one picture that share no pixel: it is the object's with the highest score."""
    scores = [-1.0 if thing.score is None else thing.score for thing in things]
    order = sorted(range(len(things)), key=lambda i: (-scores[i], i))
    masks: list[bytes | None] = [thing.rle for thing in things]
    kept = []
    left = rle.disjoint(masks, order, picture.height, picture.width)
    for thing, counts in zip(things, left, strict=True):
        if counts != thing.rle:
            losses.add("overlaps")
        if counts is None:
            losses.add("empty")
        else:
            kept.append(replace(thing, rle=counts))
    return kept
