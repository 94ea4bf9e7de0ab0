"""Masks of polygons."""

from __future__ import annotations

import numpy as np
import pytest

from segtrack.base.polygons import mask_iou

WIDE = np.array([[0.0, 0.0], [8.0, 0.0], [8.0, 4.0], [0.0, 4.0]])


@pytest.mark.parametrize(
    ("shift", "iou"),
    [(0.0, 1.0), (4.0, 16 / 48), (8.0, 0.0), (-4.0, 16 / 32)],  # the last one leaves the image
)
def test_two_rectangles(shift: float, iou: float) -> None:
    found = mask_iou([WIDE], [WIDE + np.array([shift, 0])], (20, 10))
    assert found.tolist() == [[pytest.approx(iou)]]


def test_none_at_all() -> None:
    assert mask_iou([], [WIDE], (20, 10)).shape == (0, 1)
    assert mask_iou([WIDE, WIDE], [], (20, 10)).shape == (2, 0)
