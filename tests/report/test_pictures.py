"""Pictures: what is drawn where."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.report.pictures import FILL, PALETTE, caption, colour, contact_sheet, overlay

GREY = np.full((80, 100, 3), 100, np.uint8)
SQUARE = [[20, 30], [59, 30], [59, 59], [20, 59]]


def _rle(y: slice, x: slice) -> dict:
    mask = np.zeros((80, 100), np.uint8, order="F")
    mask[y, x] = 1
    return coco_mask.encode(mask)


def _drawn(picture: np.ndarray, class_id: int) -> np.ndarray:
    """Pixels (H, W) of a contour of the class; smoothing leaves them near its colour."""
    return np.abs(picture.astype(int) - colour(class_id)).max(axis=2) < 25


def test_palette_has_no_two_equal_colours_and_repeats():
    assert len(set(PALETTE)) == len(PALETTE) == 16
    assert colour(0) == (0x00, 0x9F, 0xE6) == colour(16)  # #E69F00 as BGR


@pytest.mark.parametrize(
    "segmentation",
    [
        [np.array(SQUARE, float)],
        [np.array(SQUARE).ravel().tolist()],  # COCO's flat list
        _rle(slice(30, 60), slice(20, 60)),
        {"size": [80, 100], "counts": [20 * 80 + 30, *[30, 50] * 39, 30, 80 * 40 + 20]},
    ],
    ids=["points", "flat", "rle", "uncompressed rle"],
)
def test_a_mask_is_filled_half_transparent_and_the_rest_untouched(segmentation):
    before = GREY.copy()
    picture = overlay(GREY, [segmentation], [4])
    assert (before == GREY).all()
    expected = np.round(100 * (1 - FILL) + np.array(colour(4)) * FILL)
    assert (picture[35:55, 25:55] == expected).all()
    assert _drawn(picture, 4)[30, 20:60].sum() >= 38  # contour
    outside = np.ones((80, 100), bool)
    outside[28:62, 18:62] = False
    assert (picture[outside] == 100).all()


def test_overlapping_polygons_of_one_object_do_not_cancel():
    picture = overlay(GREY, [[SQUARE, SQUARE]], [0])
    assert (picture[45, 40] != 100).any()


def test_the_smaller_of_two_masks_is_on_top():
    small, large = _rle(slice(40, 50), slice(30, 50)), _rle(slice(10, 70), slice(10, 90))
    one, other = overlay(GREY, [small, large], [0, 1]), overlay(GREY, [large, small], [1, 0])
    assert (one == other).all()
    assert _drawn(one, 0)[40, 32:48].all()


def test_dashed_leaves_gaps_and_fills_less():
    solid, dashed = (overlay(GREY, [[SQUARE]], [1], dashed=[d]) for d in (False, True))
    drawn = [_drawn(p, 1).sum() for p in (solid, dashed)]
    assert 0.3 * drawn[0] < drawn[1] < 0.8 * drawn[0]
    assert abs(int(dashed[45, 40, 0]) - 100) < abs(int(solid[45, 40, 0]) - 100)


def test_labels_are_drawn_at_the_mask_and_stay_in_the_picture():
    corner = _rle(slice(0, 6), slice(92, 100))
    plain, labelled = overlay(GREY, [corner], [2]), overlay(GREY, [corner], [2], ["Fußgänger"])
    changed = np.argwhere((plain != labelled).any(axis=2))
    assert len(changed) > 200
    assert changed[:, 0].max() < 30 and changed[:, 1].min() > 10


def test_nothing_to_draw():
    assert (overlay(GREY, [], [], []) == GREY).all()
    assert (overlay(GREY, [None, _rle(slice(0, 0), slice(0, 0))], [0, 1], ["a", "b"]) == GREY).all()


def test_contact_sheet_keeps_shapes_and_order():
    red, wide = np.zeros((50, 100, 3), np.uint8), np.zeros((50, 100, 3), np.uint8)
    red[:], wide[:] = (0, 0, 255), (255, 0, 0)
    tall = np.zeros((100, 50, 3), np.uint8)
    sheet = contact_sheet([red, wide, tall], columns=2, tile_width=160)
    assert sheet.shape == (2 * 80 + 3 * 2, 2 * 160 + 3 * 2, 3)
    assert (sheet[2:82, 2:162] == (0, 0, 255)).all()
    assert (sheet[2:82, 164:324] == (255, 0, 0)).all()
    black = np.argwhere((sheet == 0).all(axis=2))
    assert np.ptp(black, axis=0).tolist() == [79, 39]  # still twice as high as wide
    assert contact_sheet([], 3, 100).shape[2] == 3


def test_caption_adds_a_strip_and_shortens_what_does_not_fit():
    picture = caption(GREY, "a headline that is far too long for a hundred pixels", 12)
    strip = picture[: len(picture) - 80]
    assert picture.shape[1] == 100 and 12 < len(strip) < 30
    assert (picture[-80:] == 100).all()
    assert (strip[:, -4:] > 200).all()  # the text ends before the edge


@pytest.mark.parametrize("name", ["a\nb", "a\x01b", "x" * 300, "\udcff", "汽车🚗", " ", "\t"])
def test_no_name_ends_a_picture(name: str):
    labelled = overlay(GREY, [[np.array(SQUARE, float)]], [0], [name])
    assert labelled.shape == GREY.shape and (labelled != GREY).any()
    assert caption(GREY, name, 12).shape[1] == GREY.shape[1]
