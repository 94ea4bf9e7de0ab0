"""The streams of a video: which one is watched, and its frames, decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError, of_machine
from segtrack.dataset.video_rate import nominal_rate
from segtrack.settings import MAX_PIXELS

HEAD_FRAMES, HEAD_BYTES = 300, 32 << 20  # that are looked at, not decoded, to know a file
REORDERED = 32  # frames at the end of an unfinished look, of which earlier ones may be missing
FEW = 10  # a stream with this many times fewer frames than another is a slide show beside it


@dataclass(frozen=True)
class Stream:
    """One video stream of a file, as far as its head says.

    Attributes:
        index: within the file. codec: its name. width, height: as coded, pixels.
        frames: those that are declared, else those that were seen in the head.
        picture: whether it is marked as a cover or a thumbnail. default: the file's own choice.
        fps: frames per second that time stamps say, see ``nominal_rate``.
        declared: the rate that the header declares, 0 where it does not.
        stamped: whether its frames have time stamps.
    """

    index: int
    codec: str
    width: int
    height: int
    frames: int
    picture: bool
    default: bool
    fps: float
    declared: float
    stamped: bool

    def __str__(self) -> str:
        frames = f", {self.frames} frame" if self.frames == 1 else ""
        return f"{self.index}: {self.codec} {self.width}x{self.height}{frames}"


def video_streams(path: Path) -> tuple[Stream, ...]:
    """The video streams of a file, the one that a person would watch first.

    That is the largest, of several the one that the file marks as its default: MP4 marks the first
    track whatever it is. A cover, a thumbnail and a stream of far fewer frames than another come
    after what moves.

    Raises:
        DataError: this is no video, or all it holds is a cover.
    """
    with opened(path) as container:
        found = _look(container)
        codecs = len(container.streams.video)
    if codecs and not found:
        raise DataError(
            f"{path}: its video is coded in a way that FFmpeg cannot decode here. Encode it again, "
            "as H.264 for example"
        )
    if not found:
        raise DataError(f"{path}: holds no video stream. Give a video file")
    most = max(stream.frames for stream in found)
    ranked = sorted(found, key=lambda stream: _rank(stream, most))
    if ranked[0].picture:
        raise DataError(
            f"{path}: holds a picture (cover or thumbnail) and no video stream. Give a video file"
        )
    return tuple(ranked)


def _rank(stream: Stream, most: int) -> tuple[bool, bool, int, bool]:
    still = stream.frames < most and (stream.frames == 1 or FEW * stream.frames < most)
    return stream.picture, still, -stream.width * stream.height, not stream.default


def _look(container: Any) -> list[Stream]:
    import av
    import av.format

    streams = [s for s in container.streams.video if s.codec_context is not None]
    # A raw stream has frames and no times; FFmpeg may count up some that it makes itself.
    raw = bool(container.format.flags & av.format.Flags.no_timestamps.value)
    stamps: dict[int, list[float]] = {stream.index: [] for stream in streams}
    counts = dict.fromkeys(stamps, 0)
    ended: set[int] = set()  # streams whose clock was set back
    whole, size = False, 0
    before: dict[int, int] = {}
    try:
        for packet in container.demux(streams) if streams else ():
            index = packet.stream.index
            size += packet.size
            if not packet.size or packet.is_discard:
                continue
            counts[index] += 1
            if packet.dts is not None:
                if packet.dts < before.get(index, packet.dts):
                    ended.add(index)
                before[index] = packet.dts
            if packet.pts is not None and index not in ended and not raw:
                stamps[index].append(float(packet.pts * packet.time_base))
            if counts[index] >= HEAD_FRAMES or size > HEAD_BYTES:
                break
        else:
            whole = True
    except (av.FFmpegError, OSError):
        pass  # what is damaged is said when it is decoded
    return [_stream(s, stamps[s.index], counts[s.index], whole) for s in streams]


def _stream(stream: Any, stamps: list[float], count: int, whole: bool) -> Stream:
    from av.stream import Disposition

    stamps = sorted(stamps)
    if not whole and len(stamps) > 2 * REORDERED:
        stamps = stamps[:-REORDERED]
    context = stream.codec_context
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    # A raw stream's container has no rate: FFmpeg fills in 25, and only the stream itself knows.
    rates = rates if stamps else (context.framerate, stream.guessed_rate, stream.average_rate)
    declared = [float(rate) for rate in rates if rate]
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return Stream(
        stream.index,
        context.name,
        context.width,
        context.height,
        int(stream.frames) or count,
        bool(stream.disposition & pictures),
        bool(stream.disposition & Disposition.default),
        nominal_rate(stamps, declared, float(stream.time_base or 0)),
        float(stream.average_rate or 0),
        bool(stamps),
    )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The container of a local file.

    No other may be opened by it: a text file named .mp4 can be a playlist, and FFmpeg would follow
    the addresses in it.

    Raises:
        DataError: this is no video.
    """
    import av
    import av.logging

    av.logging.set_level(None)  # FFmpeg's own messages; what matters is said in ours
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        if _of_machine(error):
            raise
        raise DataError(
            f"{path}: not readable as a video ({error_text(error)}): another kind of file, or one "
            "that lost its end, where an index may stand. Give a video that FFmpeg reads, or a "
            "folder of frames"
        ) from error
    with container:
        yield container


class Reading:
    """The frames of one stream, decoded on all cores, and what became of the file meanwhile.

    Attributes:
        damage: what could not be decoded, one text each.
        broken: whether some of that came after a frame; a recording may begin amid what it needs.
        packets: of the stream, that were read.
        reached: seconds, the latest end of a packet of any stream; None where none has a time.
        shown: the same of this stream alone.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.damage: list[str] = []
        self.broken = False
        self.packets = 0
        self.reached: float | None = None
        self.shown: float | None = None
        stream.thread_type = "AUTO"
        limit_size(stream)

    def frames(self) -> Iterator[Any]:
        """In the order of presentation. A packet that cannot be decoded is noted and passed over,
        as players do; what follows it can often be read."""
        import av

        packets = self._container.demux()
        count = 0
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self._fail(error, count)
                packet = None
            if packet is None:
                break
            self._note(packet)
            if packet.stream.index != self._stream.index:
                continue
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError) as error:
                self._fail(error, count)
                continue
            count += len(frames)
            yield from frames
        if self.damage:  # reading broke off before the decoder could be emptied
            yield from self._rest()

    def _fail(self, error: BaseException, count: int) -> None:
        if _of_machine(error):  # no damage: what follows would be left out for good
            raise error
        self.damage.append(f"{error_text(error)} near frame {count}")
        self.broken |= count > 0

    def _rest(self) -> list[Any]:
        import av

        try:
            return list(self._stream.decode(None))
        except (av.FFmpegError, ValueError) as error:  # it is empty already
            if _of_machine(error):
                raise
            return []

    def _note(self, packet: Any) -> None:
        if not packet.size:
            return
        ours = packet.stream.index == self._stream.index
        self.packets += ours
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self.reached = end if self.reached is None else max(self.reached, end)
            if ours:
                self.shown = end if self.shown is None else max(self.shown, end)


def _of_machine(error: BaseException) -> bool:
    """FFmpeg's want of memory is not: it follows from sizes that stand in damaged files, too."""
    return of_machine(error) and not isinstance(error, MemoryError)


def limit_size(stream: Any) -> None:
    """Let FFmpeg refuse frames of more than ``MAX_PIXELS``, whatever the header says of them."""
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}


def error_text(error: BaseException) -> str:
    """What FFmpeg or the system says."""
    return str(getattr(error, "strerror", None) or error)
