"""COCO run lengths against pycocotools, and what it would have crashed on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask

from segtrack.dataset.rle import compressed, run_lengths


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10_000))
def test_run_lengths_equal_counting_pixels(width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < 0.4
    flat = np.concatenate([[False], pixels.reshape(-1, order="F"), [not pixels[-1, -1]]])
    changes = np.flatnonzero(np.diff(flat.astype(int)))
    expected = np.diff(np.concatenate([[0], changes])).tolist()
    counts = mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    lengths = run_lengths(counts)
    assert [n for n in lengths if n] == [n for n in expected if n]
    assert sum(lengths) == width * height
    size = {"size": [height, width]}
    assert compressed({**size, "counts": counts}, width, height) == counts.encode()
    again = compressed({**size, "counts": lengths}, width, height)
    assert np.array_equal(mask.decode({**size, "counts": again}).astype(bool), pixels)


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
        ({"size": [3, 4]}, "not a list or a string"),
    ],
)
def test_bad_rle(segmentation: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compressed(segmentation, 4, 3)
