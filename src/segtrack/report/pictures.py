"""Masks and labels on an image, images on one sheet: the pictures that people check data with.

Colours by ``class_id``: the seven colours of Okabe and Ito (2008, "Color Universal Design"), which
people with every common colour blindness tell apart, then the nine of Paul Tol's "muted" scheme
(2021); from 16 classes on they repeat, and the labels say which class it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segtrack.base.names import shown
from segtrack.report.labels import place_labels

PALETTE = (
    *("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
    *("#88CCEE", "#44AA99", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#117733"),
    *("#999933", "#332288"),
)
FILL = 0.38  # opacity of a mask
BACKGROUND = (245, 245, 245)  # BGR around and between the tiles of a sheet

Segmentation = Sequence[Any] | Mapping[str, Any] | None
"""Polygons as a list of (N, 2) arrays or of COCO's flat lists, pixels; or a COCO RLE dict with
``size`` and ``counts`` (compressed or not); or None for nothing to draw."""


def colour(class_id: int) -> tuple[int, int, int]:
    """The class' colour as BGR, 0..255."""
    value = PALETTE[class_id % len(PALETTE)]
    return int(value[5:7], 16), int(value[3:5], 16), int(value[1:3], 16)


def overlay(
    image_bgr: np.ndarray,
    segmentations: Sequence[Segmentation],
    class_ids: Sequence[int],
    labels: Sequence[str] | None = None,
    dashed: Sequence[bool] | None = None,
) -> np.ndarray:
    """Draw semi-transparent masks with thin contours and small labels on a copy of an image.

    Args:
        image_bgr: uint8 (H, W, 3).
        segmentations: one per instance, at the image's resolution.
        class_ids: one per instance; choose the colours.
        labels: one text per instance, empty for none; None for no labels at all.
        dashed: instances whose contour is dashed and whose fill is fainter, for example misses.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    canvas = np.ascontiguousarray(image_bgr).copy()
    height, width = canvas.shape[:2]
    patches = [_patch(segmentation, height, width) for segmentation in segmentations]
    faint = list(dashed) if dashed is not None else [False] * len(patches)
    # Small instances last, so that a large one does not bury them.
    order = sorted(range(len(patches)), key=lambda i: -int(patches[i].mask.sum()))
    for i in order:
        _fill(canvas, patches[i], colour(class_ids[i]), FILL / 2 if faint[i] else FILL)
    thickness = max(1, round(min(height, width) / 400))
    for i in order:
        _contour(canvas, patches[i], colour(class_ids[i]), thickness, faint[i])
    if labels is None:
        return canvas
    texts = [(shown(labels[i]), patches[i], colour(class_ids[i])) for i in order if labels[i]]
    return _write(canvas, [text for text in texts if text[1].mask.size])


def contact_sheet(images: list[np.ndarray], columns: int, tile_width: int) -> np.ndarray:
    """Several images on one sheet, row by row, each fitted into a tile of one common shape.

    Args:
        images: uint8 (H, W, 3) each, BGR; their sizes may differ. The tiles get their median shape.
        columns: tiles per row.
        tile_width: pixels.

    Returns:
        uint8 BGR; one blank tile where there are no images.
    """
    gap = max(2, tile_width // 80)
    shapes = [image.shape[0] / image.shape[1] for image in images] or [0.75]
    tile_height = max(1, round(tile_width * float(np.median(shapes))))
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    sheet = np.full(
        (rows * (tile_height + gap) + gap, columns * (tile_width + gap) + gap, 3),
        BACKGROUND,
        np.uint8,
    )
    for i, image in enumerate(images):
        scale = min(tile_width / image.shape[1], tile_height / image.shape[0])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        y = gap + (i // columns) * (tile_height + gap) + (tile_height - size[1]) // 2
        x = gap + (i % columns) * (tile_width + gap) + (tile_width - size[0]) // 2
        sheet[y : y + size[1], x : x + size[0]] = small
    return sheet


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height in pixels of ``text`` at a font size, height the same for every text."""
    letters = font(size)
    ascent, descent = letters.getmetrics()
    return round(letters.getlength(text)), ascent + descent


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """matplotlib's own DejaVu Sans: there on every machine, with letters beyond ASCII."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def caption(image_bgr: np.ndarray, text: str, size: int) -> np.ndarray:
    """The image with a strip above it that holds ``text``, which is shortened to fit the width."""
    width, text = image_bgr.shape[1], shown(text, 200)
    while len(text) > 1 and text_size(text, size)[0] > width - size:
        text = text[:-2].rstrip() + "…"
    strip = Image.new("RGB", (width, round(text_size("Ag", size)[1] * 1.5)), BACKGROUND)
    draw = ImageDraw.Draw(strip)
    draw.text((size // 2, strip.height // 2), text, (30, 30, 30), font(size), anchor="lm")
    return np.vstack([np.asarray(strip)[..., ::-1], image_bgr])


class _Patch(NamedTuple):
    """The part of a mask inside its bounding box: boolean (h, w), and its top left corner."""

    mask: np.ndarray
    x: int
    y: int


def _patch(segmentation: Segmentation, height: int, width: int) -> _Patch:
    mask = np.zeros((height, width), np.uint8)
    if isinstance(segmentation, Mapping):
        from pycocotools import mask as coco_mask

        rle = dict(segmentation)
        if isinstance(rle["counts"], list):
            rle = coco_mask.frPyObjects(rle, *rle["size"])
        mask = np.asarray(coco_mask.decode(rle))
    for polygon in segmentation if isinstance(segmentation, Sequence) else ():
        # One at a time: together they would cancel where they overlap.
        points = np.asarray(polygon, np.float64).reshape(-1, 2)
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    x, y, w, h = cv2.boundingRect(mask)
    return _Patch(mask[y : y + h, x : x + w].astype(bool), x, y)


def _fill(canvas: np.ndarray, patch: _Patch, bgr: tuple[int, int, int], opacity: float) -> None:
    height, width = patch.mask.shape
    region = canvas[patch.y : patch.y + height, patch.x : patch.x + width]
    area = region[patch.mask].astype(np.float32)
    region[patch.mask] = np.round(area * (1 - opacity) + np.array(bgr, np.float32) * opacity)


def _contour(
    canvas: np.ndarray, patch: _Patch, bgr: tuple[int, int, int], thickness: int, dashed: bool
) -> None:
    outlines, _ = cv2.findContours(
        patch.mask.astype(np.uint8),
        cv2.RETR_CCOMP,
        cv2.CHAIN_APPROX_NONE,
        offset=(patch.x, patch.y),
    )
    if not dashed:
        cv2.drawContours(canvas, outlines, -1, bgr, thickness, cv2.LINE_AA)
        return
    period = 10 * thickness
    for outline in outlines:
        points = outline.reshape(-1, 2)
        for start in range(0, len(points), period):
            dash = points[start : start + int(0.6 * period)]
            cv2.polylines(canvas, [dash], False, bgr, thickness, cv2.LINE_AA)


def _write(canvas: np.ndarray, texts: list[tuple[str, _Patch, tuple[int, int, int]]]) -> np.ndarray:
    """Labels at their masks, on top of the picture, where they hide each other least."""
    height, width = canvas.shape[:2]
    size = max(round(min(height, width) / 40), 11)

    def measure(text: str) -> tuple[int, int]:
        text_width, text_height = text_size(text, size)
        return text_width + size // 2, text_height + 1

    boxes = np.array(
        [(p.x, p.y, p.x + p.mask.shape[1], p.y + p.mask.shape[0]) for _, p, _ in texts]
    )
    picture = Image.fromarray(canvas[..., ::-1])
    draw = ImageDraw.Draw(picture)
    for label in place_labels(boxes, [(t, t) for t, _, _ in texts], measure, (width, height)):
        bgr = texts[label.row][2]
        ink = (20, 20, 20) if _luminance(bgr) > 110 else (255, 255, 255)
        right, bottom = label.x + label.width - 1, label.y + label.height - 1
        draw.rectangle((label.x, label.y, right, bottom), bgr[::-1])
        middle = label.x + size // 4, label.y + label.height // 2
        draw.text(middle, label.text, ink, font(size), anchor="lm")
    return np.ascontiguousarray(np.asarray(picture)[..., ::-1])


def _luminance(bgr: tuple[int, int, int]) -> float:
    return 0.114 * bgr[0] + 0.587 * bgr[1] + 0.299 * bgr[2]
