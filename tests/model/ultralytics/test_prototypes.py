"""Mask decoding equals ultralytics'."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from segtrack.model.ultralytics import card_masks
from segtrack.model.ultralytics.card_masks import Masks, decode_batch
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
    found = decode_masks(protos.numpy(), coefficients.numpy(), boxes.numpy(), shape)
    assert expected[0].any()
    for counts, mask in zip(found, expected, strict=True):
        if counts is None:
            assert not mask.any()
        else:
            decoded = coco_mask.decode({"size": list(shape), "counts": counts})
            # Sums in another order: at most a pixel whose logit is zero within rounding.
            assert (decoded != mask).sum() <= 1


def test_boxes_without_a_pixel_have_no_mask():
    protos, coefficients = np.ones((32, 8, 8), np.float32), np.ones((3, 32), np.float32)
    boxes = np.array([[4.2, 4, 4.8, 9], [5, 5, 5, 5], [4.5, 4, 5.5, 6]], np.float32)
    found = decode_masks(protos, coefficients, boxes, (32, 32))
    assert found[:2] == [None, None]
    assert coco_mask.decode({"size": [32, 32], "counts": found[2]}).sum() == 2  # x 5, y 4 and 5


def test_no_detections():
    nothing = np.zeros((0, 32), np.float32), np.zeros((0, 4))
    assert decode_masks(np.ones((32, 8, 8), np.float32), *nothing, (32, 32)) == []


@pytest.mark.parametrize(
    ("prototypes", "shape"),
    [((40, 40), (160, 160)), ((24, 40), (90, 160)), ((24, 32), (31, 43)), ((12, 40), (23, 237))],
)
@pytest.mark.parametrize("most", [1 << 23, 2000])
def test_masks_of_a_batch_equal_those_of_each_image(prototypes, shape, most, monkeypatch):
    """Byte for byte; also where a card's memory holds a few masks at once only."""
    monkeypatch.setattr(card_masks, "MOST_PIXELS", most)
    generator = torch.Generator().manual_seed(3)
    height, width = shape
    odd = [
        *([0, 0, width, height], [5, 5, 5, 5], [width, height, width, height]),
        *([3, 0, width - 4, height], [3, 2, width - 4, height], [3, 0, width - 4, height - 1]),
        *([width - 0.5, 0, width, height], [0, height - 0.5, width, height]),
    ]
    images = []
    for count in (0, 12, 20):
        coarse = torch.randn(1, 8, 5, 5, generator=generator)
        protos = torch.nn.functional.interpolate(coarse, prototypes, mode="bicubic")[0]
        corners = torch.rand(count, 2, 2, generator=generator).sort(1).values
        boxes = (corners * torch.tensor([width, height])).reshape(count, 4).numpy()
        coefficients = torch.randn(count, 8, generator=generator)
        if count:
            boxes[: len(odd)] = odd
        images.append(Masks(protos, coefficients, boxes))
    found = decode_batch(images, shape)
    expected = [decode_masks(*image, shape) for image in images]
    assert found == expected
    assert sum(counts is not None for one in found for counts in one) > 15


def test_full_masks_of_a_batch():
    protos, coefficients = torch.ones(1, 8, 8), torch.tensor([[1.0], [-1.0], [0.0]])
    boxes = np.array([[0, 0, 32, 32]] * 3, np.float32)
    assert decode_batch([Masks(protos, coefficients, boxes)], (32, 32)) == [[b"0PP1", None, None]]
    assert decode_batch([], (32, 32)) == []
