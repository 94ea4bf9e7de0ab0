"""Our run lengths against pycocotools, and what it would have crashed on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from segtrack.base.rle import (
    checked_run_lengths,
    compressed,
    decode_box,
    disjoint,
    encode_box,
    mask_box,
    pixels,
    run_lengths,
)
from segtrack.base.rle_kernels import cut_out

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


@pytest.mark.parametrize("fill", [0.0, 0.02, 0.5, 0.97, 1.0])
def test_the_compiled_cut_is_the_plain_one(fill: float) -> None:
    """Any shape, columns that run into one another and runs of length 0 as well."""
    rng = np.random.default_rng(int(100 * fill))
    for _ in range(60):
        height, width = rng.integers(1, 40, 2).tolist()
        mask = np.zeros((height, width), bool)
        y, x = int(rng.integers(height)), int(rng.integers(width))
        part = mask[y : y + int(rng.integers(1, 40)), x : x + int(rng.integers(1, 40))]
        part[:] = rng.random(part.shape) < fill
        counts = encoded(mask)
        runs = run_lengths(counts)
        box = mask_box(runs, height)
        columns, left, top = cut_out(np.frombuffer(counts, np.uint8), height)
        found = columns.T
        assert (left, top) == box[:2]
        assert np.array_equal(found, decode_box(runs, height, box)) or not box[2]
        assert bool(found.size) == bool(box[2])


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


def place(patch: object, top: int, left: int, shape: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(shape, np.uint8)
    patch = np.array(patch, np.uint8)
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
        ([[0, 0]], 1, 1, (4, 5)),  # nothing
    ],
)
def test_encode_equals_pycocotools(
    patch: list[list[int]], top: int, left: int, shape: tuple[int, int]
) -> None:
    found = encode_box(np.array(patch, np.uint8), *shape, (left, top))
    assert found == encoded(place(patch, top, left, shape))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_encode_equals_pycocotools_anywhere(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 900)), data.draw(st.integers(1, 40))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    blobs = rng.random((-(-h // 7), w)) > data.draw(st.sampled_from([0.1, 0.5, 0.9]))
    patch = np.repeat(blobs, 7, axis=0)[:h].astype(np.uint8)
    whole = place(patch, top, left, (height, width))
    assert encode_box(patch, height, width, (left, top)) == encoded(whole)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10_000))
def test_run_lengths_equal_counting_pixels(width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < 0.4
    flat = np.concatenate([[False], pixels.reshape(-1, order="F"), [not pixels[-1, -1]]])
    changes = np.flatnonzero(np.diff(flat.astype(int)))
    expected = np.diff(np.concatenate([[0], changes])).tolist()
    counts = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    lengths = checked_run_lengths(counts).tolist()
    assert lengths == run_lengths(counts.encode()).tolist()
    assert [n for n in lengths if n] == [n for n in expected if n]
    assert sum(lengths) == width * height
    size = {"size": [height, width]}
    assert compressed({**size, "counts": counts}, width, height) == counts.encode()
    again = compressed({**size, "counts": lengths}, width, height)
    assert np.array_equal(coco_mask.decode({**size, "counts": again}).astype(bool), pixels)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [4, 3], "counts": [12]}, r"size \[4, 3\], the image has \[3, 4\]"),
        ({"size": [3, 4], "counts": [5, 5]}, "covers 10 pixels, the image has 12"),
        ({"size": [3, 4], "counts": [20, -8]}, "not whole numbers"),
        ({"size": [3, 4], "counts": "zzzz"}, "character 'z'"),
        ({"size": [3, 4], "counts": "0P"}, "middle of a number"),
        ({"size": [3, 4], "counts": "9999"}, "covers 45 pixels"),
        ({"size": [3, 4], "counts": "O"}, "negative length"),
        ({"size": [3, 4], "counts": "P" * 7 + "0"}, "number of 8 digits"),
        ({"size": [3, 4], "counts": "0\ud8000"}, "character"),
        ({"size": [3, 4], "counts": ""}, "covers 0 pixels"),
        ({"size": [3, 4]}, "not a list or a string"),
    ],
)
def test_bad_rle(segmentation: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compressed(segmentation, 4, 3)


def test_each_pixel_is_of_the_first_mask_that_has_it() -> None:
    masks = np.zeros((4, 6, 8), bool)
    left, right, hidden, apart = masks
    left[1:5, 0:5] = True
    right[2:6, 3:8] = True
    hidden[2:4, 3:5] = True
    apart[0, 7] = True
    rle = [encoded(mask) for mask in masks]
    made = disjoint([*rle, None], [1, 3, 2, 0, 4], 6, 8)
    assert made == [encoded(left & ~right), rle[1], None, rle[3], None]


@settings(max_examples=80, deadline=None)
@given(
    masks=arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 12), st.integers(1, 12))),
    data=st.data(),
)
def test_disjoint_masks_share_no_pixel_and_lose_none(
    masks: np.ndarray, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(masks))))
    rle = [encoded(mask) for mask in masks]
    made = disjoint(rle, order, *masks.shape[1:])
    claimed = np.zeros(masks.shape[1:], bool)
    for i in order:
        own = masks[i] & ~claimed
        claimed |= masks[i]
        assert pixels(rle[i]) == masks[i].sum()
        if (own == masks[i]).all():
            assert made[i] == rle[i]
        else:
            assert made[i] == (encoded(own) if own.any() else None)
