"""Videos of grey frames."""

from __future__ import annotations

import io

import numpy as np

WIDTH, HEIGHT, FRAMES = 640, 360, 40  # of ``film``


def small_video(frames: int, size: tuple[int, int], fps: int) -> bytes:
    """H.264 in MP4."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for i in range(frames):
            image = np.full((size[1], size[0], 3), 40 * i % 256, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return buffer.getvalue()


def film(codec: str = "libx264") -> bytes:
    """Frame n is of a grey of its own, so that what is shown can be told; with B frames."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        fine = {"libx264": {"crf": "10", "bf": "3"}, "mpeg4": {"qmin": "1", "qmax": "1"}}
        options = {"g": "12", "b": "20000000", **fine[codec]}
        stream = container.add_stream(codec, rate=20, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 20 + 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
