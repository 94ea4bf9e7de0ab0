"""Makes small videos as cameras and programs write them."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TICK = Fraction(1, 90_000)
HERTZ = 16_000
Change = Callable[[Any], None]


def picture(number: int, width: int = 160, height: int = 120) -> np.ndarray:
    """Grey grain with a bright bar whose place says the number, red above and blue below."""
    grain = np.random.default_rng(number).integers(0, 60, (height, width, 1), np.uint8)
    image = np.repeat(grain, 3, axis=2)
    x = 8 * number % (width - 8)
    image[: height // 2, x : x + 8] = (0, 0, 255)
    image[height // 2 :, x : x + 8] = (255, 0, 0)
    return image


def bar(image: np.ndarray) -> int:
    """Left edge of the bar of ``picture``, in its own pixels."""
    return int(np.argmax(np.ptp(image.astype(int), axis=2).mean(axis=0) > 100))


class Film:
    """A file that is being written; use as a context manager."""

    def __init__(self, path: Path, **options: str) -> None:
        self.file: Any = av.open(f"file:{path}", "w", options=options)

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def stream(
        self,
        rate: Fraction | int = 15,
        codec: str = "libx264",
        size: tuple[int, int] = (160, 120),
        change: Change | None = None,
        tick: Fraction = TICK,
        pix_fmt: str = "yuv420p",
    ) -> Any:
        """A video stream; ``change`` may set more of it before it is opened."""
        stream = self.file.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else pix_fmt
        stream.codec_context.time_base = tick
        if change is not None:
            change(stream)
        return stream

    def show(self, stream: Any, seconds: Iterable[float]) -> None:
        """Encode one picture at each of these times."""
        context = stream.codec_context
        for number, second in enumerate(seconds):
            image = picture(number, stream.width, stream.height)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(second / context.time_base), context.time_base
            self.file.mux(stream.encode(frame))
        self.file.mux(stream.encode())

    def sound(self) -> Any:
        """A stream of sound."""
        return self.file.add_stream("aac", rate=HERTZ, layout="mono")

    def play(self, stream: Any, seconds: float, start: float = 0.0) -> None:
        """Silence from ``start`` on."""
        silence = np.zeros((1, 1024), np.float32)
        for at in range(round(start * HERTZ), round((start + seconds) * HERTZ), 1024):
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = HERTZ, at, Fraction(1, HERTZ)
            self.file.mux(stream.encode(frame))
        self.file.mux(stream.encode())


def regular(count: int = 12, fps: float = 15, start: float = 0.0) -> list[float]:
    """Times of a constant rate."""
    return [start + i / fps for i in range(count)]


def film(path: Path, seconds: Sequence[float] | None = None, **options: Any) -> Path:
    """A file with one video stream; see ``Film.stream``."""
    with Film(path) as made:
        made.show(made.stream(**options), regular() if seconds is None else seconds)
    return path
