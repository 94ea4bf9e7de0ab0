"""Our run lengths against pycocotools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from segtrack.base.rle import decode_box, encode_box, mask_box, run_lengths

masks = arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def encoded(mask: np.ndarray) -> bytes:
    return bytes(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"])


@settings(max_examples=150, deadline=None)
@given(mask=masks)
def test_runs_boxes_and_crops_of_any_mask(mask: np.ndarray) -> None:
    height, width = mask.shape
    runs = run_lengths(encoded(mask))
    assert runs.sum() == mask.size
    np.testing.assert_array_equal(decode_box(runs, height, (0, 0, width, height)), mask)
    x1, y1, x2, y2 = mask_box(runs, height)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not mask.any():
        assert (x1, y1, x2, y2) == (0, 0, 0, 0)
        return
    assert (x1, x2) == (columns[0], columns[-1] + 1)
    assert y1 <= rows[0]
    assert y2 >= rows[-1] + 1
    crop = decode_box(runs, height, (x1, y1, x2, y2))
    np.testing.assert_array_equal(crop, mask[y1:y2, x1:x2])
    assert encode_box(crop, height, width, (x1, y1)) == encoded(mask)


def test_a_large_mask() -> None:
    """Numbers of several digits and negative differences."""
    y, x = np.mgrid[:2160, :3840]
    mask = ((x - 3000) / 400) ** 2 + ((y - 1100) / 700) ** 2 < 1
    runs = run_lengths(encoded(mask))
    assert mask_box(runs, 2160) == (2601, 401, 3400, 1800)
    crop = decode_box(runs, 2160, (2601, 401, 3400, 1800))
    np.testing.assert_array_equal(crop, mask[401:1800, 2601:3400])
    assert encode_box(crop, 2160, 3840, (2601, 401)) == encoded(mask)


@pytest.mark.parametrize(
    ("counts", "runs"), [(b"", []), (b"9", [9]), (b"012", [0, 1, 2]), (b"0O1", [0, -1, 1])]
)
def test_runs_of_short_texts(counts: bytes, runs: list[int]) -> None:
    assert run_lengths(counts).tolist() == runs
