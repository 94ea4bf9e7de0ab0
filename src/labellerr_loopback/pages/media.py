"""Pictures as a browser shows them: thumbnails, and the times of a video's frames."""

from __future__ import annotations

import io
from pathlib import Path

from labellerr_loopback.envelope import ApiError
from labellerr_loopback.images import frame_jpeg, frame_stamps

_SIDE = 480  # px of a thumbnail's longer side
_QUALITY = 80


def thumbnail(path: Path, file_name: str) -> bytes:
    """A small JPEG of an image, or of a video's first frame.

    Raises:
        ApiError: 415 where the file cannot be decoded.
    """
    from PIL import Image, ImageOps

    source = io.BytesIO(frame_jpeg(path, 0)) if file_name.lower().endswith(".mp4") else path
    try:
        with Image.open(source) as image:
            image.draft("RGB", (_SIDE, _SIDE))  # a JPEG is decoded no larger than needed
            image.thumbnail((_SIDE, _SIDE))
            return _written(ImageOps.exif_transpose(image).convert("RGB"), "JPEG")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ApiError(415, f"{file_name}: cannot be decoded ({error})") from error


def as_png(path: Path, file_name: str) -> bytes:
    """An image of a kind that browsers do not show, such as TIFF.

    Raises:
        ApiError: 415 where the file cannot be decoded.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return _written(ImageOps.exif_transpose(image).convert("RGB"), "PNG")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ApiError(415, f"{file_name}: cannot be decoded ({error})") from error


def frame_times(path: Path) -> list[float]:
    """When each frame of a video is shown, in s from the first one's time on, to 1 us.

    A rate that varies is no matter.
    """
    import av

    with av.open(str(path)) as container:
        unit = container.streams.video[0].time_base or 0
    stamps = frame_stamps(path)
    return [round(float((stamp - stamps[0]) * unit), 6) for stamp in stamps]


def _written(image: object, kind: str) -> bytes:
    from PIL import Image

    assert isinstance(image, Image.Image)
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=_QUALITY)
    return buffer.getvalue()
