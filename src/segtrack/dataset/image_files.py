"""One image file: what its bytes say of it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import warnings
from dataclasses import dataclass, replace
from typing import Any

from segtrack.base.errors import of_machine
from segtrack.dataset.pixels import (
    HEAD,
    TREE_SUFFIX,
    by_opencv,
    decode_pixels,
    is_heif,
    register_heif,
)
from segtrack.settings import MAX_PIXELS

_ORIENTATION = 274  # EXIF tag
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_WIDTH, _HEIGHT, _BITS = 256, 257, 258  # TIFF tags
_BYTES = 4  # of a file, for each pixel that it may have at most
MOST_PICTURES = 1000  # of one file, that are counted
_OPENCV_ALONE = b"P7\n"  # PAM, whose size is that of its pixels


@dataclass(frozen=True)
class ImageFile:
    """Facts of one image file.

    Attributes:
        sha256: hex digest of the bytes.
        width, height: px as displayed, after EXIF rotation; 0 where it cannot be read.
        mode: Pillow's mode; ``RGB;16`` and the like for more than 8 bits per channel.
        orientation: EXIF orientation, 1 = upright.
        intact: False for a JPEG without its end marker.
        decoded: whether all of it was decoded, or only its header read.
        error: why it cannot be read, empty where it can.
        suffix: under which ultralytics reads the file; empty where it has to be converted.
        pictures: how many the file holds, up to ``MOST_PICTURES``; the first is the one that
            counts.
        refused: the system did not give its bytes, which may pass.
    """

    sha256: str
    width: int
    height: int
    mode: str
    orientation: int
    intact: bool
    decoded: bool
    error: str
    suffix: str = ".jpg"
    pictures: int = 1
    refused: bool = False


def read_image_file(path: str, decode: bool, max_pixels: int | None = MAX_PIXELS) -> ImageFile:
    """Read one image file; what is wrong with it is in ``error``.

    Args:
        path: the file.
        decode: decode all pixels, strictly: a cut off file is an error.
        max_pixels: an image of more has its size from the header alone and is never decoded, since
            a file of kilobytes may hold gigabytes; None decodes all.

    Raises:
        OSError, MemoryError: the machine has no memory or no further file, whatever this one is.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 (hot loop)
            return _broken("", "is no file (a folder, a pipe, a device)")  # a pipe never ends
        with open(path, "rb") as file:  # noqa: PTH123 (hot loop)
            size = os.fstat(file.fileno()).st_size
            if max_pixels is not None and size > max(_BYTES * max_pixels, 1 << 20):
                return _broken("", f"has {size} bytes, more than an image of {max_pixels} pixels")
            data = file.read()
    except OSError as error:
        if of_machine(error):
            raise
        return replace(_broken("", error.strerror or str(error)), refused=True)
    sha = hashlib.sha256(data).hexdigest()
    if not data:
        return _broken(sha, "the file is empty (0 bytes)")
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # street panoramas are large, and the user named the folder
    if is_heif(data[:HEAD]) and not register_heif():
        return _broken(sha, "HEIC, which needs a package: pip install pi-heif")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF blocks of cameras
            with Image.open(io.BytesIO(data)) as image:
                width, height = _stored_size(image)
                small = max_pixels is None or width * height <= max_pixels
                decode = decode and small
                orientation = _orientation(image) if small else 1  # it decodes a PNG
                mode = _mode(image, data)
                suffix = TREE_SUFFIX.get(str(image.format), "")
                is_jpeg = suffix == ".jpg"
                pictures = 1 if is_jpeg else _pictures(image)
                if max_pixels is not None:
                    # What a file holds inside (icons, frames) may be larger than its header says;
                    # Pillow refuses twice of what it is told.
                    Image.MAX_IMAGE_PIXELS = max(1, max_pixels // 2)
                if decode:
                    image.load()
    # ultralytics, once imported, makes Pillow look for a HEIF reader first
    except (UnidentifiedImageError, ImportError):
        return _not_of_pillow(data, sha, decode)
    except Exception as error:  # Pillow's decoders raise nearly anything on bad bytes
        if of_machine(error):
            raise MemoryError(f"none is left to decode {path}") from error
        text = str(error).replace(" <_io.BytesIO object", "").split(" at 0x")[0]
        return _broken(sha, f"not readable as an image ({text or type(error).__name__})")
    if orientation in _TURNED:
        width, height = height, width
    if decode and not is_jpeg:
        problem = _problem(data, (width, height))
        if problem:
            return _broken(sha, problem)
        if suffix != ".avif" and by_opencv(data) is None:
            suffix = ""
    intact = not is_jpeg or data.endswith(b"\xff\xd9")
    return ImageFile(sha, width, height, mode, orientation, intact, decode, "", suffix, pictures)


def too_large(width: int, height: int, max_pixels: int | None) -> str:
    """What is said of an image of more than ``max_pixels``; empty where it is none."""
    if max_pixels is None or width * height <= max_pixels:
        return ""
    return f"has {width} x {height} pixels, more than the {max_pixels} that are allowed"


def _not_of_pillow(data: bytes, sha: str, decode: bool) -> ImageFile:
    """What OpenCV alone reads."""
    image = by_opencv(data) if data.startswith(_OPENCV_ALONE) else None
    if image is None:
        return _broken(sha, "not readable as an image (cannot identify image file)")
    height, width = image.shape[:2]
    return ImageFile(sha, width, height, "RGB", 1, True, decode, "", suffix="")


def _orientation(image: Any) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block does not make the image unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _stored_size(image: Any) -> tuple[int, int]:
    """Width and height before rotation; newer versions of Pillow turn a TIFF themselves."""
    if image.format == "TIFF":
        return int(image.tag_v2[_WIDTH]), int(image.tag_v2[_HEIGHT])
    width, height = image.size
    return width, height


def _pictures(image: Any) -> int:
    """How many pictures a file holds; Pillow counts those of a TIFF in quadratic time."""
    if image.format != "TIFF":
        return min(int(getattr(image, "n_frames", 1)), MOST_PICTURES)
    count = 1
    with contextlib.suppress(EOFError):
        while count < MOST_PICTURES:
            image.seek(count)
            count += 1
    image.seek(0)
    return count


def _mode(image: Any, data: bytes) -> str:
    """Pillow reads 16-bit colour as 8-bit RGB: the depth stands in the header."""
    mode = str(image.mode)
    bits: Any = 8
    if image.format == "PNG":
        bits = data[24]
    elif image.format == "TIFF":
        found = image.tag_v2.get(_BITS, (8,))
        bits = max(found) if isinstance(found, tuple) else found
    return mode if bits <= 8 or ";16" in mode else f"{mode};16"


def _problem(data: bytes, size: tuple[int, int]) -> str:
    """Why training does not see what Pillow's header says; else empty.

    JPEGs are left out: they are by far the most, and all use the same decoder.
    """
    image = decode_pixels(data)
    if image is None:
        return "neither OpenCV nor Pillow can decode it; save it as JPEG or PNG"
    height, width = image.shape[:2]
    if (width, height) != size:
        return (
            f"OpenCV reads it as {width} x {height} pixels, Pillow as {size[0]} x {size[1]}: its "
            "EXIF rotation is not clear; save it upright"
        )
    return ""


def _broken(sha256: str, error: str) -> ImageFile:
    return ImageFile(sha256, 0, 0, "", 1, True, True, error)
