"""How the camera moved from each frame to the next, from the background's sparse optical flow."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.base.progress import progress

FILE = "motion.npz"
LONGER_SIDE = 640  # px; frames are made smaller to this before points are followed in them
CORNERS, QUALITY, DISTANCE = 600, 0.01, 7  # at most, share of the best corner's strength, px apart
THERE_AND_BACK = 0.5  # px; a point that is followed back has to end this near to where it began
RANSAC_PX = 2.0  # reduced pixels within which a point agrees with the motion
# An estimate counts where this part of the corners is found again (across a cut, next to none is)
# and this part of those agrees, MIN_POINTS at least.
MIN_FOUND, MIN_AGREE, MIN_POINTS = 0.1, 0.25, 12
MAX_ZOOM = 1.3  # between two frames; more is no camera


def camera_motion(frames: Iterable[np.ndarray], folder: Path, report: Report) -> None:
    """Estimate the camera's motion for every frame of one video, one frame in memory at a time.

    Corners are followed by pyramidal Lucas-Kanade (Bouguet, 2000), and RANSAC fits the rotation,
    zoom and shift (four numbers) on which most of them agree, so that moving objects in front of
    the background do not count. Where there is no such agreement (a hard cut, darkness, fog) the
    motion is the identity.

    Args:
        frames: BGR uint8 (H, W, 3), all of one size. A video that is damaged is taken as far as it
            can be read.
        folder: gets ``motion.npz``; read it with ``load_motion``.
        report: gets ``speed/camera_motion_ms`` (per frame, reading included) and
            ``track/camera_unknown`` (frames after the first without an estimate).

    Raises:
        DataError: there is no frame.
    """
    begin = time.perf_counter()
    follower = CameraFollower()
    affines: list[np.ndarray] = []
    unknown = 0
    try:
        for image in progress(frames, "camera motion", None, "frames"):
            affine = follower.step(image)
            unknown += affine is None and len(affines) > 0
            affines.append(np.eye(2, 3) if affine is None else affine)
    except DataError:
        if not affines:
            raise
    if not affines:
        raise DataError("camera motion: the video has no frame; give another one")
    np.savez_compressed(folder / FILE, affines=np.stack(affines))
    report("speed/camera_motion_ms", 1000 * (time.perf_counter() - begin) / len(affines))
    report("track/camera_unknown", unknown)


def load_motion(folder: Path) -> np.ndarray:
    """The camera's motion that ``camera_motion`` wrote.

    Returns:
        float64 (T, 2, 3): entry t maps pixels of frame t - 1 to pixels of frame t; the first is
        the identity.

    Raises:
        DataError: the folder holds none.
    """
    path = folder / FILE
    try:
        with np.load(path) as file:
            affines: np.ndarray = file["affines"]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not readable as camera motion ({error})") from error
    return affines


class CameraFollower:
    """The camera's motion, frame by frame: compares each with the one before."""

    def __init__(self) -> None:
        self._previous: np.ndarray | None = None
        self._corners: np.ndarray | None = None

    def step(self, image: np.ndarray) -> np.ndarray | None:
        """float64 (2, 3) in the image's pixels; None where it cannot be told."""
        import cv2

        small, scale = _reduced(image)
        previous, corners = self._previous, self._corners
        self._previous = small
        self._corners = cv2.goodFeaturesToTrack(small, CORNERS, QUALITY, DISTANCE)
        if previous is None or corners is None or previous.shape != small.shape:
            return None
        affine = _agreed(previous, small, corners)
        return None if affine is None else _enlarged(affine, scale)


def _agreed(previous: np.ndarray, current: np.ndarray, corners: np.ndarray) -> np.ndarray | None:
    """The motion on which enough of the corners agree, in reduced pixels."""
    import cv2

    room = np.empty_like(corners)
    forward, found, _ = cv2.calcOpticalFlowPyrLK(previous, current, corners, room)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(current, previous, forward, room.copy())
    astray = np.abs(back - corners).max(axis=(1, 2))
    good = (found.ravel() > 0) & (found_back.ravel() > 0) & (astray < THERE_AND_BACK)
    if good.sum() < max(MIN_POINTS, MIN_FOUND * len(corners)):
        return None
    affine, agree = cv2.estimateAffinePartial2D(
        corners[good], forward[good], method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX
    )
    if affine is None or agree.sum() < max(MIN_POINTS, MIN_AGREE * good.sum()):
        return None
    zoom = float(np.hypot(affine[0, 0], affine[1, 0]))
    return np.asarray(affine, np.float64) if 1 / MAX_ZOOM < zoom < MAX_ZOOM else None


def _reduced(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grey and small, with its size per that of the image: (x, y)."""
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    factor = min(1.0, LONGER_SIDE / max(height, width))
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    if factor < 1:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return grey, np.array([size[0] / width, size[1] / height])


def _enlarged(affine: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The same motion in the image's pixels, whose centres lie at whole numbers in both."""
    shift = (scale - 1) / 2  # small = scale * large + shift
    linear = affine[:, :2] * (scale[None, :] / scale[:, None])
    offset = (affine[:, :2] @ shift + affine[:, 2] - shift) / scale
    return np.concatenate([linear, offset[:, None]], axis=1)
