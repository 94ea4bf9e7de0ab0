"""Tracking in streams: a clip is sent over HTTP in real time, as a camera would."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import LiveStream, live
from segtrack.tracker import validate_results
from tests.forked import Running
from tests.integration.conftest import Project
from tests.model.conftest import make_tiny_weights

WIDTH, HEIGHT, FPS = 64, 48, 25


def picture(number: int) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    x = (3 * number) % (WIDTH - 16)
    image[16:32, x : x + 16] = (0, 0, 230)
    image[:8, :, 1] = 10 * (number % 25)
    return image


def clip(path: Path, frames: int, form: str = "mpegts", begin: int = 0) -> bytes:
    with av.open(str(path), "w", format=form) as file:
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        stream: Any = file.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 5
        for number in range(begin, begin + frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path.read_bytes()


class Camera(http.server.ThreadingHTTPServer):
    """Sends ``data`` at the pace of ``seconds`` to every client, then closes."""

    daemon_threads = True

    def __init__(self, data: bytes, seconds: float, times: int = 1) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.seconds, self.times, self.clients = data, seconds, times, 0
        self.whole = False  # the length is said
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/street/cam.ts"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        camera = self.server
        assert isinstance(camera, Camera)
        camera.clients += 1
        if camera.clients > camera.times:
            self.send_error(503)
            return
        self.send_response(200)
        if camera.whole:
            self.send_header("Content-Length", str(len(camera.data)))
        self.end_headers()
        part = 188 * 4
        pause = camera.seconds * part / len(camera.data)
        for start in range(0, len(camera.data), part):
            try:
                self.wfile.write(camera.data[start : start + part])
                self.wfile.flush()
            except OSError:
                return
            time.sleep(pause)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Callable[..., Camera]]:
    made: list[Camera] = []

    def make(frames: int, seconds: float, times: int = 1, **clip_args: Any) -> Camera:
        made.append(Camera(clip(tmp_path / "clip.ts", frames, **clip_args), seconds, times))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()
        one.server_close()


def test_a_slow_reader_gets_the_newest_frames(
    camera: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAUSE_S", 0.1)
    with LiveStream(camera(75, 3.0).url, retry_s=0.2) as stream:
        assert (stream.width, stream.height, stream.recording) == (WIDTH, HEIGHT, False)
        times = []
        for frame in stream.frames():
            assert frame.image.shape == (HEIGHT, WIDTH, 3)
            times.append(frame.time_s)
            time.sleep(0.2)
    assert 5 <= len(times) <= 25 and times[0] == 0
    assert np.diff(times).min() > 0.05 and 1.5 < times[-1] < 5
    assert stream.dropped > 20
    assert "did not come back within 0.2 s" in stream.ended


def test_a_lost_connection_is_made_again(
    camera: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAUSE_S", 0.1)
    source = camera(25, 0.5, times=3)
    told: list[str] = []
    with LiveStream(source.url, 0.5, told.append) as stream:
        count = sum(1 for _ in stream.frames())
    assert source.clients > 3
    assert stream.reconnected == 2
    assert len(told) == 3 and all("trying again for 0.5 s" in line for line in told)
    assert count + stream.dropped >= 60


def test_a_recording_is_read_whole(tmp_path: Path, camera: Callable[..., Camera]) -> None:
    source = camera(40, 0.2, form="mp4")
    source.data = clip(tmp_path / "whole.mp4", 40, "mp4")
    source.times, source.whole = 9, True
    with LiveStream(source.url) as stream:
        assert stream.recording
        times = []
        for frame in stream.frames():
            times.append(frame.time_s)
            time.sleep(0.01)
    assert len(times) == 40 and stream.dropped == 0
    assert times == pytest.approx(np.arange(40) / FPS, abs=1e-4)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_hls_goes_on_while_its_list_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSE_S", 0.1)
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    parts = [f"#EXTINF:1.0,\n{i}.ts\n" for i in range(5)]
    for i in range(5):
        clip(tmp_path / f"{i}.ts", FPS, begin=FPS * i)
    listed = tmp_path / "cam.m3u8"
    listed.write_text(head + "".join(parts[:3]))
    handler = partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with LiveStream(f"http://127.0.0.1:{server.server_port}/cam.m3u8", retry_s=1.0) as stream:
            assert not stream.recording
            count = 0
            for _ in stream.frames():
                count += 1
                if count + stream.dropped >= FPS:
                    listed.write_text(head + "".join(parts) + "#EXT-X-ENDLIST\n")
        assert count + stream.dropped == 5 * FPS
        with LiveStream(f"http://127.0.0.1:{server.server_port}/cam.m3u8") as stream:
            assert stream.recording
            assert sum(1 for _ in stream.frames()) == 5 * FPS
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://me:secret@127.0.0.1:9/cam", r"video=http://\*\*\*@127\.0\.0\.1:9/cam: "),
        ("rtsp://127.0.0.1:9/cam", "Check the address"),
        ("77", "there is no camera 77 here.*give another camera's number"),
        ("clip.mp4", "is no camera"),
    ],
)
def test_what_is_not_there(address: str, says: str) -> None:
    begin = time.monotonic()
    with pytest.raises(DataError, match=says) as caught:
        LiveStream(address)
    assert "secret" not in str(caught.value)
    assert time.monotonic() - begin < 15


def test_a_camera_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    class Capture:
        def __init__(self, number: int) -> None:
            assert number == 3
            self.left = 5

        def isOpened(self) -> bool:
            return True

        def get(self, what: int) -> float:
            return 15.0

        def read(self) -> tuple[bool, np.ndarray]:
            time.sleep(0.02)
            self.left -= 1
            return self.left >= 0, picture(self.left)

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    with LiveStream("3", retry_s=0.0) as stream:
        assert stream.fps == 15
        assert sum(1 for _ in stream.frames()) + stream.dropped == 5
    assert "camera 3 gives no more frames" in stream.ended


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_weights(tmp_path_factory.mktemp("tiny") / "tiny.pt").path


def words(url: str, weights: Path, *more: str) -> list[str]:
    return [
        *("stages=[track]", f"video={url}", f"model.weights={weights}", "model.imgsz=32"),
        *("model.conf_floor=0.0001", "tracker.track_thresh=0.0002", "tracker.low_thresh=0.0001"),
        *(
            "tracker.new_track_thresh=0.0002",
            "tracker.fuse_score=false",
            "hydra.run.dir=out",
            *more,
        ),
    ]


def results_of(project: Project) -> dict[str, Any]:
    path = project.folder / "out" / "tracking" / "cam" / "results.json"
    validate_results(path)
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def frames_of(project: Project) -> list[float]:
    with av.open(str(project.folder / "out" / "tracking" / "cam" / "annotated.mp4")) as file:
        return [float(frame.time or 0) for frame in file.decode(video=0)]


def test_video_seconds_end_a_stream(
    project: Project, camera: Callable[..., Camera], tiny: Path
) -> None:
    done = project.run(*words(camera(25 * 90, 90.0, times=9).url, tiny, "video_seconds=2"))
    assert done.code == 0, done.err
    assert "ended by video_seconds=2" in done.out
    document = results_of(project)
    count = document["video"]["frame_count"]
    assert count > 5 and (document["video"]["width"], document["video"]["height"]) == (64, 48)
    assert document["objects"] and document["tracks"]
    last = document["objects"][-1]
    assert last["frame"] < count and 0 < last["time_s"] < 6
    shown = frames_of(project)
    assert len(shown) == count
    seen = {one["frame"]: one["time_s"] for one in document["objects"]}
    offset = shown[0]
    for frame, seconds in seen.items():
        assert shown[frame] - offset == pytest.approx(seconds, abs=2e-3)
    ids = {one["track_id"]: one["class_id"] for one in document["tracks"]}
    assert {one["track_id"] for one in document["objects"]} == set(ids)
    mot = (project.folder / "out" / "tracking" / "cam" / "mot.txt").read_text().splitlines()
    assert len(mot) == len(document["objects"])


def started(project: Project, *given: str) -> Running:
    process = project.start(*given, merged=True)
    path = project.folder / "out" / "tracking" / "cam" / "results.json"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if path.is_file() and '"frame": 9,' in path.read_text(errors="replace"):
            return process
        assert process.poll() is None, process.out
        time.sleep(0.1)
    process.kill()
    raise AssertionError(process.out)


@pytest.mark.parametrize("video", ["77", "http://me:hunter2@127.0.0.1:9/cam"])
def test_nothing_is_left_of_what_is_not_there(
    here: Any, project: Project, tiny: Path, video: str
) -> None:
    done = here(*words(video, tiny))
    assert done.code == 2
    assert "error: video=" in done.err and "hunter2" not in done.err
    assert not (project.folder / "out" / "tracking").exists()
    assert project.runs() == []


def test_a_page_is_no_video(here: Any, tiny: Path) -> None:
    done = here(*words("https://youtu.be/abc", tiny))
    assert done.code == 2
    assert (
        "video=https://youtu.be/abc: a page of youtu.be, not a video: download it first" in done.err
    )
    assert "yt-dlp" in done.err


def test_what_a_stream_cannot_have(here: Any, tiny: Path) -> None:
    done = here(*words("0", tiny, "tracks.interpolate=3", "tracks.min_length=2"))
    assert done.code == 2 and done.err.count("while a stream runs") == 2
    done = here(*words("clip.mp4", tiny, "video_seconds=3"))
    assert done.code == 2 and "video_seconds=3" in done.err


def test_ctrl_c_leaves_a_whole_result(
    project: Project, camera: Callable[..., Camera], tiny: Path
) -> None:
    process = started(project, *words(camera(25 * 120, 120.0, times=9).url, tiny))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "ended by Ctrl-C" in out
    document = results_of(project)
    assert len(frames_of(project)) == document["video"]["frame_count"]


def test_kill_leaves_what_was_written(
    project: Project, camera: Callable[..., Camera], tiny: Path
) -> None:
    process = started(project, *words(camera(25 * 120, 120.0, times=9).url, tiny))
    time.sleep(3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    document = results_of(project)
    assert document["video"]["frame_count"] > 9
    assert len(frames_of(project)) > 0


def test_secrets_of_an_address_are_not_recorded(
    project: Project, camera: Callable[..., Camera], tiny: Path
) -> None:
    url = (
        camera(25 * 90, 90.0, times=9).url.replace("http://", "http://me:hunter2@")
        + "?token=hunter3"
    )
    done = project.run(*words(url.replace("=", "\\="), tiny, "video_seconds=0.5"))
    assert done.code == 0, done.err
    assert "hunter" not in done.out + done.err
    recorded = [p for p in (project.folder / "mlruns").rglob("*") if p.is_file()]
    recorded += list((project.folder / "out" / "tracking").rglob("*.json"))
    assert recorded
    for path in recorded:
        assert b"hunter" not in path.read_bytes(), path
