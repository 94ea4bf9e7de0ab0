"""Outlines that lie over one another: cut to what is seen, which tells how much of each is visible.

People who draw outlines go from back to front: of two objects the farther one is drawn into the
nearer one, so that their border is drawn once, and the nearer one comes later in the file. So do
Cityscapes' polygons. As masks such outlines are wrong where objects hide each other: they hold
pixels of what is in front. Here every outline loses what later ones cover.

The visible fraction is what is left of the outline's area. That is an estimate and no measurement:
only what is labelled hides, nothing is known beyond the image's border, and an outline may end
before its object does. So it is at most too high. ``docs/inputs.md`` has how often it is right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError
from segtrack.base.progress import progress
from segtrack.dataset.box_masks import rectangles
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.geometry import outlines
from segtrack.dataset.labels import Annotation, Labels, Polygon, labels_of
from segtrack.dataset.workers import map_chunks

_CHUNK = 16  # images that a process cuts in one go


class Cut(NamedTuple):
    """What cutting the outlines of some images did.

    Attributes:
        objects: outlines that were looked at.
        cut: those that later ones cover in part.
        gone: those that later ones cover wholly; they are left out.
        overlaps: pairs of which the later one covers some of the earlier one.
        lower: those of which the later one also reaches further down.
    """

    objects: int = 0
    cut: int = 0
    gone: int = 0
    overlaps: int = 0
    lower: int = 0

    def plus(self, other: Cut) -> Cut:
        """The sums."""
        return Cut(*(a + b for a, b in zip(self, other, strict=True)))


def cut_layers(catalogue: Catalogue, checks: Checks, where: str, workers: int) -> None:
    """Cut the outlines of every image, in the order of its labels, the last one in front.

    Crowds and boxes without an outline stay as they are and cover nothing.

    Args:
        where: the data set, for what is said about it.

    Raises:
        DataError: the labels have visible fractions already.
    """
    condition = "labels IS NOT NULL AND width > 0"
    rows = catalogue.rows("image_id, width, height, relative, labels", condition)
    done = map_chunks(_cut_chunk, rows, workers, _CHUNK, alone_below=4 * _CHUNK)
    total = Cut()
    for image_id, labels, found in progress(done, "layers", catalogue.count(condition), "images"):
        if found is None:
            raise DataError(
                f"dataset.layered: the labels of {where} say already how much of each object is "
                "visible; leave dataset.layered=false"
            )
        total = total.plus(found)
        catalogue.set_labels(image_id, labels, relative=False)
    share = f"{100 * total.lower / total.overlaps:.0f}%" if total.overlaps else "none"
    message = (
        f"dataset.layered: {total.cut} of {total.objects} objects are cut where later ones cover "
        f"them, {total.gone} are covered wholly and left out; in {share} of {total.overlaps} "
        "overlaps the later one reaches further down"
    )
    hint = (
        "where later means nearer this is most of them, as the nearer one stands lower in the "
        "image; about half would mean that the order says nothing, so leave dataset.layered=false"
    )
    checks.warn("layers", where, message, hint)


def cut(labels: Labels, width: int, height: int) -> tuple[Labels, Cut]:
    """The labels of one image, in px, each without what later ones cover, and what was done."""
    front = np.full((height, width), -1, np.int32)  # which object is seen
    bottom = labels.bbox_xywh[:, 1] + labels.bbox_xywh[:, 3]
    asis = labels.crowd | rectangles(labels)
    kept: list[Annotation] = []
    found = Cut()
    for i, rings in reversed(list(enumerate(labels.polygons()))):
        x, y, w, h = labels.bbox_xywh[i].tolist()
        one = Annotation(
            *(int(labels.class_id[i]), rings, float(labels.area[i]), (x, y, w, h)),
            *(bool(labels.crowd[i]), float("nan"), labels.rle[i]),
        )
        if not asis[i]:
            mask = _mask(labels.rle[i], rings, width, height)
            seen = mask & (front < 0)
            hiding = np.unique(front[mask & ~seen])
            front[seen] = i
            if mask.any():
                one = replace(one, visible=float(seen.sum() / mask.sum()))
            if len(hiding):
                rle = coco_mask.encode(np.asfortranarray(seen, np.uint8))
                area, counts = float(seen.sum()), rle["counts"]
                one = replace(one, polygons=outlines(rle), area=area, bbox_xywh=None, rle=counts)
            cut_off, lower = len(hiding) > 0, int(np.sum(bottom[hiding] > bottom[i]))
            gone = not one.polygons
            found = found.plus(Cut(1, cut_off and not gone, gone, len(hiding), lower))
        if one.polygons:
            kept.append(one)
    return labels_of(kept[::-1]), found


def _cut_chunk(rows: list[Any]) -> list[tuple[int, bytes, Cut | None]]:
    done: list[tuple[int, bytes, Cut | None]] = []
    for image_id, width, height, relative, blob in rows:
        labels = Labels.unpack(blob)
        labels = labels.scaled(width, height) if relative else labels
        if not np.isnan(labels.visible).all():
            return [(image_id, blob, None)]
        labels, found = cut(labels, width, height)
        done.append((image_id, labels.pack(), found))
    return done


def _mask(rle: bytes, polygons: list[Polygon], width: int, height: int) -> NDArray[np.bool_]:
    """An object's pixels, bool (H, W), as the evaluation draws them."""
    shape = {"size": [height, width], "counts": rle}
    if not rle:
        rings = [ring.reshape(-1).tolist() for ring in polygons]
        shape = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))
    return np.asarray(coco_mask.decode(shape), bool)
