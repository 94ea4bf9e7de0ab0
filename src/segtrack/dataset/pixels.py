"""Pictures of every kind that OpenCV or Pillow decodes: which file is one, and its pixels, the same
wherever they are read.

What ultralytics reads by itself is read as it reads it, so that training and prediction see the
same. Everything else is read here and stored as PNG in the tree that it trains on.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import of_machine


def _suffixes(words: str) -> frozenset[str]:
    return frozenset(f".{word}" for word in words.split())


# Files that are taken for pictures by their names; the content decides on any other.
SUFFIXES = _suffixes(
    "jpg jpeg jpe jfif jif jfi pjpeg pjp mpo png apng bmp dib tif tiff webp avif heic heif hif jp2 "
    "j2k j2c jpc jpf jpx ppm pgm pbm pnm pam gif tga pcx sgi ras qoi psd dds ico dng"
)
# Never opened: text and data, which lie beside pictures; archives; and camera raw, whose TIFF holds
# no more than a thumbnail.
DATA = _suffixes(
    "txt json jsonl xml yaml yml csv tsv md html log cfg ini toml names data py ipynb cache npy "
    "npz mat pkl parquet db pt pth onnx"
)
OTHERS = DATA | _suffixes("zip tar gz 7z rar pdf svg cr2 cr3 nef nrw arw orf rw2 raf pef srw")
# By Pillow's name of a format: the suffix under which ultralytics reads it.
TREE_SUFFIX = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "JPEG2000": ".jp2",
}
HEAD = 32  # bytes that tell a format
_STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"\x00\x00\x00\x0cjP  \r\n",
    b"\xff\x4f\xff\x51",
    b"qoif",
)
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_NETPBM = re.compile(rb"P[1-6]\s+[#0-9]|P7\nWIDTH")


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with these bytes (``HEAD`` of them) is a picture."""
    return (
        head.startswith((*_STARTS, *_TIFF))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[6:10] == bytes(4) and head[15:18] == bytes(3))
        or _brand(head) in (*_AVIF, *_HEIF)
        or _NETPBM.match(head) is not None
    )


def is_heif(head: bytes) -> bool:
    """Whether it is HEIC, as telephones write it."""
    return _brand(head) in _HEIF


def read_pixels(path: Path | str) -> NDArray[np.uint8] | None:
    """BGR uint8 (H, W, 3) of the first picture in a file, turned as its EXIF data say, or None."""
    try:
        data = np.fromfile(path, np.uint8)  # a path of any characters, on any system
    except OSError as error:
        if of_machine(error):
            raise
        return None
    return decode_pixels(data.tobytes())


def decode_pixels(data: bytes) -> NDArray[np.uint8] | None:
    """As ``read_pixels``, of a file's bytes."""
    if _brand(data[:HEAD]) in (*_AVIF, *_HEIF):  # OpenCV, where it can, does not turn them
        return by_pillow(data)
    image = by_opencv(data)
    return by_pillow(data) if image is None else image


def by_opencv(data: bytes) -> NDArray[np.uint8] | None:
    """What OpenCV decodes; a TIFF of 16 bits or with alpha as ultralytics reads it."""
    import cv2

    if not data:
        return None
    array = np.frombuffer(data, np.uint8)
    try:
        if data.startswith(_TIFF):
            read, pages = cv2.imdecodemulti(array, cv2.IMREAD_UNCHANGED, range=(0, 1))
            if read and pages[0].ndim == 3:
                return _bytes(np.asarray(pages[0][..., :3]))
        image = cv2.imdecode(array, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def by_pillow(data: bytes) -> NDArray[np.uint8] | None:
    """What Pillow decodes, without alpha."""
    from PIL import Image, ImageOps

    if is_heif(data[:HEAD]):
        register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF blocks of cameras
            with Image.open(io.BytesIO(data)) as image:
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith("I"):
                    grey = _bytes(np.asarray(upright).astype(np.uint16))
                    return np.repeat(grey[..., None], 3, axis=2)
                return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[..., ::-1])
    except Exception as error:  # Pillow's decoders raise nearly anything on bad bytes
        if of_machine(error):
            raise
        return None


def register_heif() -> bool:
    """Let Pillow read HEIC where a package for it is installed."""
    for name in ("pi_heif", "pillow_heif"):
        try:
            __import__(name).register_heif_opener()
        except ImportError:
            continue
        return True
    return False


def _brand(head: bytes) -> bytes:
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _bytes(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16 bits per channel to 8, by the high byte."""
    deep = image.dtype == np.uint16
    return (image.astype(np.uint16) >> 8).astype(np.uint8) if deep else image.astype(np.uint8)
