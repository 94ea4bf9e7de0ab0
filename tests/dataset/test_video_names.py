"""Which files of a folder are videos, and what is said of the others."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import pytest

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.dataset import sequences_from
from segtrack.dataset.video_names import VIDEO_SUFFIXES, is_video, sequence_name, unique_names
from tests.dataset.filming import film, picture

Told = list[tuple[str, str, str, str]]
OTHER: dict[str, dict[str, Any]] = {
    ".webm": {"codec": "libvpx"},
    ".wmv": {"codec": "wmv2"},
    ".mpg": {"codec": "mpeg2video", "rate": 25, "tick": Fraction(1, 25)},
    ".mjpeg": {"codec": "mjpeg"},
    ".hevc": {"codec": "libx265"},
    ".y4m": {"codec": "wrapped_avframe"},
    ".gif": {"codec": "gif", "pix_fmt": "rgb8"},
    ".3gp": {"codec": "mpeg4"},
}
LIKE = {".ivf": ".webm", ".asf": ".wmv", ".3g2": ".3gp"}
LIKE |= dict.fromkeys((".mpeg", ".vob", ".m2v"), ".mpg")
WRITTEN = (
    *(".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".gif", ".h264", ".hevc", ".ivf", ".m2t"),
    *(".m2ts", ".m2v", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".nut"),
    *(".ts", ".vob", ".webm", ".wmv", ".y4m"),
)


_made: dict[str, bytes] = {}


def made(path: Path, suffix: str) -> Path:
    """A video as its suffix says, in a file of any name."""
    if suffix not in _made:
        options = {"tick": Fraction(1, 15), **OTHER.get(LIKE.get(suffix, suffix), {})}
        format_of = {".m2t": ".ts", ".m2ts": ".mts", ".f4v": ".mp4", ".3g2": ".3gp"}
        source = film(path.with_suffix(format_of.get(suffix, suffix)), **options)
        _made[suffix] = source.read_bytes()
        source.unlink()
    path.write_bytes(_made[suffix])
    return path


def told_of(pattern: Path | str) -> tuple[list[str], Told]:
    told: Told = []
    found = sequences_from(str(pattern), lambda *words: told.append(words))
    return [sequence.name for sequence in found], told


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("name", ["a{}", "a{}.UPPER", "b", "b.recording"])
def test_every_kind_of_video_is_taken_from_a_folder(tmp_path: Path, suffix: str, name: str) -> None:
    """By its suffix in either case, else by its bytes."""
    if "UPPER" in name:
        name = f"a{suffix.upper()}"
    if suffix in (".mjpeg", ".m2v") and name.startswith("b"):
        pytest.skip("its beginning is that of other files too")
    (tmp_path / "folder").mkdir()
    path = made(tmp_path / "folder" / name.format(suffix), suffix)
    assert is_video(path)
    for pattern in (tmp_path / "folder", tmp_path / "folder" / "*"):
        names, told = told_of(pattern)
        assert names == [path.stem]
        assert [code for code, *_ in told if code == "no_video"] == []


def test_what_is_no_video_is_said_once(tmp_path: Path) -> None:
    made(tmp_path / "one.mp4", ".mp4")
    made(tmp_path / "two.mp4", ".mp4")
    for name in ("app.ts", "notes.txt", "song.mp3", "LICENSE", "x.bin"):
        (tmp_path / name).write_text("const a: number = 1;\n" * 90)
    for name in ("Thumbs.db", ".DS_Store", "._one.mp4", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0" * 100)
    still = cv2.imencode(".png", picture(1))[1]
    still.tofile(tmp_path / "cover.jpg")
    names, told = told_of(tmp_path)
    assert names == ["one", "two"]
    ((code, file, message, hint),) = told
    assert (code, file) == ("no_video", str(tmp_path))
    assert message == "6 files are no videos and left out: LICENSE, app.ts, cover.jpg and 3 more"
    assert "name one by itself" in hint
    names, told = told_of(tmp_path / "*.[mt]*")
    assert names == ["one", "two"]
    assert "3 files are no videos and left out: app.ts, notes.txt, song.mp3" in told[0][2]


def test_a_glob_of_no_videos(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("text")
    with pytest.raises(DataError, match=r"no video or folder matches.*; a\.xyz can be named"):
        sequences_from(str(tmp_path / "*.xyz"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.ts", b"export const a = 1;\n" * 50),
        ("G.ts", b"GGGG" * 400),
        ("a.bin", b"\x00\x00\x00\x1cftypheic" + bytes(400)),
        ("a.bin", b"\x00\x00\x00\x1cftypisom" + bytes(400)),
        ("a", b"\x1aE\xdf\xa3" + bytes(400)),
        ("a", b""),
        ("a.gif", cv2.imencode(".gif", picture(1))[1].tobytes()),
        ("a.png", b""),
        (".hidden.mp4", b"x"),
        ("a.m4a", b"\x00\x00\x00\x1cftypM4A "),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert not is_video(path)


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    path = made(tmp_path / "notes.txt", ".mkv")
    assert not is_video(path)
    assert told_of(path) == (["notes"], [])


def test_a_gif_is_a_video_where_it_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "a.gif", ".gif")
    (sequence,) = sequences_from(str(path))
    assert (sequence.fps, sequence.width, sequence.height) == (15.0, 160, 120)


def test_without_a_listener_people_get_one_line_per_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        made(tmp_path / f"{name}.h264", ".h264")
    (tmp_path / "x.txt").touch()
    assert len(sequences_from(str(tmp_path))) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert any("1 file is no video and left out: x.txt" in line for line in lines)
    assert any("no time stamps" in line and "2 more like it" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.mp4", "a"),
        ("a.b.c.mp4", "a.b.c"),
        ("..mp4", "."),
        ("...mp4", ".."),
        ("-x.mp4", "-x"),
        ("[1] {2} 🚗.mp4", "[1] {2} 🚗"),
        ("video", "video"),
        ("ä" * 120 + ".mp4", "ä" * 120),
    ],
)
def test_names(tmp_path: Path, name: str, expected: str) -> None:
    """The stem; what is made of it for a folder is valid."""
    path = made(tmp_path / name, ".mp4")
    assert sequence_name(path) == expected
    (sequence,) = sequences_from(str(path))
    assert sequence.name == expected
    (tmp_path / "runs").mkdir()
    folder = tmp_path / "runs" / level(sequence.name)
    folder.mkdir()
    assert folder.resolve().parent == (tmp_path / "runs").resolve()


def test_names_that_some_systems_take_for_one(tmp_path: Path) -> None:
    for place, name in (("1", "é"), ("2", "e\u0301"), ("3", "É"), ("4", "é-2")):
        (tmp_path / place).mkdir()
        made(tmp_path / place / f"{name}.mp4", ".mp4")
    names, told = told_of(tmp_path / "*" / "*.mp4")
    assert names == ["é", "e\u0301-2", "É-3", "é-2-2"]
    assert [code for code, *_ in told] == ["sequence_name"] * 3
    assert unique_names(()) == ()


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(s == s.lower() and s.startswith(".") for s in VIDEO_SUFFIXES)


@pytest.mark.parametrize("moving", [".mp4", ".gif"])
def test_a_folder_of_videos_and_pictures_is_one_of_videos(tmp_path: Path, moving: str) -> None:
    made(tmp_path / f"b{moving}", moving)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), picture(number))
    names, told = told_of(tmp_path)
    assert names == ["b"]
    assert [(code, message) for code, _, message, _ in told] == [
        ("no_video", "3 files are no videos and left out: 0.jpg, 1.jpg, 2.jpg")
    ]


def test_gif_pictures_are_frames(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    for number in range(3):
        cv2.imencode(".gif", picture(number))[1].tofile(tmp_path / "walk" / f"{number}.gif")
    (sequence,) = sequences_from(str(tmp_path / "walk"))
    assert (sequence.name, sequence.frame_count) == ("walk", 3)


def test_folders_that_are_not_looked_into_are_said(tmp_path: Path) -> None:
    made(tmp_path / "one.mp4", ".mp4")
    for folder in ("sub", "notes", ".git", "__MACOSX"):
        (tmp_path / folder).mkdir()
    made(tmp_path / "sub" / "two.mp4", ".mp4")
    names, told = told_of(tmp_path)
    assert names == ["one"]
    ((code, file, message, hint),) = told
    assert (code, file) == ("no_sequence", str(tmp_path))
    assert message == "2 folders have neither frames nor ground truth and are left out: notes, sub"
    assert f"'{tmp_path}/**/*.mp4'" in hint
    assert told_of(tmp_path / "**" / "*.mp4")[0] == ["one", "two"]


def test_a_link_to_nothing_is_not_left_out_silently(tmp_path: Path) -> None:
    made(tmp_path / "one.mp4", ".mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(DataError, match=r"gone\.mp4: this video cannot be read \(No such file"):
        sequences_from(str(tmp_path))
    with pytest.raises(DataError, match=r"gone\.mp4: this video cannot be read \(No such file"):
        sequences_from(str(tmp_path / "*"))


def test_a_device_is_no_file() -> None:
    with pytest.raises(DataError, match=r"/dev/null: this is a device or a pipe.*video=0"):
        sequences_from("/dev/null")
