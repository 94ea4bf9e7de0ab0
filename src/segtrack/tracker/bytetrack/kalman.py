"""The Kalman filters of a video's tracks: boxes that move at a constant velocity.

The model is that of DeepSORT and ByteTrack (``yolox/tracker/kalman_filter.py``). Its noise is
diagonal, so the filter of eight numbers falls into four of a position and a velocity. Those of x, y
and height have the same noise, hence the same covariance, which is kept once.

Tracks are rows of an array ``state``, float64 (capacity, 14).
"""

from __future__ import annotations

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.tracker.bytetrack.lifecycle import DETECTION, LOST, ROW_BEFORE, STATUS, UNCONFIRMED

# Columns of ``state``: box centre, width / height, height (pixels), their velocities per frame,
# and covariances position-position, position-velocity, velocity-velocity.
X, Y, ASPECT, HEIGHT, VX, VY, VASPECT, VHEIGHT = range(8)
PP, PV, VV = 8, 9, 10  # of x, y and height
ASPECT_PP, ASPECT_PV, ASPECT_VV = 11, 12, 13
STATE_COLUMNS = 14

POSITION_NOISE, VELOCITY_NOISE = 1 / 20, 1 / 160  # standard deviations, in heights


@compiled
def predict(state: np.ndarray, book: np.ndarray, count: int, motion: np.ndarray) -> None:
    """Move every track to this frame: by its own velocity, then with the camera.

    Unconfirmed tracks stay where they were seen, as in the reference. ``motion`` (2, 3) maps the
    previous frame to this one: centre and velocity go through its 2x2 part, heights and standard
    deviations through that part's scale, which is exact for a turn, zoom and shift
    (BoT-SORT's compensation, Aharon et al. 2022, section 3.2, for this state).
    """
    moving = not (
        motion[0, 0] == 1
        and motion[1, 1] == 1
        and motion[0, 1] == 0
        and motion[1, 0] == 0
        and motion[0, 2] == 0
        and motion[1, 2] == 0
    )
    scale = np.sqrt(abs(motion[0, 0] * motion[1, 1] - motion[0, 1] * motion[1, 0]))
    for i in range(count):
        s = state[i]
        if book[i, STATUS] != UNCONFIRMED:
            if book[i, STATUS] == LOST:
                s[VHEIGHT] = 0.0
            position = (POSITION_NOISE * s[HEIGHT]) ** 2
            velocity = (VELOCITY_NOISE * s[HEIGHT]) ** 2
            s[PP] += 2 * s[PV] + s[VV] + position
            s[PV] += s[VV]
            s[VV] += velocity
            s[ASPECT_PP] += 2 * s[ASPECT_PV] + s[ASPECT_VV] + 1e-2**2
            s[ASPECT_PV] += s[ASPECT_VV]
            s[ASPECT_VV] += 1e-5**2
            for k in range(4):
                s[k] += s[VX + k]
        if moving:
            for k in (X, VX):
                x, y = s[k], s[k + 1]
                s[k] = motion[0, 0] * x + motion[0, 1] * y
                s[k + 1] = motion[1, 0] * x + motion[1, 1] * y
            s[X] += motion[0, 2]
            s[Y] += motion[1, 2]
            s[HEIGHT] *= scale
            s[VHEIGHT] *= scale
            for k in range(PP, ASPECT_PP):
                s[k] *= scale**2


@compiled
def update(state: np.ndarray, book: np.ndarray, count: int, measured: np.ndarray) -> None:
    """Take in the detections of the tracks that have one; new tracks begin with theirs.

    Args:
        measured: float32 (N, 4), from ``measurements``.
    """
    for i in range(count):
        j = book[i, DETECTION]
        if j >= 0 and book[i, ROW_BEFORE] < 0:
            _begin(state[i], measured[j])
        elif j >= 0:
            _correct(state[i], measured[j])


@compiled
def _correct(s: np.ndarray, measured: np.ndarray) -> None:
    """The Kalman update with a measured x, y, aspect, height."""
    noise = (POSITION_NOISE * s[HEIGHT]) ** 2
    sum_ = s[PP] + noise
    gain, velocity_gain = s[PP] / sum_, s[PV] / sum_
    for k in (X, Y, HEIGHT):
        difference = measured[k] - s[k]
        s[k] += gain * difference
        s[VX + k] += velocity_gain * difference
    s[PP] -= gain * gain * sum_
    s[VV] -= velocity_gain * velocity_gain * sum_
    s[PV] -= gain * velocity_gain * sum_
    sum_ = s[ASPECT_PP] + 1e-1**2
    gain, velocity_gain = s[ASPECT_PP] / sum_, s[ASPECT_PV] / sum_
    difference = measured[ASPECT] - s[ASPECT]
    s[ASPECT] += gain * difference
    s[VASPECT] += velocity_gain * difference
    s[ASPECT_PP] -= gain * gain * sum_
    s[ASPECT_VV] -= velocity_gain * velocity_gain * sum_
    s[ASPECT_PV] -= gain * velocity_gain * sum_


@compiled
def _begin(s: np.ndarray, measured: np.ndarray) -> None:
    """A filter that has seen one measurement and stands still."""
    for k in range(4):
        s[k], s[VX + k] = measured[k], 0.0
    s[PP] = (2 * POSITION_NOISE * s[HEIGHT]) ** 2
    s[PV] = 0.0
    s[VV] = (10 * VELOCITY_NOISE * s[HEIGHT]) ** 2
    s[ASPECT_PP], s[ASPECT_PV], s[ASPECT_VV] = 1e-2**2, 0.0, 1e-5**2


@compiled
def boxes_of(state: np.ndarray, count: int) -> np.ndarray:
    """float32 (count, 4): x1, y1, x2, y2 of the tracks' estimates."""
    boxes = np.empty((count, 4), np.float32)
    for i in range(count):
        width, height = state[i, ASPECT] * state[i, HEIGHT], state[i, HEIGHT]
        x1, y1 = state[i, X] - width / 2, state[i, Y] - height / 2
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = x1, y1, x1 + width, y1 + height
    return boxes


@compiled
def measurements(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detections as the reference sees them, after its way through x, y, width and height.

    Returns:
        float32 (N, 4) boxes, and float32 (N, 4) x, y, aspect, height.
    """
    boxes, measured = np.empty_like(box), np.empty_like(box)
    half = np.float32(0.5)
    for i in range(len(box)):
        for k in range(2):
            size = box[i, k + 2] - box[i, k]
            low = np.float32(np.float64((box[i, k] + box[i, k + 2]) * half) - np.float64(size) / 2)
            boxes[i, k], boxes[i, k + 2] = low, low + size
            measured[i, k] = low + size * half
            measured[i, k + 2] = size
        measured[i, ASPECT] /= measured[i, HEIGHT]
    return boxes, measured
