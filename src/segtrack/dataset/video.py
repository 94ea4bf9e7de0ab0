"""Video files and folders of frames as a stream of images.

Frames count from 0 in the order in which they are shown, and come as a player shows them: pixels
square, turned and mirrored as the file asks. A file that cannot be read to its end yields every
frame that can be read and then raises, so that a consumer may keep what it got.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.frame_times import TimesRead
from segtrack.base.saying import say
from segtrack.dataset.frame_folder import probe_folder, read_folder
from segtrack.dataset.image_files import too_large
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.telling import Warn, unheard
from segtrack.dataset.video_names import sequence_name
from segtrack.dataset.video_pictures import pixel_shape, resized, shown, shown_ahead
from segtrack.dataset.video_rate import DEFAULT_FPS, Clock
from segtrack.dataset.video_stream import Reading, Stream, opened, video_streams
from segtrack.settings import MAX_PIXELS

# A container may count frames that a decoder rightly never shows (edit lists, dropped frames), so
# a video is called truncated only when more than this is missing.
MISSING_SHARE, MISSING_FRAMES = 0.1, 2
ODD_RATE = 1.9  # a declared rate is told apart from the time stamps' from this factor on


def probe_video(path: Path, fps: float | None = None, warn: Warn = unheard) -> VideoSequence:
    """What a video file or a folder of frames says of itself; decodes the first frame only.

    Args:
        path: a video file in any format that FFmpeg reads, or a folder of images.
        fps: frames per second where it is known better than the file knows it.
        warn: is told what was chosen or is not as the header declares.

    Returns:
        A sequence named after the file's stem or the folder. Width and height are those that
        ``read_frames`` yields. ``fps`` is the rate that the first time stamps keep to;
        ``frame_count`` is the container's own count, 0 where it has none.

    Raises:
        DataError: the path does not exist, is empty or holds nothing that can be decoded.
    """
    name = sequence_name(path)
    if path.is_dir():
        return probe_folder(path, name, fps or DEFAULT_FPS, warn)
    _require_content(path)
    chosen, *others = video_streams(path)
    with opened(path) as container:
        stream = container.streams[chosen.index]
        if problem := too_large(chosen.width, chosen.height, MAX_PIXELS):
            raise DataError(f"{path}: {problem} in a frame. Scale it down: ffmpeg -vf scale=...")
        first = next(Reading(container, stream).frames(), None)
        if first is None:
            raise DataError(
                f"{path}: no frame of this video can be decoded; it is damaged or cut short, or "
                f"its frames have more than {MAX_PIXELS} pixels. Copy or encode it again"
            )
        shape = pixel_shape(stream)
        height, width = shown(first, shape).shape[:2]
        count = int(stream.frames)
    _tell_streams(path, chosen, others, warn)
    _tell_rate(path, chosen, fps, warn)
    if round(first.width * shape) != first.width:
        message = (
            f"its pixels are {shape:.3g} times as wide as high; frames are taken as a player shows "
            f"them, {width}x{height}"
        )
        warn("anamorphic_video", str(path), message, f"coded are {first.width}x{first.height}")
    return VideoSequence(name, path, file_digest(path), width, height, fps or chosen.fps, count)


def _tell_streams(path: Path, chosen: Stream, others: list[Stream], warn: Warn) -> None:
    if not any(not other.picture for other in others):
        return
    found = "; ".join(map(str, sorted([chosen, *others], key=lambda stream: stream.index)))
    message = f"holds {1 + len(others)} video streams ({found}); {chosen.index} is taken"
    hint = "to take another, copy it out: ffmpeg -i FILE -map 0:NUMBER -c copy OTHER.mkv"
    warn("several_video_streams", str(path), message, hint)


def _tell_rate(path: Path, chosen: Stream, fps: float | None, warn: Warn) -> None:
    if fps is not None:
        return
    taken = f"{chosen.fps:.6g} frames/s are"
    if not chosen.stamped:
        message = f"has no time stamps; {taken} taken, which its header says or FFmpeg assumes"
        hint = "copy it into a container at its true rate: ffmpeg -r RATE -i FILE -c copy OTHER.mp4"
        warn("no_time_stamps", str(path), message, hint)
    elif chosen.declared and not 1 / ODD_RATE < chosen.declared / chosen.fps < ODD_RATE:
        message = f"declares {chosen.declared:.6g} frames/s, but by its time stamps {taken} shown"
        warn("odd_frame_rate", str(path), message, "the time stamps are followed")


def read_frames(sequence: VideoSequence, times: TimesRead | None = None) -> Iterator[np.ndarray]:
    """Stream the frames of ``sequence``, one in memory at a time.

    Args:
        times: is told when each frame is shown, as it comes.

    Returns:
        BGR uint8 (height, width, 3) arrays of the sequence's size.

    Raises:
        DataError: at once, where there is nothing to read; after the frames that could be read,
            where the file is damaged or ends early.
    """
    read = TimesRead() if times is None else times
    return _noted(timed_frames(sequence, read), read)


def _noted(frames: Iterator[tuple[np.ndarray, float]], times: TimesRead) -> Iterator[np.ndarray]:
    for image, seconds in frames:
        times.seconds.append(seconds)
        yield image


def timed_frames(sequence: VideoSequence, facts: TimesRead) -> Iterator[tuple[np.ndarray, float]]:
    """What ``read_frames`` streams, each with its seconds after the first.

    Args:
        facts: gets the nominal rate and the tick of the clock.
    """
    if sequence.path is None:
        raise DataError(
            f"sequence {sequence.name}: it has detections only and no frames, so nothing can be "
            "predicted or drawn on it. Give its video or its folder of frames"
        )
    facts.nominal = sequence.fps
    if sequence.path.is_dir():
        fps = sequence.fps if sequence.fps > 0 else DEFAULT_FPS
        return ((image, i / fps) for i, image in enumerate(read_folder(sequence.path)))
    _require_content(sequence.path)
    return _read_file(sequence, facts)


def _read_file(sequence: VideoSequence, facts: TimesRead) -> Iterator[tuple[np.ndarray, float]]:
    assert sequence.path is not None
    path, width, height, count = sequence.path, sequence.width, sequence.height, 0
    chosen = video_streams(path)[0]
    with opened(path) as container:
        stream = container.streams[chosen.index]
        reading, shape = Reading(container, stream), pixel_shape(stream)
        facts.tick = float(stream.time_base or 0)
        clock = Clock(chosen.fps, facts.tick)
        for frame, image in shown_ahead(reading.frames(), shape):
            if (image.shape[1], image.shape[0]) != (width, height) and width and height:
                other = f"from frame {count} on its pictures are {image.shape[1]}x{image.shape[0]}"
                _say_resized(path, f"{other}; all are made {width}x{height}, as the first is")
                image = resized(image, width, height)
            yield image, clock.seconds(frame.time)
            count += 1
        missing = _missing(container, stream, chosen.fps, reading)
        declared = _declared_frames(stream)
    if missing or (reading.damage and count < declared) or (reading.broken and not declared):
        expected = missing or (f"the container declares {declared}" if declared else "")
        reason = f" ({reading.damage[0]})" if reading.damage else ""
        raise DataError(
            f"{path}: the video is damaged or cut short: {count} frames could be read, the last "
            f"is frame {count - 1}{', ' * bool(expected)}{expected}{reason}"
        )


def _say_resized(path: Path, what: str) -> None:
    """Once for each file, though several stages read it and each picture is made so."""
    if path not in _RESIZED:
        _RESIZED.add(path)
        say(f"warning: {path}: {what}")


_RESIZED: set[Path] = set()


def _declared_frames(stream: Any) -> int:
    """How many frames the container says there are, less those that its edit list leaves out."""
    listed = len(stream.index_entries) if stream.container.format.name.startswith("mov") else 0
    return min(int(stream.frames), listed or int(stream.frames))


def _missing(container: Any, stream: Any, fps: float, reading: Reading) -> str:
    """Why clearly less was read than the container declares; empty where that is not so.

    A container without a frame count (Matroska, for one) is judged by its duration, which the
    longest of its streams sets. Some count that from zero and not from a later beginning.
    """
    declared = _declared_frames(stream)
    if declared:
        gap: float = declared - reading.packets
        if container.format.name == "avi" and reading.shown is not None:
            # What it counts are the ticks of its clock; a tick without a picture shows the last.
            gap = min(gap, declared - reading.shown / float(stream.time_base))
        few = gap > MISSING_FRAMES and gap > MISSING_SHARE * declared
        return f"the container declares {declared}" if few else ""
    if not container.duration or reading.reached is None:
        return ""
    duration = container.duration / 1e6  # AV_TIME_BASE
    start = min(0.0, (container.start_time or 0) / 1e6)
    gap_s = duration - (reading.reached - start)
    few = gap_s > (MISSING_FRAMES + 1) / fps and gap_s > MISSING_SHARE * duration
    return f"the container declares {duration:.1f} s" if few else ""


def _require_content(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path}: this video cannot be read ({error.strerror}). Check the path"
        ) from error
    if not path.is_file():
        raise DataError(
            f"{path}: this is a device or a pipe, not a video file. A camera is named by its "
            "number, video=0 for the first"
        )
    if not size:
        raise DataError(f"{path}: this video is an empty file (0 bytes). Copy it again")
