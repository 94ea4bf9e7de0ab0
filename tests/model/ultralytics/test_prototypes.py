"""Mask decoding equals ultralytics'."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from segtrack.model.ultralytics.prototypes import decode_masks


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
