"""``contact_sheet.jpg``: images of the data set with their labels, to be looked at by a person."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from segtrack.dataset.canonical import Dataset
from segtrack.dataset.pixels import read_pixels

FILE = "contact_sheet.jpg"
TILES = 16
COLUMNS = 4
TILE_WIDTH = 480  # px


def write_contact_sheet(dataset: Dataset, path: Path) -> None:
    """Draw evenly spaced images of the first split that has any."""
    import cv2

    from segtrack.report import contact_sheet, overlay

    split = next((s for s in ("train", "val", "test", "pool") if dataset.counts[s]), None)
    if split is None:
        return
    step = max(1, dataset.counts[split] // TILES)
    rows = list(islice(dataset.iter_images(split), 0, step * TILES, step))
    labels = _labels_of(dataset, split, {row.image_id for row in rows})
    tiles = []
    for row in rows:
        image = read_pixels(row.path)
        if image is not None:
            found = labels[row.image_id]
            ids = [a["category_id"] for a in found]
            texts = [dataset.names[i] for i in ids]
            tiles.append(overlay(image, [a["segmentation"] for a in found], ids, texts))
    if tiles:
        sheet = contact_sheet(tiles, COLUMNS, TILE_WIDTH)
        _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
        path.write_bytes(data.tobytes())


def _labels_of(dataset: Dataset, split: str, ids: set[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {i: [] for i in ids}
    last = max(ids)
    for row in dataset.iter_annotations(split):
        if row["image_id"] > last:
            break
        if row["image_id"] in ids:
            found[row["image_id"]].append(row)
    return found
