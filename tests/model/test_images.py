"""Prediction sees the pixels that training sees, whatever the file."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from segtrack.dataset import read_pixels

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 30, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (20, 30, 3), np.uint16)
ALPHA = RNG.integers(0, 256, (20, 30, 4), np.uint8)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a ü.jpg", COLOUR),
        ("a.png", COLOUR),
        ("grey.png", COLOUR[..., 0]),
        ("deep.png", DEEP),
        ("alpha.png", ALPHA),
        ("a.bmp", COLOUR),
        ("a.webp", COLOUR),
        ("a.tif", COLOUR),
        ("grey.TIFF", COLOUR[..., 0]),
        ("deep.tiff", DEEP),
        ("deep grey.tiff", DEEP[..., 0]),
        ("alpha.tif", ALPHA),
    ],
)
def test_as_ultralytics_reads_it(name, pixels, tmp_path):
    from ultralytics.utils.patches import imread

    from segtrack.model.ultralytics import library  # noqa: F401  before ultralytics

    path = tmp_path / name
    ok, coded = cv2.imencode(path.suffix.lower(), pixels)
    assert ok
    path.write_bytes(coded.tobytes())
    found = read_pixels(path)
    assert found is not None and (found.shape, found.dtype) == ((20, 30, 3), np.uint8)
    np.testing.assert_array_equal(found, imread(path))


def test_turned_as_the_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "turned.jpg", exif=exif)
    found = read_pixels(tmp_path / "turned.jpg")
    assert found is not None and found.shape == (30, 20, 3)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 nothing", b"II*\x00 nothing"])
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_what_is_no_image(content, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    assert read_pixels(path) is None
    assert read_pixels(Path("/nowhere") / path.name) is None


def test_a_file_that_is_no_picture_asks_for_no_reader_of_another_kind(monkeypatch):
    from ultralytics.utils import checks

    from segtrack.model.ultralytics import library

    assert library.LOGGER
    asked = []
    monkeypatch.setattr(checks, "check_requirements", asked.append)
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"hello"))
    assert asked == []
