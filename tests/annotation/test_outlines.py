"""Masks to rings: how much of a mask a ring keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.annotation.outlines import polygon_of
from trafficsim import SimulatorKnobs, render_still


def encoded(mask: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return found


def kept(rle: dict[str, Any], simplify_px: float = 0.5) -> float:
    polygon = polygon_of(rle, simplify_px)
    assert polygon is not None
    again = coco_mask.frPyObjects([polygon.reshape(-1).tolist()], *rle["size"])
    return float(coco_mask.iou(again, [rle], [0])[0, 0])


def test_simulated_masks_keep_their_shape() -> None:
    masks = [
        instance.rle
        for index in range(4)
        for instance in render_still(SimulatorKnobs(), 3, index).instances
    ]
    area = np.array([float(coco_mask.area(rle)) for rle in masks])
    iou = np.array([kept(rle) for rle in masks])
    large = area > 32 * 32
    assert len(masks) > 30 and large.sum() > 10
    assert iou.mean() >= 0.95
    assert iou[large].mean() >= 0.98
    assert iou[large].min() >= 0.98


def test_a_square_comes_back_exactly() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:15, 8:28] = True
    polygon = polygon_of(encoded(mask))
    assert polygon is not None
    assert sorted(polygon.tolist()) == [[8.25, 5.25], [8.25, 14.75], [27.75, 5.25], [27.75, 14.75]]
    assert kept(encoded(mask)) == 1.0


def test_holes_and_pieces_are_one_ring() -> None:
    mask = np.zeros((60, 80), bool)
    mask[5:40, 5:40] = True
    mask[15:25, 15:25] = False
    mask[10:30, 55:70] = True
    assert kept(encoded(mask)) > 0.99


@pytest.mark.parametrize("simplify_px", [0.0, 0.5, 2.0])
def test_the_stated_tolerance(simplify_px: float) -> None:
    y, x = np.mgrid[:100, :100]
    mask = (x - 50) ** 2 + (y - 48) ** 2 < 40**2
    polygon = polygon_of(encoded(mask), simplify_px)
    assert polygon is not None
    exact = polygon_of(encoded(mask), 0.0)
    assert exact is not None
    start, end = polygon, np.roll(polygon, -1, 0)
    along = end - start
    t = ((exact[:, None] - start) * along).sum(-1) / (along**2).sum(-1)
    nearest = start + np.clip(t, 0, 1)[..., None] * along
    far = np.linalg.norm(exact[:, None] - nearest, axis=-1).min(1).max()
    assert far <= simplify_px + 1e-9
    assert len(polygon) < len(exact) or simplify_px == 0


def test_very_small_things() -> None:
    mask = np.zeros((10, 12), bool)
    assert polygon_of(encoded(mask)) is None
    mask[4, 5] = True
    polygon = polygon_of(encoded(mask))
    assert polygon is not None and len(polygon) == 4
    line = np.zeros((10, 40), bool)
    line[5, 3:30] = True
    assert kept(encoded(line)) > 0.9
    assert kept(encoded(np.ones((10, 12), bool))) == 1.0
