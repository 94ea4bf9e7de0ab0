"""Speeds on the ground, through a homography of four points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtrack.counting.paths import Path
from segtrack.counting.zones import signed_distance

Floats = NDArray[np.float64]
KMH = 3.6  # of a metre per second
REACH = 0.5  # how far beyond the four points is measured: of the root of their area on the ground
ROWS = 3  # of a window, from which a slope can be told from jitter


@dataclass(frozen=True)
class Ground:
    """The plane that four points span.

    Attributes:
        matrix: float64 (3, 3), from px to m, 0 in the middle of the four points; the denominator is
            positive on their side of the horizon.
        corners: float64 (4, 2), m, likewise.
    """

    matrix: Floats
    corners: Floats

    @staticmethod
    def of(image: Floats, ground: Floats) -> Ground:
        """From (4, 2) px and (4, 2) m."""
        import cv2

        origin = ground.mean(axis=0)  # map coordinates are large numbers
        matrix = np.asarray(cv2.findHomography(image, ground - origin)[0], np.float64)
        if (np.append(image[0], 1) @ matrix[2]) < 0:
            matrix = -matrix
        return Ground(matrix, ground - origin)

    def places(self, points: Floats) -> Floats:
        """(N, 2) px as (N, 2) m; NaN at and above the horizon."""
        flat = np.column_stack([points, np.ones(len(points))]) @ self.matrix.T
        with np.errstate(divide="ignore", invalid="ignore"):
            found = flat[:, :2] / flat[:, 2:]
        found[flat[:, 2] <= 0] = np.nan
        return found

    def beyond(self, places: Floats) -> Floats:
        """(N,) m: how far outside of the four points; 0 inside, infinite where there is none."""
        known = np.isfinite(places).all(axis=1)
        found = np.full(len(places), np.inf)
        found[known] = np.maximum(-signed_distance(places[known], self.corners), 0)
        return found

    @property
    def reach(self) -> float:
        """How far beyond the four points is measured, m."""
        x, y = self.corners.T
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        return REACH * float(np.sqrt(area))


@dataclass(frozen=True)
class Speeds:
    """Of one track, a row for each of its frames.

    Attributes:
        path: the track.
        metres: float64 (N, 2), relative to the middle of the four points; NaN out of reach.
        mps: float64 (N,), metres per second; NaN where it cannot be told.
        extrapolated: bool (N,), outside of the four points.
    """

    path: Path
    metres: Floats
    mps: Floats
    extrapolated: NDArray[np.bool_]

    def summary(self) -> tuple[float, float, bool] | None:
        """Median and highest speed, m/s, and whether all of it lies outside of the four points.

        Rows inside count where there are any; None where nothing could be measured.
        """
        known = np.isfinite(self.mps)
        inside = known & ~self.extrapolated
        chosen = inside if inside.any() else known
        if not chosen.any():
            return None
        values = self.mps[chosen]
        return float(np.median(values)), float(values.max()), not inside.any()


def speeds(path: Path, ground: Ground, window: float) -> Speeds:
    """The speed of a track in each frame.

    It is the slope of the straight line that is fitted, by least squares, to the places of the
    track within half a ``window`` (s) before and after: Savitzky and Golay (1964), first degree, at
    times of any distance. A window with less than ``ROWS`` rows, or whose rows span less than half
    of it, gives none.
    """
    places = ground.places(path.foot)
    beyond = ground.beyond(places)
    near = beyond <= ground.reach
    metres = np.where(near[:, None], places, np.nan)
    mps = np.full(len(places), np.nan)
    rows = np.flatnonzero(near)
    if len(rows) >= ROWS:
        mps[rows] = _slopes(path.time_s[rows], places[rows], window)
    return Speeds(path, metres, mps, beyond > 0)


def _slopes(time_s: Floats, places: Floats, window: float) -> Floats:
    t = time_s - time_s.mean()
    xy = places - places.mean(axis=0)
    tiny = 1e-9
    low = np.searchsorted(t, t - window / 2 - tiny)
    high = np.searchsorted(t, t + window / 2 + tiny)

    def total(values: Floats) -> Floats:
        summed = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        return np.asarray(summed[high] - summed[low])

    count = (high - low).astype(float)
    mean = total(t) / count
    spread = total(t * t) - count * mean**2
    product = total(t[:, None] * xy) - mean[:, None] * total(xy)
    enough = (count >= ROWS) & (t[high - 1] - t[low] >= window / 2 - tiny) & (spread > tiny)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = product / spread[:, None]
    return np.where(enough, np.hypot(slope[:, 0], slope[:, 1]), np.nan)
