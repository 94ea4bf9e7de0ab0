"""Run-length coding equals pycocotools'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from segtrack.model.masks import encode_patch


def place(patch: np.ndarray, top: int, left: int, shape: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(shape, np.uint8)
    whole[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return whole


@pytest.mark.parametrize(
    ("patch", "top", "left", "shape"),
    [
        ([[1]], 0, 0, (1, 1)),  # the whole image
        ([[1]], 0, 0, (4, 5)),  # first pixel: the counts begin with 0
        ([[1]], 3, 4, (4, 5)),  # last pixel: no run of zeros at the end
        ([[1], [1], [1], [1]], 0, 2, (4, 5)),  # one full column
        ([[1, 1], [1, 1], [1, 1], [1, 1]], 0, 1, (4, 5)),  # a run over two full columns
        ([[1, 1], [1, 1]], 2, 1, (4, 5)),  # touches the lower edge: two runs
        ([[0, 1, 0], [1, 0, 1]], 1, 1, (4, 5)),  # holes and single pixels
    ],
)
def test_encode_equals_pycocotools(patch, top, left, shape):
    patch = np.array(patch, np.uint8)
    expected = coco_mask.encode(np.asfortranarray(place(patch, top, left, shape)))["counts"]
    assert encode_patch(patch, top, left, shape) == expected


def test_empty_patch_has_no_runs():
    assert encode_patch(np.zeros((3, 4)), 1, 1, (10, 10)) is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_encode_equals_pycocotools_anywhere(data):
    height, width = data.draw(st.integers(1, 900)), data.draw(st.integers(1, 40))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    blobs = rng.random((-(-h // 7), w)) > data.draw(st.sampled_from([0.1, 0.5, 0.9]))
    patch = np.repeat(blobs, 7, axis=0)[:h].astype(np.uint8)
    expected = coco_mask.encode(np.asfortranarray(place(patch, top, left, (height, width))))
    if patch.any():
        assert encode_patch(patch, top, left, (height, width)) == expected["counts"]
    else:
        assert encode_patch(patch, top, left, (height, width)) is None
