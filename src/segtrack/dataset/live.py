"""Cameras and streams, read as they come.

A thread decodes and keeps the newest frame only: who is slower than the camera misses frames, which
are counted, and is never behind it. A recording behind an address, which says how long it is, is
read whole instead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from segtrack.base.addresses import is_live
from segtrack.base.errors import DataError
from segtrack.base.secrets import without_secrets
from segtrack.dataset.video_pictures import pixel_shape, resized, shown
from segtrack.dataset.video_rate import DEFAULT_FPS
from segtrack.dataset.video_stream import error_text, limit_size

OPEN_S, READ_S = 10.0, 10.0  # without an answer, without a frame
RETRY_S = 30.0  # a lost connection is tried again for so long
PAUSE_S = 1.0  # between two tries
ODD_RATES = (1.0, 240.0)  # frames per second; what a stream declares beyond is not believed


def _nobody(text: str) -> None:
    """Tells nobody."""


class LiveFrame(NamedTuple):
    """BGR uint8 (H, W, 3), and seconds since the first frame."""

    image: np.ndarray
    time_s: float


class LiveStream:
    """A camera or a stream; a context manager.

    Attributes:
        name: the address without its secrets.
        width, height: px, of the first frame; later ones are scaled to it.
        fps: frames per second that it declares.
        recording: whether it says how long it is: then nothing is dropped, and its own times count.
        dropped: frames that were not waited for.
        resized: frames that came in another size.
        reconnected: how often a lost connection was made again.
        ended: why there are no more frames; empty while there are.
    """

    width: int
    height: int

    def __init__(
        self, address: str, retry_s: float = RETRY_S, tell: Callable[[str], None] = _nobody
    ) -> None:
        """Connect and wait for the first frame.

        Args:
            retry_s: seconds that a lost connection is tried again.
            tell: is told when the connection is lost, from another thread.

        Raises:
            DataError: there is no such camera, nothing answers, or it is no video.
        """
        if not is_live(address):
            raise DataError(f"{address}: is no camera and no address of a stream")
        self.name, self.fps, self.recording = without_secrets(address), DEFAULT_FPS, False
        self.dropped = self.resized = self.reconnected = 0
        self.ended = ""
        self._address, self._retry_s, self._tell = address.strip(), retry_s, tell
        self._news = threading.Condition()
        self._slot: tuple[Any, float | None, float] | None = None  # frame, its time, arrival
        self._shape = 1.0
        self._closing = False
        self._thread = threading.Thread(target=self._read, name="live", daemon=True)
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._slot is not None or bool(self.ended), OPEN_S + READ_S)
            first = self._slot
        if first is None:
            self.close()
            reason = self.ended or f"no frame within {OPEN_S + READ_S:.0f} s"
            hint = "Check the address: a player such as ffplay or VLC should show it"
            if self._address.isdecimal():
                hint = "Close that program, give another camera's number, or a file"
            raise DataError(f"video={self.name}: {reason}. {hint}")
        height, width = self._image(first[0]).shape[:2]
        self.height, self.width = height, width

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def end(self) -> None:
        """No more frames; may be called by a signal's handler."""
        with self._news:
            self._closing = True
            self._news.notify_all()

    def close(self) -> None:
        """Stop reading; frames that are waiting are left."""
        self.end()
        self._thread.join(2.0)

    def frames(self) -> Iterator[LiveFrame]:
        """The newest frame each time, until the stream ends or is closed."""
        start: float | None = None
        begin: float | None = None
        last = -1.0
        while True:
            with self._news:
                self._news.wait_for(lambda: self._slot is not None or self._over())
                if self._slot is None or self._closing:
                    return
                frame, own, arrived = self._slot
                self._slot = None
                self._news.notify_all()
            image = self._image(frame)
            if image.shape[:2] != (self.height, self.width):
                image = resized(image, self.width, self.height)
                self.resized += 1
            if self.recording and own is not None:
                begin = own if begin is None else begin
                seconds = own - begin
            else:
                start = arrived if start is None else start
                seconds = arrived - start
            last = max(last + 1e-6, seconds)  # a time stands for one frame only
            yield LiveFrame(image, round(last, 6))

    def _over(self) -> bool:
        return self._closing or bool(self.ended)

    def _image(self, frame: Any) -> np.ndarray:
        return frame if isinstance(frame, np.ndarray) else shown(frame, self._shape)

    def _read(self) -> None:
        """The thread: connects, again where the connection is lost, and passes frames on."""
        seen, had, lost = time.monotonic(), False, False
        reason = ""
        while not self._closing:
            over = False
            reason = "the stream ended"
            try:
                for frame, own in self._connection(had):
                    self.reconnected += lost
                    had, lost, seen = True, False, time.monotonic()
                    self._pass_on(frame, own)
                    if self._closing:
                        return
            except _OverError as error:
                reason, over = str(error), True
            except Exception as error:  # of FFmpeg, the system or a camera's driver
                reason = error_text(error) or type(error).__name__
            if over or self.recording or not had or time.monotonic() - seen > self._retry_s:
                break
            if not lost:
                self._tell(
                    without_secrets(f"lost ({reason}); trying again for {self._retry_s:g} s")
                )
            lost = True
            with self._news:
                self._news.wait_for(lambda: self._closing, min(PAUSE_S, self._retry_s))
        came_back = f"; it did not come back within {self._retry_s:g} s" if lost else ""
        with self._news:
            self.ended = without_secrets(f"{reason}{came_back}")
            self._news.notify_all()

    def _pass_on(self, frame: Any, own: float | None) -> None:
        with self._news:
            if self.recording:
                self._news.wait_for(lambda: self._slot is None or self._closing)
            elif self._slot is not None:
                self.dropped += 1
            self._slot = (frame, own, time.monotonic())
            self._news.notify_all()

    def _connection(self, again: bool) -> Iterator[tuple[Any, float | None]]:
        if self._address.isdecimal():
            yield from self._camera(int(self._address))
            return
        import av
        import av.logging

        av.logging.set_level(None)
        options = {"rtsp_transport": "tcp"}  # whole frames rather than early ones
        with av.open(self._address, timeout=(OPEN_S, READ_S), options=options) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise _OverError("it holds no video stream")
            recording = bool(container.duration)
            if again and recording:
                # What was live is over: it was seen from its beginning already.
                raise _OverError("the stream ended")
            self.recording = recording
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            self.fps = rate if ODD_RATES[0] <= rate <= ODD_RATES[1] else DEFAULT_FPS
            self._shape = pixel_shape(stream)
            limit_size(stream)
            stream.thread_type = "AUTO" if recording else "SLICE"  # frames at once, not in batches
            for frame in container.decode(stream):
                yield frame, frame.time

    def _camera(self, number: int) -> Iterator[tuple[Any, float | None]]:
        import cv2

        loud = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # says it in 20 lines
        try:
            capture = cv2.VideoCapture(number)
        finally:
            cv2.utils.logging.setLogLevel(loud)
        try:
            if not capture.isOpened():
                raise OSError(f"there is no camera {number} here, or another program has it")
            rate = float(capture.get(cv2.CAP_PROP_FPS))
            self.fps = rate if ODD_RATES[0] <= rate <= ODD_RATES[1] else DEFAULT_FPS
            while not self._closing:
                good, image = capture.read()
                if not good:
                    raise OSError(f"camera {number} gives no more frames")
                yield image, None
        finally:
            capture.release()


class _OverError(Exception):
    """Nothing more can come."""
