"""The annotated video: what a player finds in it, and what is drawn where."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError, StageError
from segtrack.base.frame_times import FrameTimes, TimesRead
from segtrack.dataset.video import probe_video, read_frames
from segtrack.tracker import TrackRows, Tracks
from segtrack.tracker.painter import PALETTE
from segtrack.tracker.tracks import TracksInfo, TracksWriter, write_info
from segtrack.tracker.video import render_video

NAMES = ("person", "voiture à cheval")


def make_tracks(folder: Path, width: int, height: int, frame_count: int) -> Tracks:
    """An object that moves right with a mask of the upper half of its box, and from frame 3 on a
    second one that stands still without a mask. Frame 2 is empty."""
    half = np.zeros((height, width), np.uint8, order="F")
    with TracksWriter(folder / "tracks.parquet") as writer:
        for frame in range(frame_count):
            if frame == 2:
                continue
            x = 20 + 2 * frame
            half[:] = 0
            half[60:80, x : x + 60] = 1
            boxes = np.array([[x, 60, x + 60, 100], [width - 60, 60, width + 5, 110]], np.float32)
            count = 2 if frame >= 3 else 1
            writer.add(
                TrackRows(
                    frame,
                    np.arange(1, count + 1),
                    np.arange(count, dtype=np.int16),
                    np.full(count, 0.87, np.float32),
                    boxes[:count],
                    [coco_mask.encode(half)["counts"], None][:count],
                    np.zeros(count, bool),
                    boxes[:count] + 1000,  # what the tracker thinks is not drawn
                )
            )
    write_info(folder, TracksInfo(NAMES, frame_count, width, height, 12.5, {}), [])
    return Tracks.load(folder)


def grey(width: int, height: int, count: int) -> Iterator[np.ndarray]:
    for _ in range(count):
        yield np.full((height, width, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("size", "output"),
    [
        ((640, 360), (640, 360)),
        ((641, 361), (642, 362)),
        ((320, 240), (640, 480)),
        ((479, 201), (958, 402)),
    ],
)
@pytest.mark.parametrize("trail", [0, 30])
def test_a_player_finds_what_it_needs(
    tmp_path: Path, size: tuple[int, int], output: tuple[int, int], trail: int
) -> None:
    tracks = make_tracks(tmp_path, *size, 12)
    path = tmp_path / "annotated [1].mp4"
    render_video(grey(*size, 12), tracks, NAMES, path, trail)
    with av.open(f"file:{path}") as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == output
        assert (stream.frames, float(stream.average_rate)) == (12, 12.5)
        assert len(list(file.decode(stream))) == 12
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads
    assert [f.name for f in tmp_path.iterdir() if ".partial" in f.name] == []


@pytest.fixture
def drawn(tmp_path: Path) -> list[np.ndarray]:
    tracks = make_tracks(tmp_path, 640, 360, 12)
    render_video(grey(640, 360, 12), tracks, NAMES, tmp_path / "a.mp4", 30)
    return list(read_frames(probe_video(tmp_path / "a.mp4")))


def bgr(value: str) -> np.ndarray:
    return np.array([int(value[i : i + 2], 16) for i in (5, 3, 1)], float)


def test_the_mask_is_the_detections_own(drawn: list[np.ndarray]) -> None:
    """The upper half of the box is tinted with the colour of the track, the lower half is not."""
    image = drawn[6].astype(float)
    tint = 0.6 * 128 + 0.4 * bgr(PALETTE[1])
    assert np.abs(image[66:76, 40:84].mean(axis=(0, 1)) - tint).max() < 12
    assert np.abs(image[84:92, 60:84].mean(axis=(0, 1)) - 128).max() < 6


def test_empty_frames_and_the_background_stay_as_they_are(drawn: list[np.ndarray]) -> None:
    assert np.abs(drawn[2].astype(int) - 128).max() < 16  # compression
    assert np.abs(drawn[11][200:].astype(int) - 128).max() < 16


def test_every_object_has_a_label_above_its_box(drawn: list[np.ndarray]) -> None:
    """A filled label has the colour of its track; the second one is moved into the frame."""
    image = drawn[6].astype(float)
    for place, colour in (
        ((slice(44, 59), slice(34, 90)), 1),
        ((slice(44, 59), slice(540, 638)), 2),
    ):
        near = np.abs(image[place] - bgr(PALETTE[colour])).max(axis=2) < 40
        assert near.mean() > 0.4


def test_the_trail_shows_where_the_object_came_from(
    drawn: list[np.ndarray], tmp_path: Path
) -> None:
    """Along the feet of the box, from frame 0 to 11, and nowhere without trails."""
    row = slice(98, 103), slice(50, 70)
    assert np.abs(drawn[11][row].astype(int) - 128).max() > 60
    tracks = Tracks.load(tmp_path)
    render_video(grey(640, 360, 12), tracks, NAMES, tmp_path / "b.mp4", 0)
    bare = list(read_frames(probe_video(tmp_path / "b.mp4")))[11]
    assert np.abs(bare[98:103, 60:66].astype(int) - 128).max() < 30


def test_ends_where_the_predictions_ended(tmp_path: Path) -> None:
    """A damaged video raises after its last good frame; that frame's number is known by then."""

    def damaged() -> Iterator[np.ndarray]:
        yield from grey(640, 360, 5)
        raise DataError("damaged")

    tracks = make_tracks(tmp_path, 640, 360, 5)
    render_video(damaged(), tracks, NAMES, tmp_path / "a.mp4", 30)
    assert probe_video(tmp_path / "a.mp4").frame_count == 5


def test_no_frame(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no frame"):
        render_video(iter(()), make_tracks(tmp_path, 640, 360, 5), NAMES, tmp_path / "a.mp4", 0)
    assert not list(tmp_path.glob("*.mp4"))


def test_nothing_is_left_of_a_render_that_failed(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from grey(640, 360, 3)
        raise OSError(28, "No space left on device")

    with pytest.raises(StageError, match=r"a\.mp4.*No space left on device"):
        render_video(broken(), make_tracks(tmp_path, 640, 360, 5), NAMES, tmp_path / "a.mp4", 0)
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*.mp4"))


@pytest.mark.parametrize(
    "seconds",
    [
        [0, 0.1, 0.15, 0.4, 1.0, 1.05, 3.3, 3.31, 60.0, 60.04],
        [0, 0.067, 0.134, 0.198, 0.265],  # a browser's recording
        [0, 1e-6, 2e-6, 1.0],  # closer than the clock of the file can tell
        [0, 86_400.0, 86_401.0],
    ],
)
def test_each_frame_keeps_its_own_time(tmp_path: Path, seconds: list[float]) -> None:
    tracks = make_tracks(tmp_path, 640, 360, len(seconds))
    FrameTimes(12.5, np.array(seconds)).save(tmp_path)
    render_video(grey(640, 360, len(seconds)), tracks, NAMES, tmp_path / "a.mp4", 30)
    read = TimesRead()
    shown = list(read_frames(probe_video(tmp_path / "a.mp4"), read))
    assert len(shown) == len(seconds)
    with av.open(f"file:{tmp_path / 'a.mp4'}") as file:
        assert file.duration / 1e6 >= seconds[-1]  # players show no frame beyond it
    tick = 1 / 1000 if seconds[-1] > 3600 else 1 / 90_000
    assert list(read.seconds) == pytest.approx(seconds, abs=3 * tick)
