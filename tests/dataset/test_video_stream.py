"""What a person would see of a video: which stream, at which times, in which shape."""

import errno
import io
import os
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import ExifTags, Image

from segtrack.base.errors import DataError
from segtrack.base.frame_times import TimesRead
from segtrack.dataset import video_pictures, video_stream
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.video import probe_video, read_frames
from tests.dataset.filming import Film, bar, film, picture, regular

VARIABLE = [0, 0.1, 0.15, 0.4, 1.0, 1.05, 3.3, 3.31]
Told = list[tuple[str, str, str, str]]


def looked_at(path: Path) -> tuple[VideoSequence, list[np.ndarray], TimesRead, Told]:
    """What is read of a video that must be whole, and what is told."""
    told: Told = []
    sequence = probe_video(path, warn=lambda *words: told.append(words))
    times = TimesRead()
    return sequence, list(read_frames(sequence, times)), times, told


def with_picture_first(path: Path, **options: Any) -> Path:
    """A small picture of one frame as the first video stream, the video as the second."""
    with Film(path) as made:
        small = made.stream(codec="mjpeg", rate=1, **{"size": (64, 48), **options})
        large = made.stream()
        made.show(small, [0])
        made.show(large, regular())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("size", [(64, 48), (640, 480)])
def test_a_thumbnail_before_the_video(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    path = with_picture_first(tmp_path / f"a.{suffix}", size=size)
    sequence, frames, times, told = looked_at(path)
    assert (sequence.width, sequence.height, sequence.fps) == (160, 120, 15.0)
    assert [bar(frame) for frame in frames] == [8 * i for i in range(12)]
    assert times.settled().fps == 15.0
    ((code, file, message, hint),) = told
    assert (code, file) == ("several_video_streams", str(path))
    text = f"2 video streams (0: mjpeg {size[0]}x{size[1]}, 1 frame; 1: h264 160x120); 1 is taken"
    assert text in message
    assert "-map 0:" in hint


def test_a_cover_is_no_video_and_not_worth_a_word(tmp_path: Path) -> None:
    def cover(stream: Any) -> None:
        stream.disposition = Disposition.attached_pic

    path = with_picture_first(tmp_path / "a.mp4", size=(640, 480), change=cover)
    sequence, frames, _, told = looked_at(path)
    assert ((sequence.width, sequence.height), len(frames), told) == ((160, 120), 12, [])


def test_a_cover_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with Film(path) as made:
        stream = made.stream(codec="mjpeg", rate=1)
        stream.disposition = Disposition.attached_pic
        made.show(stream, [0])
    with pytest.raises(DataError, match=r"song\.mp4: holds a picture \(cover or thumbnail\)"):
        probe_video(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("largest", [0, 1, 2])
def test_the_largest_of_several(tmp_path: Path, suffix: str, largest: int) -> None:
    path = tmp_path / f"a.{suffix}"
    with Film(path) as made:
        sizes = [(160, 120) if i == largest else (80, 64) for i in range(3)]
        streams = [made.stream(size=size) for size in sizes]
        for stream in streams:
            made.show(stream, regular())
    sequence, frames, _, told = looked_at(path)
    assert (sequence.width, sequence.height, len(frames)) == (160, 120, 12)
    ((code, _, message, _),) = told
    assert code == "several_video_streams"
    assert f"3 video streams (0: h264 {sizes[0][0]}x{sizes[0][1]};" in message
    assert f"{largest} is taken" in message


def test_of_equal_streams_the_default_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with Film(path) as made:
        one, two = made.stream(), made.stream()
        one.disposition, two.disposition = Disposition.original, Disposition.default
        made.show(one, regular(20))
        made.show(two, regular(10))
    assert len(looked_at(path)[1]) == 10


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "ts", "mts", "flv", "gif", "3gp"])
def test_a_variable_rate_keeps_each_time(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path / f"a.{suffix}", VARIABLE, tick=Fraction(1, 60_000), **coded(suffix))
    _, frames, read, _ = looked_at(path)
    times = read.settled()
    assert [bar(frame) for frame in frames] == [8 * i for i in range(8)]
    tick = {"mkv": 0.001, "webm": 0.001, "flv": 0.001, "gif": 0.01}.get(suffix, 1 / 12_800)
    assert times.own == pytest.approx(VARIABLE, abs=tick)
    assert times.fps == pytest.approx(7 / 3.31, rel=2e-3)


@pytest.mark.parametrize(
    "suffix", ["mp4", "mkv", "webm", "avi", "ts", "mts", "flv", "gif", "3gp", "y4m", "wmv"]
)
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_a_constant_rate_is_exact(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    """However coarse the container's clock is."""
    times = [float(i / rate) for i in range(20)]
    path = film(tmp_path / f"a.{suffix}", times, rate=rate, tick=1 / rate, **coded(suffix))
    sequence, frames, read, told = looked_at(path)
    assert (len(frames), told) == (20, [])
    if suffix != "gif":  # hundredths of a second cannot tell 29.97 from 30
        assert sequence.fps == pytest.approx(float(rate), abs=1e-6)
    assert read.settled().own is None
    assert read.settled().fps == sequence.fps


def coded(suffix: str) -> dict[str, str]:
    codecs = {"webm": "libvpx", "gif": "gif", "3gp": "mpeg4", "wmv": "wmv2"}
    codecs["y4m"] = "wrapped_avframe"
    pixels = "rgb8" if suffix == "gif" else "yuv420p"
    return {"codec": codecs.get(suffix, "libx264"), "pix_fmt": pixels}


@pytest.mark.parametrize("rate", [1, 1000, 90_000])
@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4"])
def test_the_time_stamps_are_believed(tmp_path: Path, suffix: str, rate: int) -> None:
    path = film(tmp_path / f"a.{suffix}", regular(), rate=rate, **coded(suffix))
    sequence, frames, read, told = looked_at(path)
    assert (sequence.fps, len(frames), read.settled().fps) == (15.0, 12, 15.0)
    if suffix != "mp4":
        assert told[0][0] == "odd_frame_rate"
        assert "by its time stamps 15 frames/s are shown" in told[0][2]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts", "flv", "webm"])
@pytest.mark.parametrize("start", [10, 3600])
def test_a_late_beginning_is_no_gap(tmp_path: Path, suffix: str, start: int) -> None:
    path = film(tmp_path / f"a.{suffix}", regular(start=start), **coded(suffix))
    _, frames, read, told = looked_at(path)
    assert (len(frames), read.settled().fps, told) == (12, 15.0, [])
    assert read.seconds[0] == 0.0


def test_what_an_edit_list_hides_is_not_missing(tmp_path: Path) -> None:
    """The muxer writes one for what lies before 0, as a phone does for what was trimmed."""
    path = film(tmp_path / "a.mp4", regular(120, start=-5))
    sequence, frames, read, _ = looked_at(path)
    assert sequence.frame_count == 120
    assert [bar(frame) for frame in frames] == [8 * i % 152 for i in range(75, 120)]
    assert read.settled().fps == 15.0


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts", "flv"])
def test_sound_that_is_longer(tmp_path: Path, suffix: str) -> None:
    path = with_sound(tmp_path / f"a.{suffix}", 10)
    assert len(looked_at(path)[1]) == 12


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("start", [0, 10])
def test_a_video_with_sound_that_is_cut_short(tmp_path: Path, suffix: str, start: int) -> None:
    path = with_sound(tmp_path / f"a.{suffix}", 4, regular(60, start=start), movflags="+faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"damaged or cut short: .* frames could be read"):
        looked_at(path)


def with_sound(
    path: Path, seconds: float, times: list[float] | None = None, **options: str
) -> Path:
    with Film(path, **options) as made:
        stream, sound = made.stream(), made.sound()
        made.show(stream, times or regular())
        made.play(sound, seconds, times[0] if times else 0)
    return path


def test_two_files_in_one(tmp_path: Path) -> None:
    path = film(tmp_path / "a.ts")
    path.write_bytes(2 * path.read_bytes())
    _, frames, read, _ = looked_at(path)
    assert [bar(frame) for frame in frames] == 2 * [8 * i for i in range(12)]
    assert list(read.seconds) == pytest.approx(regular(24), abs=1e-4)


def test_pictures_that_an_avi_leaves_out(tmp_path: Path) -> None:
    """Its clock ticks on; a tick without a picture is not missing."""
    times = [0, 0.04, 0.2, 1.0, 1.04, 2.0]
    path = film(tmp_path / "a.avi", times, codec="mpeg4", rate=25, tick=Fraction(1, 25))
    sequence, frames, read, _ = looked_at(path)
    assert (sequence.frame_count, len(frames)) == (51, 6)
    assert list(read.seconds) == pytest.approx(times, abs=1e-6)


@pytest.mark.parametrize("suffix", ["h264", "hevc", "mjpeg"])
def test_a_raw_stream_has_no_time_stamps(tmp_path: Path, suffix: str) -> None:
    codec = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}[suffix]
    path = film(tmp_path / f"a.{suffix}", codec=codec, tick=Fraction(1, 15))
    sequence, frames, read, told = looked_at(path)
    fps = 25.0 if suffix == "mjpeg" else 15.0  # nothing in a JPEG says a rate
    assert (len(frames), sequence.fps, read.settled().fps) == (12, fps, fps)
    assert [(code, f"{fps:g} frames/s are taken" in text) for code, _, text, _ in told] == [
        ("no_time_stamps", True)
    ]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("shape", [Fraction(2), Fraction(8, 9), Fraction(64, 45)])
def test_pixels_that_are_not_square(tmp_path: Path, suffix: str, shape: Fraction) -> None:
    path = film(tmp_path / f"a.{suffix}", tick=Fraction(1, 15), change=shaped(shape))
    sequence, frames, _, told = looked_at(path)
    width = round(160 * shape)
    assert (sequence.width, sequence.height) == (width, 120)
    assert {frame.shape for frame in frames} == {(120, width, 3)}
    at = np.array([bar(frame) for frame in frames])
    assert np.abs(at - [8 * i * float(shape) for i in range(12)]).max() <= 1.5
    ((code, _, message, hint),) = told
    assert (code, f"{width}x120" in message) == ("anamorphic_video", True)
    assert "160x120" in hint


@pytest.mark.parametrize("shape", [Fraction(1), Fraction(999, 1000), Fraction(1, 100)])
def test_pixels_that_count_as_square(tmp_path: Path, shape: Fraction) -> None:
    path = film(tmp_path / "a.mkv", change=shaped(shape))
    sequence, _, _, told = looked_at(path)
    assert (sequence.width, sequence.height, told) == (160, 120, [])


def shaped(shape: Fraction) -> Callable[[Any], None]:
    def change(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = shape

    return change


MATRICES = {
    "as it is": ((1, 0, 0, 1), lambda i: i),
    "clockwise": ((0, 1, -1, 0), lambda i: np.rot90(i, -1)),
    "upside down": ((-1, 0, 0, -1), lambda i: np.rot90(i, 2)),
    "anticlockwise": ((0, -1, 1, 0), lambda i: np.rot90(i, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda i: i[:, ::-1]),
    "flipped": ((1, 0, 0, -1), lambda i: i[::-1]),
    "transposed": ((0, 1, 1, 0), lambda i: i.swapaxes(0, 1)),
    "transversed": ((0, -1, -1, 0), lambda i: np.rot90(i, 2).swapaxes(0, 1)),
}


@pytest.mark.parametrize("way", MATRICES)
@pytest.mark.parametrize("shape", [Fraction(1), Fraction(3, 2)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_turned_and_mirrored(tmp_path: Path, way: str, shape: Fraction, suffix: str) -> None:
    """As the display matrix asks, the pixels made square before."""
    matrix, expected = MATRICES[way]

    def change(stream: Any) -> None:
        shaped(shape)(stream)
        a, b, c, d = (value << 16 for value in matrix)
        stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))

    plain = looked_at(film(tmp_path / f"plain.{suffix}", change=shaped(shape)))[1]
    sequence, frames, _, _ = looked_at(film(tmp_path / f"a.{suffix}", change=change))
    assert (sequence.height, sequence.width) == frames[0].shape[:2]
    assert plain[0].shape == (120, round(160 * shape), 3)
    for one, other in zip(frames, plain, strict=True):
        np.testing.assert_array_equal(one, expected(other))


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_exif_in_the_frames(tmp_path: Path, orientation: int, turns: int) -> None:
    """A phone's motion JPEG: EXIF is of a kind of data that PyAV does not know."""
    plain, path = picture(3), tmp_path / "a.avi"
    exif, out = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", orientation
    Image.fromarray(plain[..., ::-1]).save(out, "JPEG", exif=exif, quality=95)
    with Film(path) as made:
        stream = made.stream(codec="mjpeg", rate=10, tick=Fraction(1, 10))
        for number in range(3):
            packet = av.Packet(out.getvalue())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base = Fraction(1, 10)
            made.file.mux(packet)
    frames = looked_at(path)[1]
    assert len(frames) == 3
    for frame in frames:
        assert frame.shape == np.rot90(plain, turns).shape
        assert np.abs(frame.astype(int) - np.rot90(plain, turns)).mean() < 12


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [("ffv1", "gray"), ("ffv1", "gray16le"), ("ffv1", "yuva420p"), ("ffv1", "bgra")],
)
def test_other_pixels(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    frames = looked_at(film(tmp_path / "a.mkv", codec=codec, pix_fmt=pix_fmt))[1]
    assert {(frame.shape, frame.dtype) for frame in frames} == {((120, 160, 3), np.dtype("u1"))}
    grey = picture(5).mean(axis=2)
    assert np.corrcoef(frames[5].mean(axis=2).ravel(), grey.ravel())[0, 1] > 0.8


def test_damage_inside_a_file_that_declares_no_frames(tmp_path: Path) -> None:
    """A frame that is lost shifts the numbers of all that follow."""
    path = film(tmp_path / "a.mkv", regular(40))
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(1).integers(0, 256, len(data) // 10, np.uint8).tobytes()
    data[len(data) // 2 : len(data) // 2 + len(noise)] = noise
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged or cut short: \d+ frames could be read"):
        looked_at(path)


def test_a_recording_that_begins_amid_others(tmp_path: Path) -> None:
    """What its first frames refer to is not there; that is no damage."""
    path = film(tmp_path / "a.ts", regular(60), change=lambda s: setattr(s, "gop_size", 10))
    data = path.read_bytes()
    path.write_bytes(data[188 * (len(data) // 188 // 2) :])
    frames = looked_at(path)[1]
    assert 15 < len(frames) < 40


def test_threads_convert_frames_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4")
    monkeypatch.setattr(video_pictures, "CONVERTERS", 0)
    sequence, one_by_one, times, _ = looked_at(path)
    monkeypatch.setattr(video_pictures, "CONVERTERS", 3)
    _, beside, same_times, _ = looked_at(path)
    np.testing.assert_array_equal(beside, one_by_one)
    assert same_times.seconds == times.seconds
    frames = read_frames(sequence)
    next(frames)
    frames.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("convert")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_while_another_thread_has_read_frames(tmp_path: Path) -> None:
    """FFmpeg's converter has threads, which a fork lacks and would wait for if it freed it."""
    sequence = probe_video(film(tmp_path / "a.mp4", regular(3)))
    done, end = threading.Event(), threading.Event()

    def read() -> None:
        list(read_frames(sequence))
        done.set()
        end.wait()

    thread = threading.Thread(target=read)
    thread.start()
    assert done.wait(30)
    child = os.fork()
    if not child:
        os._exit(3)
    until = time.monotonic() + 30
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < until:
        time.sleep(0.01)
    end.set()
    thread.join()
    if not ended[0]:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the fork waits for ever")
    assert os.waitstatus_to_exitcode(ended[1]) == 3


def test_a_machine_that_fails_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is damaged is left out, and the result is kept."""
    path = film(tmp_path / "a.mp4", regular(3))
    reading: Any = SimpleNamespace(damage=[], broken=False)
    for code in (errno.EMFILE, errno.ESTALE):
        with pytest.raises(OSError, match=rf"Errno {code}"):
            video_stream.Reading._fail(reading, av.error.OSError(code, "lost", str(path)), 2)
    for error in (av.error.MemoryError(errno.ENOMEM, "lost"), av.error.OSError(errno.EIO, "lost")):
        video_stream.Reading._fail(reading, error, 2)  # FFmpeg says so of damaged files, too
    assert reading.damage == ["lost near frame 2"] * 2 and reading.broken

    def full(*_: Any, **__: Any) -> Any:
        raise av.error.OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(av, "open", full)
    with pytest.raises(OSError, match="Too many open files"):
        probe_video(path)
