"""The rate of a video by its time stamps, and a clock that survives bad ones."""

import pytest

from segtrack.dataset.video_rate import Clock, nominal_rate

NTSC = 30000 / 1001


@pytest.mark.parametrize(
    ("seconds", "declared", "tick", "rate"),
    [
        ([0, 0.04, 0.08, 0.12], [25.0], 1 / 12800, 25.0),
        ([0.08, 0, 0.12, 0.04], [25.0], 1 / 12800, 25.0),  # in the order of decoding
        ([10, 10.04, 10.08], [25.0], 1 / 12800, 25.0),
        ([-0.04, 0, 0.04], [25.0], 1 / 12800, 25.0),
        ([0, 0.067, 0.134, 0.198, 0.265], [1000.0, 1000.0], 0.001, 15.09434),  # a browser's WebM
        ([0, 0.04, 0.08], [50.0, 25.0], 1 / 90_000, 25.0),  # fields were counted
        ([0, 0.02, 0.04], [25.0, 50.0], 1 / 90_000, 50.0),
        ([0, 0.04, 0.08], [90_000.0], 1 / 90_000, 25.0),
        ([0, 0.033, 0.067, 0.1], [1.0], 0.001, 30.0),
        ([i / NTSC for i in range(200)], [], 1 / 90_000, NTSC),
        ([round(i / NTSC, 3) for i in range(200)], [0.0], 0.001, NTSC),
        ([0, 2, 4], [0.5], 1 / 16384, 0.5),
        ([0, 0.1, 0.5, 0.6], [30.0], 1 / 90_000, 5.0),
        ([], [25.0], 0.001, 25.0),
        ([3.0], [90_000.0, 0.0, 24.0], 0.001, 24.0),
        ([], [], 0.001, 30.0),
        ([1.0, 1.0], [12.0], 0.001, 12.0),
    ],
)
def test_rate(seconds: list[float], declared: list[float], tick: float, rate: float) -> None:
    assert nominal_rate(seconds, declared, tick) == pytest.approx(rate, abs=1e-6)


@pytest.mark.parametrize(
    ("stamps", "seconds"),
    [
        ([10, 10.1, 10.25], [0, 0.1, 0.25]),
        ([-0.2, -0.1, 0.3], [0, 0.1, 0.5]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([5, None, 5.3], [0, 0.1, 0.3]),
        ([1.4, 1.5, 1.6, 1.4, 1.5], [0, 0.1, 0.2, 0.3, 0.4]),  # a second file behind the first
        ([0, 0.1, 0.1, 0.2], [0, 0.1, 0.101001, 0.2]),  # the same twice
        ([0, 0.2, 0.1, 0.3], [0, 0.2, 0.201001, 0.3]),
        ([0, 0.1, 60, 60.1], [0, 0.1, 60, 60.1]),  # a pause
        ([0, 0.1, 95443.7, 95443.8], [0, 0.1, 0.2, 0.3]),  # a clock of 33 bits that ran over
    ],
)
def test_clock(stamps: list[float | None], seconds: list[float]) -> None:
    clock = Clock(10.0, 0.001)
    assert [clock.seconds(stamp) for stamp in stamps] == pytest.approx(seconds, abs=1e-9)
