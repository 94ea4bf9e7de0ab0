"""Frames of a video by number, for whoever looks here and there, such as a page that seeks.

Frames count as ``video.read_frames`` counts them: from 0, in the order in which they are shown.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.dataset.frame_folder import frame_files
from segtrack.dataset.image_files import read_image_file
from segtrack.dataset.pixels import read_pixels
from segtrack.dataset.video_pictures import pixel_shape, shown
from segtrack.dataset.video_rate import DEFAULT_FPS
from segtrack.dataset.video_stream import limit_size, opened, video_streams


@dataclass(frozen=True)
class FrameStamps:
    """When the frames of a video file are shown, from its packets; nothing is decoded for it.

    Attributes:
        ticks: int64 (T,), ascending, in units of the stream's clock; empty where it has no stamps.
        keys: int64 (K,), positions in ``ticks`` at which decoding can begin, 0 among them.
        seconds: float64 (T,), after the first frame.
    """

    ticks: np.ndarray
    keys: np.ndarray
    seconds: np.ndarray


def video_count(path: Path) -> int:
    """How many video streams a file has, covers and thumbnails left out.

    Raises:
        DataError: this is no video.
    """
    return sum(not stream.picture for stream in video_streams(path))


def frame_stamps(path: Path) -> FrameStamps:
    """The stamps of the stream that ``read_frames`` reads.

    Raises:
        DataError: this is no video.
    """
    import av

    index = video_streams(path)[0].index
    ticks: list[int] = []
    keys: list[int] = []
    with opened(path) as container:
        stream = container.streams[index]
        unit = float(stream.time_base or 0)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                break  # what is behind the damage cannot be read
            if packet is None:
                break
            if packet.pts is None or not packet.size or packet.is_discard:
                continue
            ticks.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    stamps = np.unique(np.array(ticks, np.int64))
    places = np.unique(np.append(np.searchsorted(stamps, np.array(keys, np.int64)), 0))
    return FrameStamps(stamps, places, (stamps - stamps[:1]) * unit)


class SeekableVideo:
    """The frames of a video file, one decoder and one frame in memory; any thread may ask.

    A frame that is near behind the last one is decoded on to, any other from the key frame before.
    """

    def __init__(self, path: Path, stamps: FrameStamps) -> None:
        self.path, self.stamps = path, stamps
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._at = -1  # number of the frame that was decoded last

    def frame(self, number: int) -> np.ndarray:
        """The picture as a player shows it, BGR uint8 (H, W, 3).

        Raises:
            DataError: the video has no such frame, or it cannot be decoded.
        """
        with self._lock:
            try:
                found = self._decoded(number)
            except BaseException:
                self._close()
                raise
        if found is None:
            raise DataError(f"{self.path}: frame {number} cannot be decoded")
        return found

    def close(self) -> None:
        """Let go of the file; it is opened again where a frame is asked for."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._stack.close()
        self._container, self._frames, self._at = None, iter(()), -1

    def _decoded(self, number: int) -> np.ndarray | None:
        if self._container is None:
            self._open()
        ticks, keys = self.stamps.ticks, self.stamps.keys
        if number < 0 or (len(ticks) and number >= len(ticks)):
            return None
        if not len(ticks):
            return self._counted(number)
        key = int(keys[np.searchsorted(keys, number, side="right") - 1])
        if not self._at < number or key > self._at:
            self._seek(int(ticks[key]))
        wanted = int(ticks[number])
        frame = self._until(wanted)
        if frame is not None and frame.pts > wanted and key:
            # Some files have their index wrong: from the beginning every frame is passed.
            self._seek(int(ticks[0]))
            frame = self._until(wanted)
        self._at = number
        return None if frame is None else shown(frame, self._shape)

    def _until(self, tick: int) -> Any:
        for frame in self._frames:
            if frame.pts is not None and frame.pts >= tick:
                return frame
        return None

    def _counted(self, number: int) -> np.ndarray | None:
        """By counting, in a file without time stamps."""
        if number <= self._at:
            self._close()
            self._open()
        for frame in self._frames:
            self._at += 1
            if self._at == number:
                return shown(frame, self._shape)
        return None

    def _open(self) -> None:
        self._container = self._stack.enter_context(opened(self.path))
        self._stream = self._container.streams[video_streams(self.path)[0].index]
        self._stream.thread_type = "AUTO"
        limit_size(self._stream)
        self._shape = pixel_shape(self._stream)
        self._frames = _frames(self._container, self._stream)

    def _seek(self, tick: int) -> None:
        import av

        with contextlib.suppress(av.FFmpegError):  # then it goes on from where it is
            self._container.seek(tick, stream=self._stream)
        self._frames = _frames(self._container, self._stream)
        self._at = -1


class KeyFrames:
    """The pictures of a video file that are there at once: those at which decoding begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._index: int | None = None  # of the stream, which takes a look at the file's head

    def near(self, seconds: float) -> tuple[float, np.ndarray]:
        """The last key frame before a time after the first frame: its own time, and the picture.

        Raises:
            DataError: it cannot be decoded.
        """
        import av

        with self._lock, opened(self.path) as container:
            if self._index is None:
                self._index = video_streams(self.path)[0].index
            stream = container.streams[self._index]
            stream.codec_context.skip_frame = "NONKEY"
            limit_size(stream)
            start, unit = stream.start_time or 0, float(stream.time_base or 1)
            if seconds > 0:
                with contextlib.suppress(av.FFmpegError):  # then it is the first one
                    container.seek(start + int(seconds / unit), stream=stream)
            frame = next(_frames(container, stream), None)
            if frame is None:
                raise DataError(f"{self.path}: no frame near {seconds:g} s can be decoded")
            place = 0.0 if frame.pts is None else max(0.0, (frame.pts - start) * unit)
            return place, shown(frame, pixel_shape(stream))


class SeekableFolder:
    """The frames of a folder of images."""

    fps = DEFAULT_FPS

    def __init__(self, path: Path) -> None:
        self.path, self.files = path, frame_files(path)

    def frame(self, number: int) -> np.ndarray:
        """The picture as it is displayed, BGR uint8 (H, W, 3).

        Raises:
            DataError: the folder has no such frame, or it cannot be decoded.
        """
        image = None
        if 0 <= number < len(self.files):
            file = self.files[number]
            if not read_image_file(str(file), decode=False).error:
                image = read_pixels(file)
        if image is None:
            raise DataError(f"{self.path}: frame {number} cannot be decoded")
        return image

    def close(self) -> None:
        """There is nothing to let go of."""


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """What can be decoded; a packet that cannot is passed over, as players do."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except (av.FFmpegError, ValueError):
            continue
