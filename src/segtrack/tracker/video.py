"""A video that shows its trajectories: masks, boxes, ids, classes, scores and trails.

Drawn with supervision, encoded as H.264 that browsers play. Colours go by track id, so that an id
switch is seen as a change of colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.atomic import whole_file
from segtrack.base.errors import DataError, StageError
from segtrack.base.frame_times import FrameTimes
from segtrack.base.names import shown
from segtrack.base.progress import progress
from segtrack.report import Label, place_labels
from segtrack.tracker import TrackRows, Tracks

SMALL = 480  # a narrower video is drawn at twice its size: 12 px letters cover too much of it
TEXT_SHARE = 50  # letters are this part of the shorter side high, but 12 px at least
FILL = 0.4  # opacity of a mask
# Ticks per second where each frame has its own time: MPEG's, and coarser ones, since MP4 counts the
# ticks between some frames in 32 bits.
TICKS, LONGEST = (90_000, 1_000), 2**31 // 16
# 19 colours that differ from their neighbours in hue and lightness (Tableau 20 without its greys,
# and Okabe and Ito's yellow), strong ones first; ids take them in turn.
PALETTE = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#e377c2", "#d62728", "#17becf", "#f0e442"),
    *("#9467bd", "#98df8a", "#ff9896", "#8c564b", "#aec7e8", "#bcbd22", "#c5b0d5"),
    *("#ffbb78", "#9edae5", "#c49c94", "#f7b6d2", "#dbdb8d"),
)


def render_video(
    frames: Iterable[np.ndarray],
    tracks: Tracks,
    names: tuple[str, ...],
    path: Path,
    trail: int,
) -> None:
    """Write the annotated video to ``path``, one frame in memory at a time.

    Args:
        frames: BGR uint8 (H, W, 3), from frame 0; no more than ``tracks.info.frame_count`` of them
            are taken, so a damaged video ends where its predictions ended.
        tracks: the trajectories, in the frames' pixels, and when each frame is shown.
        names: class names by ``class_id``.
        path: an .mp4 file; it appears when the video is complete. Its sides are made even, as
            H.264 asks, and a video narrower than 480 pixels is drawn at twice its size.
        trail: frames of path drawn behind each object; 0 for none.

    Raises:
        DataError: there is no frame.
        StageError: the video cannot be written.
    """
    count = tracks.info.frame_count
    try:
        with whole_file(path) as partial:
            shown = progress(islice(frames, count), "render", count)
            _encode(_annotated(shown, tracks, names, trail), tracks.times, partial)
    except OSError as error:
        raise StageError(
            f"{path}: the video could not be written ({error.strerror or error}). Make room or "
            "choose another folder, or set render.enabled=false"
        ) from error


def _annotated(
    frames: Iterable[np.ndarray], tracks: Tracks, names: tuple[str, ...], trail: int
) -> Iterator[np.ndarray]:
    rows = tracks.frames()
    ahead = next(rows, None)
    painter: Painter | None = None
    for number, image in enumerate(frames):
        painter = painter or Painter(image.shape[1], image.shape[0], names, trail)
        seen = ahead if ahead is not None and ahead.frame == number else None
        yield painter.paint(image, seen)
        if seen is not None:
            ahead = next(rows, None)


class Painter:
    """Draws one video's frames in order; it remembers the paths."""

    def __init__(self, width: int, height: int, names: tuple[str, ...], trail: int) -> None:
        import supervision as sv

        self.height, self.names = height, names
        self.scale = 2 if width < SMALL else 1
        self.size = width * self.scale, height * self.scale
        shorter = min(self.size)
        line = max(1, round(shorter / 400))
        self.text_px = max(12, round(shorter / TEXT_SHARE))
        self.padding = max(2, self.text_px // 5)
        palette = sv.ColorPalette.from_hex(list(PALETTE))
        colours: dict[str, Any] = {"color": palette, "color_lookup": sv.ColorLookup.TRACK}
        self.mask = sv.MaskAnnotator(opacity=FILL, **colours)
        self.contour = sv.PolygonAnnotator(thickness=line, **colours)
        self.box = sv.BoxCornerAnnotator(
            thickness=line + 1, corner_length=max(5, shorter // 45), **colours
        )
        self.trace = sv.TraceAnnotator(
            position=sv.Position.BOTTOM_CENTER, trace_length=trail, thickness=line + 1, **colours
        )
        self.trail = trail
        ink = [sv.Color.BLACK if _light(value) else sv.Color.WHITE for value in PALETTE]
        self.label = sv.RichLabelAnnotator(
            text_color=sv.ColorPalette(ink),
            font_path=_font_path(),
            font_size=self.text_px,
            text_padding=self.padding,
            text_position=sv.Position.TOP_LEFT,
            **colours,
        )

    def paint(self, image: np.ndarray, rows: TrackRows | None) -> np.ndarray:
        """The frame with its objects, at the size of the output."""
        import cv2
        import supervision as sv

        if self.scale > 1:
            canvas = cv2.resize(image, self.size, interpolation=cv2.INTER_CUBIC)
        else:
            canvas = np.ascontiguousarray(image).copy()
        if rows is None:
            self._draw_trails(canvas, sv.Detections.empty())
            return np.asarray(canvas)
        found = sv.Detections(
            xyxy=self._boxes(rows), tracker_id=rows.track_id, class_id=rows.class_id.astype(int)
        )
        self._draw_masks(canvas, rows)
        self._draw_trails(canvas, found)
        self.box.annotate(canvas, found)
        return self._draw_labels(canvas, rows, found)

    def _boxes(self, rows: TrackRows) -> np.ndarray:
        limits = np.array([*self.size, *self.size], np.float32) - 1
        return np.clip(rows.bbox_xyxy * np.float32(self.scale), 0, limits)

    def _draw_masks(self, canvas: np.ndarray, rows: TrackRows) -> None:
        """Large objects first, each inside its own extent: whole-frame masks cost far more."""
        import supervision as sv

        found = [(i, rows.mask(i, self.height)) for i in range(len(rows))]
        masks = [(i, mask) for i, mask in found if mask is not None]
        for i, (mask, x, y) in sorted(masks, key=lambda item: -item[1][0].size):
            mask = mask.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
            height, width = mask.shape
            x, y = x * self.scale, y * self.scale
            part = canvas[y : y + height, x : x + width]
            one = sv.Detections(
                xyxy=np.array([[0, 0, width - 1, height - 1]], np.float32),
                mask=np.ascontiguousarray(mask)[None],
                tracker_id=rows.track_id[i : i + 1],
            )
            self.mask.annotate(part, one)
            self.contour.annotate(part, one)

    def _draw_trails(self, canvas: np.ndarray, found: Any) -> None:
        if self.trail:
            self.trace.annotate(canvas, found)

    def _draw_labels(self, canvas: np.ndarray, rows: TrackRows, found: Any) -> np.ndarray:
        import supervision as sv

        wishes = [
            (f"#{i} {shown(self.names[c], 30)} {s:.2f}", f"#{i}")
            for i, c, s in zip(
                rows.track_id.tolist(), rows.class_id.tolist(), rows.score.tolist(), strict=True
            )
        ]
        labels: list[Label] = place_labels(found.xyxy, wishes, self._text_size, self.size)
        # The annotator puts a label's lower left corner at the upper left corner of its box.
        corner = np.array([(label.x, label.y + label.height) for label in labels], np.float32)
        order = [label.row for label in labels]
        at = sv.Detections(
            xyxy=np.concatenate([corner, corner + 1], axis=1), tracker_id=rows.track_id[order]
        )
        return np.asarray(self.label.annotate(canvas, at, [label.text for label in labels]))

    def _text_size(self, text: str) -> tuple[int, int]:
        left, top, right, bottom = _font(self.text_px).getbbox(text)
        return int(right - left + 2 * self.padding), int(bottom - top + 2 * self.padding)


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
        options = {"preset": "veryfast"}
        if tick is not None:
            options["bf"] = "0"  # MP4's duration is that of decoding, which B-frames would shorten
        if live:
            options["tune"] = "zerolatency"
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

        frame = av.VideoFrame.from_ndarray(_padded(image, *self._size), format="bgr24")
        frame = self._yuv.reformat(
            frame,
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
    with Encoder(path, size, times.fps, _tick(times), live=False) as file:
        for number, image in enumerate(chain([first], images)):
            file.add(image, times.seconds(number))


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


def _light(value: str) -> bool:
    """Whether black is read more easily than white on a colour (Rec. 709 luma)."""
    red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 125


def _font_path() -> str:
    """matplotlib's own DejaVu Sans: there on every machine, with letters beyond ASCII."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(_font_path(), size)
