"""Speeds on a road that a made camera sees, whose speeds are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segtrack.counting.speeds import Ground, speeds
from tests.counting.conftest import way

Floats = NDArray[np.float64]
# 10 m x 20 m of road, seen from behind: 10 px per metre near, 5 px per metre far away.
METRES = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 20.0], [0.0, 20.0]])
ON_THE_MAP = METRES + np.array([500_000.0, 5_800_000.0])


def seen(metres: Floats) -> Floats:
    """A camera 5 m high that looks along y with a focal length of 200 px, its foot at y = -20."""
    depth = metres[:, 1] + 20
    return np.column_stack([320 + 200 * (metres[:, 0] - 5) / depth, 100 + 200 * 5 / depth])


GROUND = Ground.of(seen(METRES), ON_THE_MAP)
HORIZON = 100.0  # y in px


def test_the_ground_is_found() -> None:
    at = np.array([[2.0, 3.0], [9.0, 19.0], [5.0, 10.0], [30.0, 60.0]])
    assert GROUND.places(seen(at)) == pytest.approx(at - [5, 10], abs=1e-4)
    above = GROUND.places(np.array([[320.0, HORIZON - 1], [320.0, HORIZON - 50]]))
    assert np.isnan(above).all()


def test_how_far_outside() -> None:
    at = np.array([[5.0, 10.0], [12.0, 10.0], [5.0, 23.0], [13.0, 24.0]])
    assert GROUND.beyond(GROUND.places(seen(at))) == pytest.approx([0, 2, 3, 5], abs=1e-4)
    assert GROUND.beyond(np.array([[np.nan, np.nan]]))[0] == np.inf
    assert GROUND.reach == pytest.approx(0.5 * 200**0.5)


@pytest.mark.parametrize("mps", [1.4, 13.9, 36.0])
def test_a_constant_speed_in_any_direction(mps: float) -> None:
    for direction in ((0, 1), (0.6, 0.8)):
        t = np.arange(40) / 20
        at = np.outer((t - 1) * mps, direction) + np.array([5.0, 10.0])
        at = at[(at >= 0.5).all(axis=1) & (at <= [9.5, 19.5]).all(axis=1)]
        found = speeds(way(seen(at).tolist(), fps=20), GROUND, 0.4)
        known = np.isfinite(found.mps)
        assert known.sum() >= 5 and found.mps[known] == pytest.approx(mps, rel=1e-6)
        assert not found.extrapolated.any()
        median, highest, outside = found.summary() or (0, 0, True)
        assert (median, highest) == pytest.approx((mps, mps), rel=1e-6) and not outside


def test_a_window_is_a_fitted_line() -> None:
    """Accelerated from rest at 2 m/s²: the slope over a symmetric window is the speed in its
    middle; at the ends that of the half window's middle."""
    t = np.arange(21) / 10
    at = np.column_stack([np.full(21, 5.0), 8 + t**2])
    found = speeds(way(seen(at).tolist()), GROUND, 1.0)
    assert found.mps[5:16] == pytest.approx(2 * t[5:16], rel=1e-5)
    assert found.mps[0] == pytest.approx(2 * 0.25, rel=1e-5)
    assert found.mps[-1] == pytest.approx(2 * 1.75, rel=1e-5)


def test_jitter_is_smoothed() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(60) / 20
    at = np.column_stack([np.full(60, 5.0), 2 + 5 * t]) + rng.normal(0, 0.05, (60, 2))
    path = way(seen(at).tolist(), fps=20)
    rough, smooth = (speeds(path, GROUND, window).mps for window in (0.15, 2.0))
    assert abs(smooth[20:40] - 5).max() < 0.1 < abs(rough[20:40] - 5).max()


def test_far_from_the_four_points_nothing_is_measured() -> None:
    """Straight ahead: inside up to 20 m, flagged up to 7.07 m beyond, then nothing."""
    at = np.column_stack([np.full(41, 5.0), 9.5 + np.arange(41)])  # 10 m/s
    found = speeds(way(seen(at).tolist()), GROUND, 0.4)
    assert found.extrapolated.tolist() == [False] * 11 + [True] * 30
    assert np.isfinite(found.metres[:, 0]).tolist() == [True] * 18 + [False] * 23
    assert found.mps[:18] == pytest.approx(10, rel=1e-6) and np.isnan(found.mps[18:]).all()
    only = speeds(way(seen(at[12:18]).tolist()), GROUND, 0.4)
    assert only.summary() == (pytest.approx(10), pytest.approx(10), True)


@pytest.mark.parametrize("rows", [1, 2])
def test_too_little_to_measure(rows: int) -> None:
    found = speeds(way([(320.0, 140.0)] * rows), GROUND, 1.0)
    assert np.isnan(found.mps).all() and found.summary() is None


def test_a_short_piece_of_a_window_says_nothing() -> None:
    found = speeds(way([(320.0, 140.0)] * 5), GROUND, 1.0)  # .4 s of a window of 1 s
    assert np.isnan(found.mps).all()
    found = speeds(way([(320.0, 140.0)] * 6), GROUND, 1.0)
    assert found.mps == pytest.approx(0, abs=1e-9)
