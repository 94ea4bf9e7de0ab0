"""What the platform reads of an uploaded file: its size in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labellerr_loopback.envelope import ApiError

_ORIENTATION = 0x0112  # EXIF tag
_ON_THEIR_SIDE = (5, 6, 7, 8)  # orientations that swap width and height


@dataclass(frozen=True)
class MediaInfo:
    """Width and height in px, as browsers show it; frames and frames per second of a video."""

    width: int
    height: int
    format: str
    frames: int | None = None
    fps: float | None = None


def read_media(path: Path, file_name: str) -> MediaInfo | None:
    """Header of an image or a video; None where it is neither."""
    if file_name.lower().endswith(".mp4"):
        return _video(path)
    from PIL import Image

    try:
        with Image.open(path) as image:
            suffix = file_name.rsplit(".", 1)[-1].lower()
            return MediaInfo(*_shown_size(image), suffix)
    # ultralytics, once imported, makes Pillow look for a HEIF reader that is not there
    except (OSError, ValueError, ImportError, Image.DecompressionBombError):
        return None


def frame_jpeg(path: Path, number: int) -> bytes:
    """One frame of a video as JPEG, decoded from the key frame before it.

    Raises:
        ApiError: 404 where the video has no such frame.
    """
    import io

    import av

    stamps = frame_stamps(path)
    if not 0 <= number < len(stamps):
        raise ApiError(404, f"no frame {number}; the video has {len(stamps)}")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        container.seek(stamps[number], stream=stream)
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts >= stamps[number]:
                buffer = io.BytesIO()
                frame.to_image().save(buffer, "JPEG")
                return buffer.getvalue()
    raise ApiError(404, f"frame {number} cannot be decoded")


def _shown_size(image: Any) -> tuple[int, int]:
    """After the turn that EXIF data ask for: outlines are drawn on what a browser shows."""
    from PIL import ImageOps

    try:
        turned = image.getexif().get(_ORIENTATION, 1) in _ON_THEIR_SIDE
    except Exception:  # a broken EXIF block does not make the image unreadable
        turned = False
    width, height = (ImageOps.exif_transpose(image) if turned else image).size
    return int(width), int(height)


@lru_cache(maxsize=32)  # what was uploaded never changes
def frame_stamps(path: Path) -> tuple[int, ...]:
    """When each frame of a video is shown, in units of its ``time_base``; by the packets."""
    import av

    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return tuple(sorted(p.pts for p in packets if p.pts is not None and not p.is_discard))


def _video(path: Path) -> MediaInfo | None:
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = stream.frames or sum(1 for _ in container.decode(stream))
            fps = float(stream.average_rate or 0)
            return MediaInfo(stream.width, stream.height, "mp4", frames, fps)
    except (av.error.FFmpegError, OSError, IndexError):
        return None
