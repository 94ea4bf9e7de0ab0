"""What the compiled loops paint is what is worked out by hand, or what OpenCV paints."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from trafficsim.background import fade_rows
from trafficsim.camera import look
from trafficsim.facades import halved
from trafficsim.houses import _inverse
from trafficsim.raster import nearest
from trafficsim.rectangles import fill_rectangles
from trafficsim.textures import as_texture, paint_wall

SIZE = (60, 80)
ONES, NO_VEIL = np.ones(3), np.zeros(4000, np.float32)
FLAT = np.array([[0.1, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.1]])
"""A wall 10 m away whose pixels are those of the image."""


def texture(*pixels: tuple[int, int, int, int], rows: int = 1) -> NDArray[np.uint32]:
    return as_texture(np.array(pixels, np.uint8).reshape(rows, -1, 4))


def rectangle(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float64]:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y1)])


def painted(outlines: list[NDArray[np.float64]], colours: list[int], **changes: Any) -> Any:
    """A black image with walls of one grey each."""
    image = np.zeros((*SIZE, 3), np.uint8)
    numbers = np.zeros(SIZE, np.int16)
    spans, edges = nearest(numbers, np.stack(outlines))
    args = {"to_wall": FLAT, "gain": ONES, "haze": ONES, "veil": NO_VEIL, **changes}
    for k, grey in enumerate(colours):
        own = args.get("texture", texture((grey, grey, grey, 0)))
        paint_wall(
            image, numbers, k + 1, spans[k], edges[k], args["to_wall"], own, args["gain"],
            args["haze"], args["veil"],
        )  # fmt: skip
    return image


def test_halved_by_hand() -> None:
    picture = texture((0, 10, 255, 7), (1, 20, 255, 8), (9, 9, 9, 9), rows=1)
    assert halved(picture, True).view(np.uint8).reshape(-1, 4).tolist() == [
        [0, 15, 255, 7],  # rounded down
        [9, 9, 9, 9],  # an odd one stays
    ]
    column = np.ascontiguousarray(picture.T)
    assert halved(column, False).view(np.uint8).reshape(-1, 4).tolist() == [
        [1, 15, 255, 8],  # rounded up, so that pictures become neither darker nor lighter
        [9, 9, 9, 9],
    ]


def test_rectangles_of_a_front_by_hand() -> None:
    """A later one lies over an earlier one; what shines does not wear; nothing is outside."""
    boxes = np.array([(-5, 9, -5, 9), (1, 0, 1, 1), (2, 3, 0, 0)])
    paints = texture((100, 200, 50, 0), (10, 20, 30, 0), (10, 250, 30, 255))
    wear = np.full((2, 4), 0.5, np.float32)
    wear[1, 3] = 9.0
    front = np.zeros((2, 4), np.uint32)
    fill_rectangles(front, boxes, paints[0], wear)
    worn, dark, shining = [50, 100, 25, 0], [5, 10, 15, 0], [10, 250, 30, 255]
    assert front.view(np.uint8).reshape(2, 4, 4).tolist() == [
        [worn, worn, shining, shining],
        [dark, dark, worn, [255, 255, 255, 0]],  # the second ends before it begins
    ]


def test_rows_fade_to_the_haze() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (257, 31, 3), dtype=np.uint8)
    haze, shares = np.array([200.0, 0.0, 255.0]), np.arange(257)
    expected = (image * (256.0 - shares[:, None, None]) + haze * shares[:, None, None]) / 256.0
    fade_rows(image, haze, shares)
    assert np.abs(image - expected).max() <= 0.51


def test_the_nearest_covers_the_others() -> None:
    """Also where only its smooth edge lies, and both ways round."""
    far, near = rectangle(10.0, 10.0, 50.0, 40.0), rectangle(30.5, 20.0, 70.0, 55.0)[::-1]
    image = painted([far, near], [100, 200])
    assert (image[10:41, 10:30] == 100).all() and (image[20:56, 31:71] == 200).all()
    assert (image[20:41, 30] == 150).all()  # half a pixel outside of the near one
    assert (image[41:56, 30] == 100).all()  # the same, over nothing
    image[10:41, 10:51] = image[20:56, 30:71] = 0
    assert not image.any()


def test_neighbours_leave_no_gap() -> None:
    """Walls that share a slanting edge cover every pixel along it."""
    left = np.array([(5.0, 5.0), (33.3, 5.0), (41.7, 50.0), (5.0, 50.0), (5.0, 50.0)])
    right = np.array([(33.3, 5.0), (70.0, 5.0), (70.0, 50.0), (41.7, 50.0), (41.7, 50.0)])
    assert (painted([left, right], [90, 90])[5:51, 5:71] == 90).all()


@pytest.mark.parametrize(
    ("corners", "count"),
    [
        (rectangle(-900.0, -900.0, -10.0, 900.0), 0),
        (rectangle(-900.0, 70.0, 900.0, 900.0), 0),
        (rectangle(-9e5, -9e5, 9e5, 9e5), SIZE[0] * SIZE[1]),
        (rectangle(4.0, 4.0, 4.0, 4.0), 1),
        (rectangle(4.0, 4.0, 4.0, 8.0), 5),
    ],
)
def test_edges_of_what_can_be_painted(corners: NDArray[np.float64], count: int) -> None:
    """Outside, all over the image, a point, a line."""
    assert np.count_nonzero(painted([corners], [50])[..., 0]) == count


def test_light_and_haze_by_hand() -> None:
    everywhere = rectangle(-5.0, -5.0, 90.0, 90.0)
    gain, haze = np.array([0.5, 2.0, 1.0]), np.array([200.0, 100.0, 0.0])
    lit = painted([everywhere], [0], texture=texture((100, 200, 50, 0)), gain=gain)
    assert (lit == (50, 255, 50)).all()  # cut off
    shining = painted([everywhere], [0], texture=texture((100, 200, 50, 255)), gain=gain)
    assert (shining == (100, 200, 50)).all()
    veil = np.zeros(4000, np.float32)
    veil[99:101] = 0.25  # 10 m away
    hazy = painted([everywhere], [100], haze=haze, veil=veil)
    assert (hazy == (125, 100, 75)).all()


def test_a_wall_is_seen_as_opencv_warps_it() -> None:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (5, 6, 4), dtype=np.uint8)
    picture = cv2.resize(coarse, (48, 40), interpolation=cv2.INTER_CUBIC)
    picture[..., 3] = 0
    seen = np.array([(8.0, 6.0), (70.0, 16.0), (66.0, 44.0), (12.0, 55.0)], np.float32)
    corners = np.array([(0, 0), (48, 0), (48, 40), (0, 40)], np.float32)
    homography = cv2.getPerspectiveTransform(corners - 0.5, seen)  # OpenCV's centres are whole
    expected = cv2.warpPerspective(
        picture[..., :3], homography, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE
    )
    to_wall = cv2.getPerspectiveTransform(seen, corners)
    around = np.concatenate([seen, seen[-1:]]).astype(np.float64)
    image = painted([around], [0], texture=as_texture(picture), to_wall=to_wall)
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillConvexPoly(inside, seen.astype(np.int32), 1)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
    away = np.abs(image.astype(int) - expected)[inside > 0]
    assert inside.sum() > 1500 and away.max() <= 8 and away.mean() < 1.0


def test_pixels_find_their_place_on_a_wall() -> None:
    camera = look((0.5, 4.0, -2.0), 0.3, -0.1, 600.0, (319.5, 179.5), (640, 360))
    wall = np.array([(8.0, 0.0, 30.0), (3.0, 0.0, 36.0), (3.0, 11.0, 36.0), (8.0, 11.0, 30.0)])
    to_wall, flat = _inverse(camera, wall[None])
    assert flat == [False]
    for across in (0.0, 0.4, 1.0):
        for down in (0.0, 0.7, 1.0):
            point = wall[3] + across * (wall[1] - wall[0]) - [0.0, 11.0 * down, 0.0]
            seen = camera.to_camera(point[None])
            x, y = camera.to_pixels(seen)[0]
            depth = seen[0, 2]
            expected = [across / depth, down / depth, 1.0 / depth]
            assert to_wall[0] @ [x, y, 1.0] == pytest.approx(expected, abs=1e-12)


def test_a_plane_through_the_eye_is_a_line() -> None:
    camera = look((0.0, 4.0, 0.0), 0.0, -0.1, 600.0, (319.5, 179.5), (640, 360))
    wall = np.array([(0.0, 0.0, 5.0), (0.0, 0.0, 9.0), (0.0, 8.0, 9.0), (0.0, 8.0, 5.0)])
    assert _inverse(camera, wall[None])[1] == [True]
