"""The pictures of a video: when its frames are shown, and any of them as a file for a browser."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.dataset import (
    FrameStamps,
    KeyFrames,
    SeekableFolder,
    SeekableVideo,
    frame_stamps,
    video_count,
)

SMALL = 960  # px of the longer side of a picture that is only passing by
_KEPT = 48 << 20  # bytes of pictures that are kept
SHOWN = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


class Film:
    """A video's pictures.

    Attributes:
        path: the video file or the folder of frames.
        plays: whether a browser may be given the file itself: it shows the same stream.
    """

    def __init__(self, path: Path) -> None:
        """Look at the file's head.

        Raises:
            DataError: it is not there, or no video.
        """
        self.path = path
        self.plays = path.is_file() and video_count(path) == 1
        self._folder = SeekableFolder(path) if path.is_dir() else None
        self._video: SeekableVideo | None = None
        self._keys = KeyFrames(path)
        self._stamps: FrameStamps | None = None
        self._looking, self._lock = threading.Lock(), threading.Lock()
        self._kept: OrderedDict[tuple[int, bool], bytes] = OrderedDict()

    def seconds(self) -> np.ndarray | None:
        """float64 (T,), when each frame is shown after the first; None where only their rate says.

        The first call reads the file through, without decoding it.
        """
        if self._folder is not None:
            return None
        stamps = self._read_stamps()
        return stamps.seconds if len(stamps.seconds) else None

    @property
    def count(self) -> int:
        """Frames that there are; 0 where only decoding all of them would tell."""
        return len(self._folder.files if self._folder else self._read_stamps().ticks)

    def picture(self, number: int, small: bool) -> tuple[bytes, str]:
        """A frame's bytes and media type; the original file of a folder where a browser shows it.

        Raises:
            DataError: there is no such frame.
        """
        if self._folder is not None and not small and 0 <= number < self.count:
            file = self._folder.files[number]
            if kind := SHOWN.get(file.suffix.lower()):
                return file.read_bytes(), kind
        key = number, small
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key], "image/jpeg"
        data = as_jpeg(self._reader().frame(number), SMALL if small else None)
        with self._lock:
            self._kept[key] = data
            while sum(map(len, self._kept.values())) > _KEPT:
                self._kept.popitem(last=False)
        return data, "image/jpeg"

    def near(self, number: int, fps: float) -> tuple[int, bytes]:
        """A small picture that is there at once, and which frame it is: the last one before
        ``number`` that is stored by itself.

        Args:
            fps: by which frames are told as long as the file has not been read through.

        Raises:
            DataError: there is none.
        """
        if self._folder is not None:
            return number, self.picture(number, small=True)[0]
        known = self._stamps.seconds if self._stamps is not None else np.zeros(0)
        seconds = known[min(number, len(known) - 1)] if len(known) else number / fps
        at, image = self._keys.near(float(seconds))
        place = np.abs(known - at).argmin() if len(known) else round(at * fps)
        return int(place), as_jpeg(image, SMALL)

    def close(self) -> None:
        """Let go of the file and of all pictures."""
        with self._lock:
            self._kept.clear()
        if self._video is not None:
            self._video.close()

    def _read_stamps(self) -> FrameStamps:
        with self._looking:
            if self._stamps is None:
                self._stamps = frame_stamps(self.path)
            return self._stamps

    def _reader(self) -> SeekableFolder | SeekableVideo:
        if self._folder is not None:
            return self._folder
        stamps = self._read_stamps()
        with self._looking:
            if self._video is None:
                self._video = SeekableVideo(self.path, stamps)
            return self._video


def as_jpeg(image_bgr: np.ndarray, longest: int | None = None) -> bytes:
    """A JPEG of an image, no larger than ``longest`` px."""
    import cv2

    height, width = image_bgr.shape[:2]
    if longest is not None and max(height, width) > longest:
        scale = longest / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image_bgr = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    quality: list[Any] = [cv2.IMWRITE_JPEG_QUALITY, 82 if longest else 92]
    fine, data = cv2.imencode(".jpg", image_bgr, quality)
    if not fine:
        raise DataError("a picture cannot be written as JPEG")
    return bytes(data)
