"""Folders of frames as a stream of images."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.dataset.sequences import VideoSequence

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
READ_AHEAD = 8  # images that are decoded before they are asked for


def frame_files(folder: Path) -> list[Path]:
    """The images of ``folder`` in natural order: 2.jpg before 10.jpg.

    Raises:
        DataError: there are none.
    """
    files = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
    if not files:
        raise DataError(
            f"{folder}: no image in this folder (looked for {', '.join(IMAGE_SUFFIXES)}). "
            "Give a video file or a folder of frames"
        )
    return sorted(files, key=lambda file: (_natural(file.name), file.name))


def probe_folder(folder: Path, name: str, fps: float) -> VideoSequence:
    """What a folder of frames holds; decodes the first only.

    Args:
        name: of the sequence.
        fps: frames per second, which a folder does not say.
    """
    files = frame_files(folder)
    height, width = _read_image(files[0], 0).shape[:2]
    digest = hashlib.sha256()
    for file in files:
        digest.update(bytes.fromhex(file_digest(file)))
    return VideoSequence(name, folder, digest.hexdigest(), width, height, fps, len(files))


def read_folder(folder: Path) -> Iterator[np.ndarray]:
    """The frames, BGR uint8 (H, W, 3).

    Raises:
        DataError: at once where there are none; later where one cannot be read or has another size.
    """
    return _read(folder, frame_files(folder))


def _read(folder: Path, files: list[Path]) -> Iterator[np.ndarray]:
    shape: tuple[int, ...] | None = None
    for number, (file, image) in enumerate(zip(files, _read_ahead(files), strict=True)):
        shape = shape or image.shape
        if image.shape != shape:
            raise DataError(
                f"{file}: frame {number} is {image.shape[1]}x{image.shape[0]} pixels, but "
                f"{files[0].name} is {shape[1]}x{shape[0]}; the frames of {folder} need one size"
            )
        yield image


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", name.lower())
    return [(0, int(p), "") if p.isdecimal() and p.isascii() else (1, 0, p) for p in parts if p]


def _read_ahead(files: list[Path]) -> Iterator[np.ndarray]:
    """Decode the next few images while the consumer works on one, as FFmpeg does in a video."""
    pool = ThreadPoolExecutor(1, "frames")
    jobs = ((file, number) for number, file in enumerate(files))
    ahead: deque[Future[np.ndarray]] = deque()
    try:
        while True:
            for file, number in islice(jobs, READ_AHEAD - len(ahead)):
                ahead.append(pool.submit(_read_image, file, number))
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read_image(file: Path, number: int) -> np.ndarray:
    import cv2

    data = np.fromfile(file, np.uint8)  # cv2.imread fails on non-ASCII paths on Windows
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        what = "is an empty file" if not data.size else "cannot be decoded"
        raise DataError(f"{file}: frame {number} of its folder {what}. Replace or remove it")
    return np.asarray(image)
