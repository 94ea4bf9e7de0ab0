"""A video that shows its trajectories: masks, boxes, ids, classes, scores and trails.

Encoded as H.264 that browsers play. Threads of their own decode the source and encode the result
beside the drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.ahead import Behind, read_ahead
from segtrack.base.atomic import whole_file
from segtrack.base.errors import DataError, StageError
from segtrack.base.frame_times import FrameTimes
from segtrack.base.progress import progress
from segtrack.tracker import Tracks
from segtrack.tracker.painter import Painter

# Ticks per second where each frame has its own time: MPEG's, and coarser ones, since MP4 counts the
# ticks between some frames in 32 bits.
TICKS, LONGEST = (90_000, 1_000), 2**31 // 16

Drawing = Callable[[np.ndarray, int, float], None]


def render_video(
    frames: Iterable[np.ndarray],
    tracks: Tracks,
    names: tuple[str, ...],
    path: Path,
    trail: int,
    drawn: Drawing | None = None,
) -> None:
    """Write the annotated video to ``path``, a few frames in memory at a time.

    Args:
        frames: BGR uint8 (H, W, 3), from frame 0; no more than ``tracks.info.frame_count`` of them
            are taken, so a damaged video ends where its predictions ended.
        tracks: the trajectories, in the frames' pixels, and when each frame is shown.
        names: class names by ``class_id``.
        path: an .mp4 file; it appears when the video is complete. Its sides are made even, as
            H.264 asks, and a video narrower than 480 pixels is drawn at twice its size.
        trail: frames of path drawn behind each object; 0 for none.
        drawn: draws over each annotated frame: is given the picture, the frame's number, and how
            many times larger than the frame the picture is.

    Raises:
        DataError: there is no frame.
        StageError: the video cannot be written.
    """
    count = tracks.info.frame_count
    try:
        with whole_file(path) as partial:
            shown = progress(read_ahead(islice(frames, count)), "render", count, "frames")
            annotated = _annotated(shown, tracks, names, trail, drawn)
            _encode(annotated, tracks.times, partial)
    except OSError as error:
        raise StageError(
            f"{path}: the video could not be written ({error.strerror or error}). Make room or "
            "choose another folder, or set render.enabled=false"
        ) from error


def _annotated(
    frames: Iterable[np.ndarray],
    tracks: Tracks,
    names: tuple[str, ...],
    trail: int,
    drawn: Drawing | None,
) -> Iterator[np.ndarray]:
    rows = tracks.frames()
    ahead = next(rows, None)
    painter: Painter | None = None
    for number, image in enumerate(frames):
        painter = painter or Painter(image.shape[1], image.shape[0], names, trail)
        seen = ahead if ahead is not None and ahead.frame == number else None
        picture = painter.paint(image, seen)
        if drawn is not None:
            drawn(picture, number, painter.scale)
        yield picture
        if seen is not None:
            ahead = next(rows, None)


class Encoder:
    """H.264 in MP4, 4:2:0, colours as BT.709 and said so; a context manager that is fed frames.

    Whole files have their index in front, for the web. One that is written live is made of
    fragments, so that whatever was written can be played, whenever the writing breaks off.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], fps: float, tick: Fraction | None, live: bool
    ) -> None:
        """Open ``path``.

        Args:
            size: width and height of the frames, px.
            fps: their rate.
            tick: unit of their own times, seconds; None where they come at the rate.
            live: write fragments of two seconds.
        """
        import av
        import av.logging
        from av.video.reformatter import VideoReformatter

        av.logging.set_level(None)
        self._yuv = VideoReformatter()  # what a frame's own ``reformat`` makes anew for each
        self._tick, self._last = tick, -1
        self._size = size[0] + size[0] % 2, size[1] + size[1] % 2
        parts = "+frag_keyframe+empty_moov+default_base_moof"
        flags = {"movflags": parts, "flush_packets": "1"} if live else {"movflags": "+faststart"}
        self._file = av.open(f"file:{path}", "w", format="mp4", options=flags)
        rate = Fraction(fps if fps > 0 else 30).limit_denominator(100_000)
        # Motion to whole pixels: half of the time, for 2% more bytes at the same error.
        options, params = {"preset": "superfast"}, "subme=0"
        if tick is not None:
            options["bf"] = "0"  # MP4's duration is that of decoding, which B-frames would shorten
        if live:
            options["tune"] = "zerolatency"
        else:  # what this preset leaves out costs no time, and saves a third of the bytes
            params += ":mbtree=1:rc-lookahead=10"
        options["x264-params"] = params
        stream: Any = self._file.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *self._size, "yuv420p"
        context = stream.codec_context
        context.color_range, context.colorspace = 1, 1
        context.color_primaries, context.color_trc = 1, 1
        if tick is not None:
            context.time_base = tick
        if live:
            context.gop_size = max(1, round(2 * rate))
        self._stream = stream

    def add(self, image: np.ndarray, seconds: float = 0.0) -> None:
        """The next frame, BGR uint8; ``seconds`` count where there is a tick."""
        import av
        from av.video.reformatter import ColorRange, Colorspace

        padded = np.ascontiguousarray(_padded(image, *self._size))
        frame = self._yuv.reformat(
            av.VideoFrame.from_numpy_buffer(padded, format="bgr24"),  # without a copy
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        if self._tick is not None:
            self._last = max(self._last + 1, round(seconds / self._tick))
            frame.pts, frame.time_base = self._last, self._tick
        for packet in self._stream.encode(frame):
            self._file.mux(packet)

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what the encoder still holds, and the file's end."""
        try:
            for packet in self._stream.encode():
                self._file.mux(packet)
        finally:
            self._file.close()


def _encode(images: Iterator[np.ndarray], times: FrameTimes, path: Path) -> None:
    first = next(images, None)
    if first is None:
        raise DataError(f"{path}: there is no frame to draw on")
    size = first.shape[1], first.shape[0]
    with Encoder(path, size, times.fps, _tick(times), live=False) as file, Behind() as encoding:
        for number, image in enumerate(chain([first], images)):
            encoding.do(file.add, image, times.seconds(number))


def _tick(times: FrameTimes) -> Fraction | None:
    """The finest unit, in seconds, in which the times can be written; None at a constant rate."""
    if times.own is None:
        return None
    longest = float(np.diff(times.own).max())
    return Fraction(1, next((t for t in TICKS if t * longest < LONGEST), TICKS[-1]))


def _padded(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The image with its last column and row repeated up to the size."""
    extra = ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0))
    return np.pad(image, extra, mode="edge") if any(after for _, after in extra) else image
