"""Cut-outs and plants as the compiled loops paint them, by hand and against OpenCV."""

import cv2
import numpy as np
import pytest

from trafficsim import SimulatorKnobs
from trafficsim.actors import actors_in_sight
from trafficsim.filmset import make_film_set
from trafficsim.plants import discs
from trafficsim.render import _Film
from trafficsim.sprites import Sprite
from trafficsim.textures import as_picture, as_texture, paint_tree


def sprite(box: tuple[int, int, int, int], *pixels: tuple[int, int, int, int]) -> Sprite:
    picture = np.array(pixels, np.uint8).reshape(box[3] - box[1], box[2] - box[0], 4)
    return Sprite(box, picture, (0.0, 0.0, 0.0, 0.0), 1.0)


def test_laid_by_hand() -> None:
    image, ids = np.full((2, 5, 3), 100, np.uint8), np.full((2, 5), 7, np.uint8)
    row = ((9, 9, 9, 0), (10, 20, 250, 255), (100, 0, 50, 128), (0, 100, 127, 127))
    touched = np.ones((2, 5), np.bool_)
    sprite((3, 4, 7, 5), *row).cover(image, ids, touched, -2, -3)
    laid = [[100] * 3, [100] * 3, [10, 20, 250], [150, 50, 100], [50, 150, 177]]
    assert image[1].tolist() == laid  # 150 is 100 + 100 * (255 - 128) / 255
    assert ids[1].tolist() == [7, 7, 0, 0, 7]
    assert (image[0] == 100).all() and (ids[0] == 7).all()
    background = np.full((5, 7, 3), 100, np.uint8)
    sprite((2, 1, 6, 2), *row).paste(background)
    assert background[1, 1:6].tolist() == laid


def test_what_was_not_touched_stays() -> None:
    image, ids = np.zeros((1, 3, 3), np.uint8), np.full((1, 3), 7, np.uint8)
    white = sprite((0, 0, 3, 1), *[(255, 255, 255, 255)] * 3)
    white.cover(image, ids, np.array([[False, True, False]]), 0, 0)
    assert image[0, :, 0].tolist() == [0, 255, 0] and ids[0].tolist() == [7, 0, 7]


def test_what_lies_outside_is_left_out() -> None:
    image, ids = np.zeros((2, 3, 3), np.uint8), np.full((2, 3), 7, np.uint8)
    touched = np.ones((2, 3), np.bool_)
    white = sprite((0, 0, 2, 2), *[(255, 255, 255, 255)] * 4)
    for away in ((-2, 0), (3, 0), (0, -2), (0, 2), (-90, 90)):
        white.cover(image, ids, touched, *away)
    assert not image.any() and (ids == 7).all()
    white.cover(image, ids, touched, -1, 1)
    assert image[..., 0].tolist() == [[0, 0, 0], [255, 0, 0]]
    assert ids.tolist() == [[7, 7, 7], [0, 7, 7]]


def test_discs_by_hand() -> None:
    canvas = np.zeros((9, 9), np.uint32)
    middles, radii = np.array([(4.0, 4.0), (-3.0, 4.0)]), np.array([2.5, 2.0])
    discs(canvas, middles, radii, np.array([(300.0, 100.0, -5.0), (1.0, 1.0, 1.0)]))
    picture = as_picture(canvas)
    assert picture[4, 4].tolist() == picture[2, 5].tolist() == [255, 100, 0, 255]  # cut off
    assert picture[4, 1].tolist() == [128, 50, 0, 128]  # 3 px away: half
    assert not picture[4, 0].any() and not picture[1, 1].any()


def test_discs_are_those_of_opencv() -> None:
    rng = np.random.default_rng(3)
    places, radii = rng.uniform(-5.0, 65.0, (30, 2)), rng.uniform(2.0, 9.0, 30)
    colours = rng.uniform(0.0, 255.0, (30, 3))
    mine = np.zeros((60, 60), np.uint32)
    discs(mine, places, radii, colours)
    opencvs = np.zeros((60, 60, 4), np.uint8)
    for place, radius, colour in zip(places, radii, colours, strict=True):
        spot = (round(16 * place[0]), round(16 * place[1]))
        tone = (*colour.tolist(), 255)
        cv2.circle(opencvs, spot, round(16 * radius), tone, -1, cv2.LINE_AA, 4)
    away = np.abs(as_picture(mine).astype(int) - opencvs)
    assert away.mean() < 3.0 and (away > 40).mean() < 0.02


def test_a_tree_is_set_up_as_opencv_warps_it() -> None:
    rng = np.random.default_rng(4)
    tree = cv2.resize(rng.integers(0, 256, (5, 5, 4), dtype=np.uint8), (40, 40))
    tree[..., :3] = tree[..., :3] * (tree[..., 3:] / 255.0)  # colours multiplied by the cover
    tree[:, :6] = tree[:, -6:] = 0
    extents = np.tile([6, 33], (40, 1))
    to_tree = np.array([[-0.9, 0.2, 36.0], [0.0, 0.8, 3.0]])
    gain, haze = np.array([0.5, 1.0, 3.0]), np.array([200.0, 100.0, 50.0])
    picture = np.zeros((45, 44), np.uint32)
    paint_tree(picture, as_texture(tree), extents, to_tree, gain, haze, 0.25)
    found = as_picture(picture).astype(float)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(tree.astype(np.float32), to_tree, (44, 45), flags=flags)
    cover = seen[..., 3]
    own = seen[..., :3] / np.maximum(cover, 1.0)[..., None] * 255.0
    expected = np.minimum(own * gain, 255.0) * 0.75 + haze * 0.25
    expected *= cover[..., None] / 255.0
    whole = cover > 100.0
    assert np.abs(found[..., 3] - cover).max() < 16.0
    assert whole.sum() > 500 and np.abs(found[..., :3] - expected)[whole].mean() < 2.0
    assert not found[cover == 0.0, 3].any()


def test_of_a_tree_that_ends_above_nothing_is_below() -> None:
    tree = np.full((4, 4), 0xFFFFFFFF, np.uint32)
    picture = np.zeros((9, 9), np.uint32)
    extents = np.tile([0, 3], (4, 1))
    to_tree = np.array([[1.0, 0.0, -2.0], [0.0, 1.0, -2.0]])
    paint_tree(picture, tree, extents, to_tree, np.ones(3), np.zeros(3), 0.0)
    cover = as_picture(picture)[..., 3]
    assert (cover[2:6, 2:6] == 255).all()
    assert not cover[:2].any() and not cover[6:].any()
    extents[:] = (4, 0)  # nothing in any row
    picture[:] = 0
    paint_tree(picture, tree, extents, to_tree, np.ones(3), np.zeros(3), 0.0)
    assert not picture.any()


@pytest.mark.parametrize("away", [-30, -8, 12, 30])
def test_of_a_tree_beside_the_picture_nothing_is_seen(away: int) -> None:
    """Its crown may be in the picture where its trunk is not."""
    tree, picture = np.full((4, 4), 0xFFFFFFFF, np.uint32), np.zeros((9, 9), np.uint32)
    extents, to_tree = np.tile([0, 3], (4, 1)), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    extents[2:] += away
    paint_tree(picture, tree, extents, to_tree, np.ones(3), np.zeros(3), 0.0)
    assert picture[0, :4].all() and not picture[3].any()


@pytest.mark.parametrize("index", [54, 93])
def test_furniture_stays_as_it_is_where_nobody_passes(index: int) -> None:
    """What is laid over an actor again does not cover what stands in front of it."""
    film = _Film(make_film_set(SimulatorKnobs(occlusion=1.0), 21, index, moving=False))
    stage = film.stage
    image, ids = stage.picture.copy(), np.zeros(stage.picture.shape[:2], np.uint8)
    actors = actors_in_sight(stage, stage.camera, 250)
    touched = np.zeros(ids.shape, np.bool_)
    for x0, y0, x1, y1 in film._shadows(image, stage.camera, actors):
        touched[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    assert film._paint(image, ids, stage.camera, actors, touched, (0, 0))
    assert 0.1 < touched.mean() < 0.9
    assert np.array_equal(image[~touched], stage.picture[~touched])
