"""IoU of moved run-length masks against pycocotools and cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError
from segtrack.tracker.bytetrack.mask_iou import Masks, mask_similarity, newest
from tests.base.test_rle import encoded

masks = arrays.arrays(bool, (2, 9, 13))


def one_pair(
    a: bytes | None, b: bytes | None, shift: tuple[int, int], with_box: bool = False
) -> float:
    pairs = np.array([0, 1]), np.array([0]), np.array([0.5], np.float32)
    tracks, detections = Masks.read([a], 9), Masks.read([b], 9)
    return float(mask_similarity(tracks, np.array([shift]), detections, pairs, with_box)[0])


def moved(mask: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """What stays inside the image."""
    out = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        if 0 <= y + dy < mask.shape[0] and 0 <= x + dx < mask.shape[1]:
            out[y + dy, x + dx] = True
    return out


@settings(max_examples=150, deadline=None)
@given(pair=masks, dx=st.integers(-14, 14), dy=st.integers(-10, 10))
def test_equals_pycocotools_on_the_moved_mask(pair: np.ndarray, dx: int, dy: int) -> None:
    got = one_pair(encoded(pair[0]), encoded(pair[1]), (dx, dy))
    if not pair.any((1, 2)).all():
        assert got == 0.5  # an empty mask is none: the boxes' IoU
        return
    a = coco_mask.encode(np.asfortranarray(moved(pair[0], dx, dy).astype(np.uint8)))
    b = coco_mask.encode(np.asfortranarray(pair[1].astype(np.uint8)))
    assert got == pytest.approx(coco_mask.iou([a], [b], [0])[0, 0], abs=1e-6)


def bar(x1: int, x2: int) -> bytes:
    mask = np.zeros((9, 13), bool)
    mask[2:6, x1:x2] = True
    return encoded(mask)


@pytest.mark.parametrize(
    ("a", "b", "shift", "with_box", "expected"),
    [
        (bar(0, 4), bar(0, 4), (0, 0), False, 1),
        (bar(0, 4), bar(2, 6), (0, 0), False, 8 / 24),
        (bar(0, 4), bar(2, 6), (2, 0), False, 1),
        (bar(0, 4), bar(2, 6), (2, 2), False, 8 / 24),
        (bar(0, 4), bar(2, 6), (2, 2), True, (8 / 24 + 0.5) / 2),
        (bar(9, 13), bar(11, 13), (2, 0), False, 1),  # its right half has left the image
        (bar(9, 13), bar(11, 13), (20, 0), False, 0),
        (None, bar(0, 4), (0, 0), False, 0.5),
        (bar(0, 4), None, (0, 0), True, 0.5),
        (None, None, (0, 0), True, 0.5),
    ],
)
def test_pairs(
    a: bytes | None, b: bytes | None, shift: tuple[int, int], with_box: bool, expected: float
) -> None:
    assert one_pair(a, b, shift, with_box) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(mask=arrays.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_intervals_of_any_mask(mask: np.ndarray) -> None:
    read = Masks.read([None, encoded(mask), None], len(mask))
    flat = np.zeros(mask.size, bool)
    for begin, end in zip(read.begin, read.end, strict=True):
        assert begin // len(mask) == (end - 1) // len(mask)
        assert not flat[begin:end].any()
        flat[begin:end] = True
    np.testing.assert_array_equal(flat.reshape(mask.shape[::-1]).T, mask)
    assert read.start.tolist() == [0, 0, len(read.begin), len(read.begin)]
    assert (read.height, read.width) == mask.shape


def test_the_newest_mask_of_each_track() -> None:
    tracks = Masks.read([bar(0, 1), bar(1, 2), None], 9)
    detections = Masks.read([bar(5, 6), None], 9)
    found = newest(tracks, detections, np.array([1, 0, 1, 2, -1]), np.array([-1, 0, 1, -1, 1]))
    expected = Masks.read([bar(1, 2), bar(5, 6), bar(1, 2), None, None], 9)
    for name in ("start", "begin", "end"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert (found.height, found.width) == (9, 13)


def test_masks_that_differ_in_size() -> None:
    with pytest.raises(DataError, match="masks of 36, 117 pixels in a video 9 pixels high"):
        Masks.read([bar(0, 4), encoded(np.ones((9, 4), bool))], 9)
