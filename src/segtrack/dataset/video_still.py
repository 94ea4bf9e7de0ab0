"""One frame of a video, as a picture of it."""

from __future__ import annotations

from pathlib import Path

from segtrack.dataset.video_stream import opened


def middle_frame(path: Path, picture: Path) -> bool:
    """Write the frame in the middle, or the nearest before it that stands by itself.

    Args:
        path: of the video.
        picture: the JPEG.

    Returns:
        Whether there is one: not of a file without frames.

    Raises:
        DataError: it is no video.
    """
    import cv2

    with opened(path) as container:
        stream = container.streams.video[0]
        if stream.duration:
            container.seek((stream.start_time or 0) + stream.duration // 2, stream=stream)
        frame = next(container.decode(stream), None)
        if frame is None:
            return False
        return bool(cv2.imwrite(str(picture), frame.to_ndarray(format="bgr24")))
