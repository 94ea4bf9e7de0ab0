"""Video files and folders of frames as a stream of images.

Frames count from 0 in the order in which they are shown. A file that cannot be read to its end
yields every frame that can be read and then raises, so that a consumer may keep what it got.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.dataset.sequences import VideoSequence

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
READ_AHEAD = 8  # images of a folder that are decoded before they are asked for
DEFAULT_FPS = 30.0  # of a folder of frames, which does not say; ByteTrack's nominal rate
# A container may count frames that a decoder rightly never shows (edit lists, dropped frames), so
# a video is called truncated only when more than this is missing.
MISSING_SHARE, MISSING_FRAMES = 0.1, 2


def probe_video(path: Path, fps: float | None = None) -> VideoSequence:
    """What a video file or a folder of frames declares; decodes the first frame only.

    Args:
        path: a video file in any format that FFmpeg reads, or a folder of images.
        fps: frames per second where it is known better than the container knows it.

    Returns:
        A sequence named after the file's stem or the folder. Width and height are those that
        ``read_frames`` yields, so after the rotation that the file asks for. ``frame_count`` is
        the container's own count, 0 where it has none.

    Raises:
        DataError: the path does not exist, is empty or holds nothing that can be decoded.
    """
    if path.is_dir():
        return _probe_folder(path, fps or DEFAULT_FPS)
    _require_content(path)
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, []), None)
        if first is None:
            raise DataError(
                f"{path}: no frame of this video can be decoded; it is damaged or cut short. "
                "Copy or encode it again"
            )
        height, width = _upright(first).shape[:2]
        rate = fps or float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
        count = int(stream.frames)
    return VideoSequence(path.stem, path, file_digest(path), width, height, rate, count)


def read_frames(sequence: VideoSequence) -> Iterator[np.ndarray]:
    """Stream the frames of ``sequence``, one in memory at a time.

    Returns:
        BGR uint8 (height, width, 3) arrays of the sequence's size.

    Raises:
        DataError: at once, where there is nothing to read; after the frames that could be read,
            where the file is damaged or ends early.
    """
    if sequence.path is None:
        raise DataError(
            f"sequence {sequence.name}: it has detections only and no frames, so nothing can be "
            "predicted or drawn on it. Give its video or its folder of frames"
        )
    if sequence.path.is_dir():
        return _read_folder(sequence.path, frame_files(sequence.path))
    _require_content(sequence.path)
    return _read_file(sequence.path, sequence.width, sequence.height)


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


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", name.lower())
    return [(0, int(p), "") if p.isdecimal() and p.isascii() else (1, 0, p) for p in parts if p]


def _probe_folder(folder: Path, fps: float) -> VideoSequence:
    files = frame_files(folder)
    height, width = _read_image(files[0], 0).shape[:2]
    digest = hashlib.sha256()
    for file in files:
        digest.update(bytes.fromhex(file_digest(file)))
    return VideoSequence(
        folder.resolve().name, folder, digest.hexdigest(), width, height, fps, len(files)
    )


def _read_folder(folder: Path, files: list[Path]) -> Iterator[np.ndarray]:
    shape: tuple[int, ...] | None = None
    for number, (file, image) in enumerate(zip(files, _read_ahead(files), strict=True)):
        shape = shape or image.shape
        if image.shape != shape:
            raise DataError(
                f"{file}: frame {number} is {image.shape[1]}x{image.shape[0]} pixels, but "
                f"{files[0].name} is {shape[1]}x{shape[0]}; the frames of {folder} need one size"
            )
        yield image


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


def _read_file(path: Path, width: int, height: int) -> Iterator[np.ndarray]:
    count, seconds, damage = 0, 0.0, list[str]()
    with _opened(path) as (container, stream):
        for frame in _decoded(container, stream, damage):
            image = _upright(frame)
            if (image.shape[1], image.shape[0]) != (width, height) and width and height:
                image = _resized(image, width, height)  # the stream changes its size on the way
            if frame.time is not None:
                seconds = frame.time
            yield image
            count += 1
        missing = _missing(container, stream, count, seconds)
        declared = int(stream.frames)
    if missing or (damage and count < declared):
        expected = f"the container declares {declared}" if declared else missing
        reason = f" ({damage[0]})" if damage else ""
        raise DataError(
            f"{path}: the video is damaged or cut short: {count} frames could be read, the last "
            f"is frame {count - 1}, {expected}{reason}"
        )


def _missing(container: Any, stream: Any, count: int, seconds: float) -> str:
    """Why clearly fewer frames were read than the container declares; empty where that is not so.

    A container without a frame count (Matroska, for one) is judged by its duration, but only where
    no longer sound track may have set that.
    """
    if stream.frames:
        gap = stream.frames - count
        few = gap > MISSING_FRAMES and gap > MISSING_SHARE * stream.frames
        return f"the container declares {stream.frames}" if few else ""
    if len(container.streams) > 1 or not container.duration:
        return ""
    duration = container.duration / 1e6  # AV_TIME_BASE
    start = (container.start_time or 0) / 1e6
    gap_s = duration - (seconds - start)
    frame_s = 1 / float(stream.average_rate or DEFAULT_FPS)
    few = gap_s > (MISSING_FRAMES + 1) * frame_s and gap_s > MISSING_SHARE * duration
    return f"the container declares {duration:.1f} s" if few else ""


def _decoded(container: Any, stream: Any, damage: list[str]) -> Iterator[Any]:
    """Frames in the order of presentation. A packet that cannot be decoded is noted in ``damage``
    and passed over, as players do; what follows it can often be read."""
    import av

    packets = container.demux(stream)
    count = 0
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            damage.append(f"{_text(error)} near frame {count}")
            packet = None
        if packet is None:
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError) as error:
            damage.append(f"{_text(error)} near frame {count}")
            continue
        count += len(frames)
        yield from frames


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream, decoding on all cores.

    Only local files may be opened: a text file named .mp4 can be a playlist, and FFmpeg would
    follow the addresses in it.
    """
    import av
    import av.logging

    av.logging.set_level(None)  # FFmpeg's own messages; what matters is said in ours
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(
            f"{path}: not readable as a video ({_text(error)}): another kind of file, or one that "
            "lost its end, where an index may stand. Give a video that FFmpeg reads, or a folder "
            "of frames"
        ) from error
    with container:
        if not container.streams.video:
            raise DataError(f"{path}: holds no video stream. Give a video file")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _upright(frame: Any) -> np.ndarray:
    """The frame as BGR, turned as its display matrix (a phone held upright) asks."""
    image = frame.to_ndarray(format="bgr24")
    quarter_turns = round(frame.rotation / 90) % 4  # anticlockwise, as numpy counts
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def _require_content(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path}: this video cannot be read ({error.strerror}). Check the path"
        ) from error
    if not size:
        raise DataError(f"{path}: this video is an empty file (0 bytes). Copy it again")


def _text(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
