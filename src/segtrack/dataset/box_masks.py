"""Masks for labels that are only boxes, by whatever makes a mask of a box."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask

from segtrack.base.progress import progress
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks, Finding
from segtrack.dataset.files import FileCache
from segtrack.dataset.geometry import outlines
from segtrack.dataset.labels import Annotation, Labels, labels_of
from segtrack.dataset.yolo_labels import BOX_ONLY

_SAME = 1e-6  # of a side, by which a rectangle's corners may differ from its box


@dataclass(frozen=True)
class Segmenting:
    """What makes masks of boxes.

    Attributes:
        masks: takes an image file, its width and height, and float (N, 4) boxes x1 y1 x2 y2 in px;
            gives N COCO RLE ``counts`` at the image's size, None where it finds nothing.
        stamp: changes where its masks do.
    """

    masks: Callable[[Path, int, int, NDArray[np.float64]], list[bytes | None]]
    stamp: str


def segment_boxes(
    catalogue: Catalogue, checks: Checks, segmenting: Segmenting, cache: Path, where: str
) -> None:
    """Replace rectangles among the labels by what is found inside of them.

    An object keeps its box. Where nothing is found it keeps its rectangle.

    Args:
        cache: folder that remembers the masks of an image with these boxes.
        where: the data set, for the finding that says how many.
    """
    made = kept = 0
    columns = "image_id, path, width, height, relative, sha256, labels"
    count = catalogue.count("labels IS NOT NULL AND width > 0")
    rows = catalogue.rows(columns, "labels IS NOT NULL AND width > 0")
    with FileCache(cache) as known:
        for image_id, path, width, height, relative, sha256, blob in progress(
            rows, "masks", count, "images"
        ):
            labels = Labels.unpack(blob)
            labels = labels.scaled(width, height) if relative else labels
            boxes = rectangles(labels)
            if not boxes.any():
                continue
            content = segmenting.stamp.encode() + sha256 + labels.raw()
            name = f"masks {hashlib.sha256(content).hexdigest()}"
            if (found := known.find({name: ""}).get(name)) is None:
                labels = _segmented(labels, boxes, Path(path), width, height, segmenting)
                known.keep(name, "", "", labels.pack())
            else:
                labels = Labels.unpack(found[1])
            left = int(rectangles(labels).sum())
            made, kept = made + int(boxes.sum()) - left, kept + left
            catalogue.set_labels(image_id, labels.pack(), relative=False)
    if made or kept:
        message = f"{made} objects that are only boxes got masks by dataset.box_masks"
        message += f"; {kept} keep their rectangle, since nothing was found in it" if kept else ""
        hint = "look at contact_sheet.jpg: these masks are as good as the model that made them"
        # In place of what says that boxes are rectangles.
        checks.replace(BOX_ONLY, Finding("warning", "box_masks", where, 0, message, hint))


def rectangles(labels: Labels) -> NDArray[np.bool_]:
    """Which of N annotations are only their box: one outline that is exactly it, bool (N,)."""
    found = np.zeros(len(labels), bool)
    for i, polygons in enumerate(labels.polygons()):
        if len(polygons) != 1 or len(polygons[0]) != 4 or labels.rle[i] or labels.crowd[i]:
            continue
        x, y, w, h = labels.bbox_xywh[i]
        corners = {(0, 0), (0, 1), (1, 0), (1, 1)}
        share = (polygons[0] - (x, y)) / (w, h) if w and h else polygons[0]
        near = np.round(share)
        same = np.abs(share - near).max() <= _SAME
        found[i] = same and {(int(a), int(b)) for a, b in near} == corners
    return found


def _segmented(
    labels: Labels,
    boxes: NDArray[np.bool_],
    path: Path,
    width: int,
    height: int,
    segmenting: Segmenting,
) -> Labels:
    corners = labels.bbox_xywh.copy()
    corners[:, 2:] += corners[:, :2]
    found = iter(segmenting.masks(path, width, height, corners[boxes]))
    masks = [next(found) if box else None for box in boxes]
    annotations = []
    for i, (polygons, counts) in enumerate(zip(labels.polygons(), masks, strict=True)):
        area, rle, box = float(labels.area[i]), labels.rle[i], labels.bbox_xywh[i].tolist()
        if counts is not None:
            whole = {"size": [height, width], "counts": counts}
            if outside := outlines(whole):
                polygons, area, rle = outside, float(mask.area(whole)), counts
        annotations.append(
            Annotation(
                int(labels.class_id[i]),
                polygons,
                area,
                (box[0], box[1], box[2], box[3]),
                bool(labels.crowd[i]),
                float(labels.visible[i]),
                rle,
            )
        )
    return labels_of(annotations)
