"""When frames are shown: a rate where all keep to it, else a time for each."""

from array import array
from pathlib import Path

import pytest

from segtrack.base.frame_times import FrameTimes, TimesRead


@pytest.mark.parametrize(
    ("nominal", "tick", "seconds", "fps", "own"),
    [
        (25.0, 1 / 12800, [0, 0.04, 0.08, 0.12], 25.0, False),
        (30.0, 0.001, [0, 0.033, 0.067, 0.1, 0.133], 30.0, False),  # Matroska counts milliseconds
        (15.0, 0.01, [0, 0.07, 0.13, 0.2, 0.27], 15.0, False),  # GIF hundredths
        (30.0, 0.001, [0, 0.033, 0.067, 0.1, 0.2], 20.0, True),  # one frame longer
        (1000.0, 0.001, [0, 0.067, 0.134], 14.925373, True),
        (25.0, 0.04, [0, 0.04, 0.12, 0.16], 18.75, True),  # a picture that AVI left out
        (30.0, 1 / 90_000, [0], 30.0, False),
        (30.0, 1 / 90_000, [], 30.0, False),
        (0.0, 0.0, [0, 0.5, 1.5], 1.333333, True),
    ],
)
def test_times_that_were_read(
    nominal: float, tick: float, seconds: list[float], fps: float, own: bool, tmp_path: Path
) -> None:
    times = TimesRead(nominal, tick, array("d", seconds)).settled()
    assert times.fps == pytest.approx(fps, abs=1e-9)
    assert (times.own is not None) == own
    times.save(tmp_path)
    assert (tmp_path / "times.npy").exists() == own
    again = FrameTimes.load(tmp_path, times.fps)
    for number, second in enumerate(seconds):
        expected = round(second, 6) if own else round(number / fps, 6)
        assert again.seconds(number) == expected


def test_times_without_a_rate() -> None:
    assert [FrameTimes(0.0).seconds(i) for i in (0, 7)] == [0.0, 0.0]
