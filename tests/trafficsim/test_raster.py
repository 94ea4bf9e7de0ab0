"""Convex polygons as pixels, against a formula for every pixel and against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trafficsim.raster import fill, stamp

Array = NDArray[np.float64]
SIZE = (40, 60)


def cover_of(corners: Array) -> Array:
    """How much of each pixel of `SIZE` a polygon covers: what `fill` promises, in plain numpy."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    cover = np.min([x - x0, x1 - x, y - y0, y1 - y], axis=0) + 1.0
    middle = corners.mean(axis=0)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        normal = np.array([b[1] - a[1], a[0] - b[0]]) / np.hypot(*(b - a))
        if normal @ (middle - a) > 0:
            normal = -normal
        cover = np.minimum(cover, 1.0 - ((x - a[0]) * normal[0] + (y - a[1]) * normal[1]))
    return cover.clip(0.0, 1.0)


def painted(polygons: list[Array], colours: list[tuple[float, float, float]]) -> NDArray[np.uint8]:
    image = np.zeros((*SIZE, 3), np.uint8)
    counts = np.array([len(p) for p in polygons], np.int64)
    fill(image, np.concatenate(polygons), counts, np.array(colours, np.float64))
    return image


@pytest.mark.parametrize(
    ("corners", "row", "covered"),
    [
        ([(2, 1), (5, 1), (5, 3), (2, 3)], 2, [0, 0, 1, 1, 1, 1, 0, 0]),
        ([(2.5, 1), (5.25, 1), (5.25, 3), (2.5, 3)], 2, [0, 0, 0.5, 1, 1, 1, 0.25, 0]),
        ([(2, 1), (5, 1), (5, 2.5), (2, 2.5)], 3, [0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0]),
        ([(3, 2)], 2, [0, 0, 0, 1, 0, 0, 0, 0]),
        ([(3.5, 2), (3.5, 2)], 2, [0, 0, 0, 0.5, 0.5, 0, 0, 0]),
        ([(2, 2), (4, 2)], 2, [0, 0, 1, 1, 1, 0, 0, 0]),
        ([(2, 2), (4, 2)], 3, [0, 0, 0, 0, 0, 0, 0, 0]),
        ([(-9, -9), (2, -9), (2, 99), (-9, 99)], 2, [1, 1, 1, 0, 0, 0, 0, 0]),
    ],
)
def test_a_row_of_pixels(
    corners: list[tuple[float, float]], row: int, covered: list[float]
) -> None:
    image = painted([np.array(corners, np.float64)], [(200, 100, 400)])
    assert image[row, :8, 0].tolist() == [int(200 * c + 0.5) for c in covered]
    assert image[row, :8, 1].tolist() == [int(100 * c + 0.5) for c in covered]
    assert image[row, :8, 2].tolist() == [int(255 * c + 0.5) for c in covered]  # 400 is cut off


coordinates = st.tuples(st.floats(-80, 140), st.floats(-60, 100))


@settings(deadline=None)  # the first call compiles
@given(st.lists(coordinates, min_size=3, max_size=9))
def test_every_pixel_is_covered_as_promised(points: list[tuple[float, float]]) -> None:
    corners = np.array(points, np.float32)
    if len(set(points)) < 3:  # OpenCV finds no hull
        return
    hull = cv2.convexHull(corners)[:, 0].astype(np.float64)
    if cv2.contourArea(hull.astype(np.float32)) < 1.0:
        return
    expected = cover_of(hull)
    for corners in (hull, hull[::-1]):
        image = painted([np.ascontiguousarray(corners)], [(255, 255, 255)])
        assert np.abs(image[..., 0] / 255.0 - expected).max() < 0.01
    mask = np.zeros(SIZE, np.uint8)
    stamp(mask, hull, np.array([len(hull)]), np.array([7]))
    clear = np.abs(expected - 0.5) > 1e-3
    assert np.array_equal(mask[clear] == 7, expected[clear] > 0.5)


@settings(deadline=None)  # the first call compiles
@given(st.lists(coordinates, min_size=1, max_size=4), st.integers(0, 3))
def test_flat_and_repeated_corners_stay_near_their_line(
    points: list[tuple[float, float]], again: int
) -> None:
    start, end = np.array(points[0]), np.array(points[-1])
    shares = np.linspace(0.0, 1.0, len(points) + again)[:, None]
    corners = np.concatenate([start + (end - start) * shares, [end]])
    image = painted([corners], [(255, 255, 255)])
    y, x = np.nonzero(image[..., 0])
    along, length = end - start, float(np.hypot(*(end - start)))
    if length > 1e-6:
        off = np.abs((x - start[0]) * along[1] - (y - start[1]) * along[0]) / length
        assert (off <= 1.0 + 1e-6).all()
    assert (x >= corners[:, 0].min() - 1).all()
    assert (x <= corners[:, 0].max() + 1).all()


def test_it_paints_as_opencv_does() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 6))
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(3, 14)
        corners = ring + rng.uniform((20, 15), (40, 25))
        image = painted([corners], [(240, 240, 240)])
        other = np.zeros_like(image)
        fixed = np.rint(corners * 16).astype(np.int32)
        cv2.fillConvexPoly(other, fixed, (240, 240, 240), cv2.LINE_AA, 4)
        off = np.abs(image[..., 0].astype(int) - other[..., 0])
        assert off.max() < 140  # OpenCV's corners and edges have an alphabet of their own
        assert off.mean() < 2.0
        mask, whole = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
        stamp(mask, corners, np.array([len(corners)]), np.array([1]))
        cv2.fillConvexPoly(whole, fixed, 1, cv2.LINE_8, 4)
        ring_length = cv2.arcLength(corners.astype(np.float32), True)
        assert np.count_nonzero(mask != whole) < 0.35 * ring_length


def test_neighbours_leave_no_seam() -> None:
    middle, around = np.array([30.0, 20.0]), np.linspace(0, 2 * np.pi, 13)
    ring = middle + 15 * np.stack([np.cos(around), np.sin(around)], axis=1)
    faces = [np.array([middle, ring[i], ring[i + 1]]) for i in range(12)]
    image = painted(faces, [(200.0, 200.0, 200.0)] * 12)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = np.hypot(x - 30, y - 20) < 14
    assert (image[inside] == 200).all()


def test_later_ones_lie_on_top_and_none_is_no_work() -> None:
    square = np.array([(5, 5), (15, 5), (15, 15), (5, 15.0)])
    image = painted([square, square + 4], [(255, 0, 0), (0, 255, 0)])
    assert image[6, 6].tolist() == [255, 0, 0]
    assert image[12, 12].tolist() == [0, 255, 0]
    fill(image, np.empty((0, 2)), np.empty(0, np.int64), np.empty((0, 3)))
    outside = image.copy()
    fill(outside, square + 900, np.array([4]), np.full((1, 3), 9.0))
    fill(outside, square * -1e6, np.array([4]), np.full((1, 3), 9.0))
    assert np.array_equal(outside, image)


def test_a_canvas_knows_how_much_is_covered() -> None:
    canvas, square = (
        np.zeros((*SIZE, 4), np.uint8),
        np.array([(5, 5), (15, 5), (15, 15), (5, 15.0)]),
    )
    points = np.concatenate([square, square + np.array([0.0, 10.5])])
    fill(canvas, points, np.array([4, 4]), np.array([(100.0, 0.0, 0.0), (0.0, 80.0, 0.0)]))
    assert canvas[10, 10].tolist() == [100, 0, 0, 255]
    assert canvas[26, 10].tolist() == [0, 40, 0, 128]
    assert canvas[15, 10].tolist() == [50, 40, 0, 255]
    assert not canvas[27, 10].any()
