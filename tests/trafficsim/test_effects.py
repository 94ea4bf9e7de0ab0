"""Shadows on the ground, against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from trafficsim.camera import look
from trafficsim.effects import GroundLayer

SIZE = (64, 36)


def test_a_shadow_lies_where_the_camera_sees_it() -> None:
    camera = look((0.0, 2.0, 0.0), 0.0, -0.3, 60.0, (31.5, 17.5), SIZE)
    corners = np.array([(-1.0, 0.0, 5.0), (1.0, 0.0, 5.0), (1.0, 0.0, 9.0), (-1.0, 0.0, 9.0)])
    layer = GroundLayer(SIZE, 2, 255)
    (box,) = layer.draw(camera, [corners, corners - (0.0, 0.0, 30.0)], [100.0, 0.0])
    image = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    layer.multiply_into(image)
    seen = camera.to_pixels(camera.to_camera(corners))
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(seen).astype(np.int32), 1)
    inside = cv2.erode(mask, np.ones((7, 7), np.uint8)) > 0
    outside = cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0
    assert inside.any() and np.abs(image[inside].astype(int) - 200 * 100 / 255).max() <= 1
    assert (image[outside] == 200).all()
    y, x = np.nonzero(image[..., 0] < 200)
    assert box[0] <= x.min() and x.max() < box[2] and box[1] <= y.min() and y.max() < box[3]
    assert layer.draw(camera, [], []) == []
