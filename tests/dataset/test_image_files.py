"""What one image file says of itself."""

import contextlib
import errno
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from segtrack.dataset.image_files import read_image_file
from segtrack.dataset.pixels import by_pillow
from tests.dataset.conftest import write_image


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("decode", [True, False])
def test_a_sound_jpeg(tmp_path: Path, decode: bool) -> None:
    path = write_image(tmp_path / "a.jpg", 0, 40, 30)
    facts = read_image_file(str(path), decode)
    assert (facts.width, facts.height, facts.mode, facts.orientation) == (40, 30, "RGB", 1)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts.intact, facts.decoded, facts.error) == (True, decode, "")


@pytest.mark.parametrize(
    ("mode", "form", "expected"),
    [
        ("L", "JPEG", "L"),
        ("RGBA", "PNG", "RGBA"),
        ("LA", "PNG", "LA"),
        ("I;16", "PNG", "I;16"),
        ("I;16", "TIFF", "I;16"),
        ("P", "PNG", "P"),
        ("CMYK", "JPEG", "CMYK"),
        ("RGB", "WEBP", "RGB"),
        ("RGB", "BMP", "RGB"),
    ],
)
def test_modes(tmp_path: Path, mode: str, form: str, expected: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(Image.new(mode, (20, 12)), form))
    facts = read_image_file(str(path), True)
    assert (facts.mode, facts.width, facts.height, facts.error) == (expected, 20, 12, "")


def test_16_bit_colour_is_told_from_8_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((12, 20, 3), np.uint16))[1].tobytes())
    assert read_image_file(str(path), True).mode == "RGB;16"


@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 30)), (3, (40, 30)), (6, (30, 40))])
def test_exif_rotation_is_that_of_opencv(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.new("RGB", (40, 30)), "JPEG", exif=exif))
    facts = read_image_file(str(path), False)
    assert (facts.width, facts.height, facts.orientation) == (*size, orientation)
    assert cv2.imread(str(path)).shape[1::-1] == size


def test_what_opencv_cannot_read_is_an_error(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "a.tiff"  # OpenCV turns it or not, or fails, depending on its version
    path.write_bytes(encoded(Image.new("RGB", (40, 30)), "TIFF", exif=exif))
    facts = read_image_file(str(path), True)
    image = None
    with contextlib.suppress(cv2.error):
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        assert "OpenCV, which reads images for training, cannot read it" in facts.error
    elif image.shape[1::-1] != (30, 40):
        assert "its EXIF rotation is not clear" in facts.error
    else:
        assert (facts.error, facts.width, facts.height) == ("", 30, 40)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"this is text", "not readable as an image (cannot identify image file"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "not readable as an image"),
    ],
)
@pytest.mark.parametrize("decode", [True, False])
def test_not_an_image(tmp_path: Path, data: bytes, message: str, decode: bool) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    facts = read_image_file(str(path), decode)
    assert message in facts.error
    assert "0x" not in facts.error


def test_a_cut_off_image_is_found_by_decoding_only(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.jpg", 0, 320, 240)
    path.write_bytes(path.read_bytes()[:2000])
    assert "truncated" in read_image_file(str(path), True).error
    header = read_image_file(str(path), False)
    assert (header.error, header.intact) == ("", False)


def test_a_missing_file(tmp_path: Path) -> None:
    facts = read_image_file(str(tmp_path / "no.jpg"), True)
    assert facts.error == "No such file or directory"
    assert facts.sha256 == ""


def test_the_message_is_the_same_once_ultralytics_has_changed_pillow(tmp_path: Path) -> None:
    from segtrack.model.ultralytics import library  # noqa: F401

    path = tmp_path / "a.jpg"
    path.write_bytes(b"this is text")
    error = read_image_file(str(path), True).error
    assert error == "not readable as an image (cannot identify image file)"


def test_a_machine_without_memory_says_nothing_of_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be left out of the data set, and of the next one by the cache."""
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 6)).save(path)

    def fails(error: Exception) -> Callable[..., Any]:
        def work(*_: Any, **__: Any) -> Any:
            raise error

        return work

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", fails(MemoryError()))
        with pytest.raises(MemoryError, match=r"none is left to decode .*a\.png"):
            read_image_file(str(path), decode=True)
        with pytest.raises(MemoryError):
            by_pillow(path.read_bytes())
    many = OSError(errno.EMFILE, "Too many open files", str(path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", fails(many))
        with pytest.raises(OSError, match="Too many open files"):
            read_image_file(str(path), decode=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", fails(PermissionError(errno.EACCES, "Permission denied")))
        assert read_image_file(str(path), decode=True).refused
    assert read_image_file(str(path), decode=True).error == ""
