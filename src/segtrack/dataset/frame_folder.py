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

from segtrack.base.errors import DataError, some
from segtrack.base.files import file_digest
from segtrack.dataset.image_files import read_image_file, too_large
from segtrack.dataset.pixels import HEAD, OTHERS, SUFFIXES, is_picture, read_pixels
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.telling import Warn
from segtrack.dataset.video_names import VIDEO_SUFFIXES, tell_left_out
from segtrack.settings import MAX_PIXELS

READ_AHEAD = 8  # images that are decoded before they are asked for


def frame_files(folder: Path) -> list[Path]:
    """The images of ``folder`` in natural order: 2.jpg before 10.jpg.

    Raises:
        DataError: there are none.
    """
    files = [file for file in folder.iterdir() if is_frame(file)]
    if not files:
        raise DataError(
            f"{folder}: no image in this folder. Give a video file or a folder of frames "
            "(JPEG, PNG, ...)"
        )
    return sorted(files, key=lambda file: (_natural(file.name), file.name))


def is_frame(file: Path) -> bool:
    """Whether a file is an image: by its suffix, or, where that says nothing, by its content."""
    suffix = file.suffix.lower()
    if file.name.startswith(".") or not file.is_file():
        return False
    if suffix in SUFFIXES or suffix in OTHERS or suffix in VIDEO_SUFFIXES:
        return suffix in SUFFIXES
    try:
        with file.open("rb") as opened:
            return is_picture(opened.read(HEAD))
    except OSError:
        return False


def probe_folder(folder: Path, name: str, fps: float, warn: Warn) -> VideoSequence:
    """What a folder of frames holds; decodes the first only.

    Args:
        name: of the sequence.
        fps: frames per second, which a folder does not say.
        warn: is told which files are left out.

    Raises:
        DataError: there is no frame, the first cannot be decoded, or they differ in size.
    """
    files = frame_files(folder)
    head = read_image_file(str(files[0]), decode=False)
    if problem := too_large(head.width, head.height, MAX_PIXELS):
        raise DataError(f"{files[0]}: {problem} in a frame. Scale the frames down")
    height, width = _read_image(files[0], 0).shape[:2]
    digest = hashlib.sha256()
    others: list[str] = []
    for file in files:
        facts = read_image_file(str(file), decode=False)
        digest.update(bytes.fromhex(facts.sha256 or file_digest(file)))
        if not facts.error and (facts.width, facts.height) != (width, height):
            others.append(f"{file.name} is {facts.width}x{facts.height}")
    if others:
        raise DataError(
            f"{folder}: the frames of a folder need one size; {files[0].name} is {width}x{height}, "
            f"but {some(others, 3)}. Give frames of one video, each video in a folder of its own"
        )
    left_out = sorted({file.name for file in folder.iterdir()} - {file.name for file in files})
    tell_left_out([n for n in left_out if (folder / n).is_file()], "picture", str(folder), warn)
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
    image = read_pixels(file)
    if image is None:
        what = "cannot be decoded" if file.stat().st_size else "is an empty file"
        raise DataError(f"{file}: frame {number} of its folder {what}. Replace or remove it")
    return image
