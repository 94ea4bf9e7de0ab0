"""The chosen images on one sheet: predictions in doubt are solid, sure ones dashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segtrack.dataset import ImageRow, read_pixels
from segtrack.model import FrameDetections, Predictions
from segtrack.report import caption, contact_sheet, overlay

MOST = 24  # images on the sheet, the most wanted ones
TILE_WIDTH, COLUMNS = 480, 4  # px
DOUBTFUL = (0.2, 0.8)  # scores of predictions that are drawn solid; those below are left out


def draw(
    rows: Sequence[dict[str, Any]],
    images: Mapping[int, ImageRow],
    predictions: Predictions | None,
    names: Sequence[str],
    folder: Path,
) -> None:
    """Draw the first of the chosen into ``folder``, as ``sheet.jpg``.

    Args:
        rows: of ``selection.parquet``. images: by id.
        predictions: of the pool; None draws none.
    """
    shown = rows[:MOST]
    found: dict[int, FrameDetections] = {}
    if predictions is not None:
        some = sorted((images[row["image_id"]] for row in shown), key=lambda one: one.image_id)
        pairs = predictions.by_image(some)
        found = {image.image_id: one for image, one in pairs if one is not None}
    tiles = [
        _tile(row, images[row["image_id"]], found.get(row["image_id"]), names) for row in shown
    ]
    sheet = contact_sheet(tiles, COLUMNS, TILE_WIDTH)
    coded = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    coded.tofile(folder / "sheet.jpg")


def _tile(
    row: dict[str, Any], image: ImageRow, found: FrameDetections | None, names: Sequence[str]
) -> np.ndarray:
    pixels = read_pixels(image.path)
    if pixels is None:  # it cannot be read any more
        pixels = np.full((image.height, image.width, 3), 128, np.uint8)
    scale = TILE_WIDTH / image.width
    if found is not None:
        found = found.take(found.score >= DOUBTFUL[0])
        size = [image.height, image.width]
        pixels = overlay(
            pixels,
            [None if rle is None else {"size": size, "counts": rle} for rle in found.rle],
            found.class_id.tolist(),
            [f"{names[c]} {s:.2f}" for c, s in zip(found.class_id, found.score, strict=True)],
            (found.score > DOUBTFUL[1]).tolist(),
        )
    small = cv2.resize(
        pixels, (TILE_WIDTH, max(1, round(image.height * scale))), interpolation=cv2.INTER_AREA
    )
    return caption(caption(small, row["reason"], 12), f"{row['rank']}. {row['file_name']}", 13)
