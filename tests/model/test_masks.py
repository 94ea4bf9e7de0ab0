"""Mask decoding equals ultralytics', run-length coding equals pycocotools'."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from segtrack.model.masks import decode_masks, encode_patch


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


@pytest.mark.parametrize(
    ("prototypes", "shape"),
    [
        ((160, 160), (640, 640)),  # no border
        ((96, 160), (360, 640)),  # border of 3 prototype pixels in all, 1.5 above: enlarged first
        ((48, 160), (370, 1224)),  # KITTI
        ((160, 120), (1080, 810)),  # portrait
        ((120, 160), (240, 320)),  # the image is smaller than the input
        ((24, 160), (61, 977)),  # odd numbers
    ],
)
def test_decode_equals_ultralytics(prototypes, shape):
    from ultralytics.utils.ops import process_mask_native

    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(1, 32, 9, 9, generator=generator)
    protos = torch.nn.functional.interpolate(coarse, prototypes, mode="bicubic")[0]
    coefficients = torch.randn(12, 32, generator=generator)
    height, width = shape
    corners = torch.rand(12, 2, 2, generator=generator).sort(1).values
    boxes = (corners * torch.tensor([width, height])).reshape(12, 4)
    boxes[0] = torch.tensor([0, 0, width, height])
    expected = process_mask_native(protos, coefficients, boxes, shape).numpy()
    found = decode_masks(protos, coefficients, boxes.numpy(), shape)
    assert expected[0].any()
    for counts, mask in zip(found, expected, strict=True):
        if counts is None:
            assert not mask.any()
        else:
            decoded = coco_mask.decode({"size": list(shape), "counts": counts})
            # Sums in another order: at most a pixel whose logit is zero within rounding.
            assert (decoded != mask).sum() <= 1


def test_boxes_without_a_pixel_have_no_mask():
    protos, coefficients = torch.ones(32, 8, 8), torch.ones(3, 32)
    boxes = np.array([[4.2, 4, 4.8, 9], [5, 5, 5, 5], [4.5, 4, 5.5, 6]], np.float32)
    found = decode_masks(protos, coefficients, boxes, (32, 32))
    assert found[:2] == [None, None]
    assert coco_mask.decode({"size": [32, 32], "counts": found[2]}).sum() == 2  # x 5, y 4 and 5


def test_no_detections():
    assert decode_masks(torch.ones(32, 8, 8), torch.ones(0, 32), np.zeros((0, 4)), (32, 32)) == []
