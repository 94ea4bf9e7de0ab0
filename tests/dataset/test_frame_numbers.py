"""Which image a row is about."""

from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.dataset.frame_numbers import frames_of, image_numbers

GT = Path("gt.txt")
NAMES = [  # stems, the numbers that they say
    (["000001", "000002", "000003"], ()),
    (["1", "2", "3"], ()),
    (["000051", "000052"], (51, 52)),
    (["000000", "000001"], (0, 1)),
    (["000001", "000004", "000007"], (1, 4, 7)),
    (["frame_51", "frame_52"], (51, 52)),
    (["a", "b"], ()),
    (["a1", "b2"], ()),
    (["0051", "51"], ()),
    (["img-3_x", "img-4_x"], (3, 4)),
    (["000051_cam2", "000052_cam2"], (51, 52)),
    (["cam2_51", "cam2_52"], (51, 52)),
    (["51_jpg.rf.a1", "52_jpg.rf.b22"], (51, 52)),
    (["1_jpg.rf.a1", "2_jpg.rf.b22"], ()),
    (["1-7", "2-9"], (1, 2)[:0]),
    (["a1b", "a1c"], ()),
    (["x_1_5", "x_2_4"], ()),
]


@pytest.mark.parametrize(("stems", "numbers"), NAMES)
def test_numbers_of_images(stems: list[str], numbers: tuple[int, ...]) -> None:
    assert image_numbers([Path(f"{stem}.jpg") for stem in stems]) == numbers


def span(first: int, last: int, step: int = 1) -> tuple[int, ...]:
    return tuple(range(first, last + 1, step))


MATCHED = [  # rows, first number of the format, numbers of images, frames, frame of each row
    ([1, 2, 6], 1, (), 6, [0, 1, 5]),
    ([0, 5], 0, (), 6, [0, 5]),
    ([1, 999], 1, (), 0, [0, 998]),  # nobody knows how long it is
    ([51, 53, 56], 1, span(51, 56), 6, [0, 2, 5]),
    ([1, 3, 6], 1, span(51, 56), 6, [0, 2, 5]),  # rows count, images do not
    ([51, 52, 54, 57], 1, span(51, 57, 3), 3, [0, -1, 1, 2]),  # every third image was kept
    ([49, 51, 60], 1, span(51, 56), 6, [-1, 0, -1]),  # a clip with the whole ground truth
    ([1, 4, 7], 1, (1, 4, 7), 3, [0, 1, 2]),
    ([1, 2, 3], 1, span(0, 2), 3, [0, 1, 2]),  # images from 0, rows from 1, as MOT files do
    ([0, 1, 2], 1, span(0, 2), 3, [0, 1, 2]),  # both from 0
    ([0, 2], 0, span(0, 2), 3, [0, 2]),
    ([1, 2, 4], 1, (1, 2, 4), 3, [0, 1, 2]),  # an image is missing
    ([1, 2, 3, 4], 1, (1, 2, 4), 3, [0, 1, -1, 2]),
    ([], 1, span(51, 56), 6, []),
    ([2, 3, 6], 1, span(2, 7), 6, [0, 1, 4]),
]


@pytest.mark.parametrize(("rows", "first", "images", "count", "expected"), MATCHED)
def test_frames_of_rows(
    rows: list[int], first: int, images: tuple[int, ...], count: int, expected: list[int]
) -> None:
    frames = frames_of(np.array(rows, np.int64), first, images, count, GT)
    assert frames.frame.tolist() == expected
    usual = not images or (images[0] == 0 and min(rows, default=0) >= first)
    assert bool(frames.note) == (bool(rows) and not usual)
    if -1 in expected:
        assert f"{expected.count(-1)} rows of frames that have no image" in frames.note


REFUSED = [
    ([1, 7], 1, (), 6, "has frame 7, the sequence has frames 1 to 6"),
    ([0, 1], 1, (), 6, "has frame 0; frames count from 1"),
    ([6], 0, (), 6, "has frame 6, the sequence has frames 0 to 5"),
    ([101, 106], 1, span(51, 56), 6, "has frame 106, the sequence has images 51 to 56"),
    ([1, 2, 3], 1, (1, 4, 7), 3, "may count the images, 1 to 3, or mean the numbers"),
    ([4], 1, span(0, 2), 3, "has frame 4, the sequence has images 0 to 2"),
]


@pytest.mark.parametrize(("rows", "first", "images", "count", "says"), REFUSED)
def test_nothing_is_guessed(
    rows: list[int], first: int, images: tuple[int, ...], count: int, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        frames_of(np.array(rows, np.int64), first, images, count, GT)
