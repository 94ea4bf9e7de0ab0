"""The frames of a video as a player shows them: how wide, and how turned."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from segtrack.settings import MAX_PIXELS

_FREE: list[Any] = []  # VideoReformatters that no thread uses now
_LEFT: list[Any] = []
CONVERTERS = min(4, (os.cpu_count() or 1) // 4)  # threads, beside those of decoding
PIXEL_SHAPES = (0.1, 10.0)  # width by height of a pixel; what is declared beyond is not believed


def pixel_shape(stream: Any) -> float:
    """Width by height of a pixel; 1 where the file does not say, or nothing to be believed."""
    shape = float(stream.sample_aspect_ratio or 1)
    if stream.codec_context.width * shape * stream.codec_context.height > MAX_PIXELS:
        return 1.0
    return shape if PIXEL_SHAPES[0] <= shape <= PIXEL_SHAPES[1] else 1.0


def shown(frame: Any, shape: float) -> np.ndarray:
    """The frame as a player shows it: BGR uint8 (H, W, 3), pixels square, turned and mirrored as
    its display matrix (a phone held upright) asks.

    Args:
        shape: width by height of a pixel.
    """
    converter = _converter()
    image = converter.reformat(frame, format="bgr24").to_ndarray()
    _FREE.append(converter)
    width = max(1, round(frame.width * shape))
    if width != frame.width:
        image = resized(image, width, frame.height)
    return np.ascontiguousarray(_turned(image, frame))


def shown_ahead(frames: Iterator[Any], shape: float) -> Iterator[tuple[Any, np.ndarray]]:
    """Each frame with what ``shown`` makes of it, in order. Where there are cores for it, threads
    do so while the next frames are decoded: at 1440x1080 it takes as long as that."""
    if not CONVERTERS:
        yield from ((frame, shown(frame, shape)) for frame in frames)
        return
    coming: deque[tuple[Any, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(CONVERTERS, "convert") as pool:
        for frame in frames:
            coming.append((frame, pool.submit(shown, frame, shape)))
            if len(coming) > CONVERTERS:
                first, image = coming.popleft()
                yield first, image.result()
        for first, image in coming:
            yield first, image.result()


def _converter() -> Any:
    """One that is free: one made anew for each frame would take longer than what it does."""
    try:
        return _FREE.pop()
    except IndexError:
        from av.video.reformatter import VideoReformatter

        return VideoReformatter()


def _forked() -> None:
    """A fork has none of FFmpeg's threads: it must neither use these nor free them, which waits
    for those threads. So they are not a thread's own either, whose things a fork frees at once."""
    _LEFT.append(_FREE[:])
    _FREE.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The image at another size."""
    import cv2

    smaller = width * height < image.shape[0] * image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=way))


def _turned(image: np.ndarray, frame: Any) -> np.ndarray:
    """By the display matrix, to the nearest quarter turn.

    It maps a pixel (p, q) to (a p + c q, b p + d q), y downwards (libavutil/display.h).
    """
    from av.sidedata.sidedata import Type

    try:
        data = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:
        # PyAV shows none of a frame's data where one is of a kind that it does not know, as EXIF
        # (FFmpeg 8). It still tells the turn, anticlockwise, but not whether it is mirrored too.
        return np.rot90(image, round(frame.rotation / 90))
    if data is None:
        return image
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = image.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
