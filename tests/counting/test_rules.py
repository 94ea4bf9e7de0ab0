"""What is no line, zone or plane, and points as settings have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.counting import rules_of
from segtrack.settings import CountingSettings, HomographySettings, PointUnit

SQUARE = [0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]


def problems(**given: Any) -> dict[str, str]:
    return {one.key: one.allowed for one in CountingSettings(**given).problems()}


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ([0, 0, 5, 5], None),
        ([3, 4, 3, 4], "its two points are the same"),
        ([0, 0, 5], "there are 3 numbers"),
        ([0, 0, -5, 5], "lies outside of the frame"),
        ([0, 0, float("nan"), 5], "finite numbers"),
        ("main", "finite numbers"),
        ([0, 0, "a", 5], "finite numbers"),
        ([0, 0, True, 5], "finite numbers"),
    ],
)
def test_lines(numbers: Any, wrong: str | None) -> None:
    found = problems(lines={"a": numbers})
    assert (found == {}) if wrong is None else (wrong in found["counting.lines.a"])


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        (SQUARE, None),
        ([0, 0, 9, 0, 5, 5, 9, 9, 0, 9], None),  # with a dent
        ([0, 0, 4, 4, 4, 0, 0, 4], "crosses itself: its side 1 meets side 3"),
        ([0, 0, 8, 0, 8, 8, 4, 0, 0, 8], "crosses itself"),  # a corner on another side
        ([0, 0, 1, 1, 2, 2], "lie on one line"),
        ([0, 0, 4, 0, 4, 4, 0, 0], "a point twice"),
        ([0, 0, 4, 0], "there are 4 numbers"),
        ([0, 0, 4, 0, 4, 4, 1], "there are 7 numbers"),
    ],
)
def test_zones(numbers: list[float], wrong: str | None) -> None:
    found = problems(zones={"a": numbers})
    assert (found == {}) if wrong is None else (wrong in found["counting.zones.a"])


@pytest.mark.parametrize(
    ("image", "ground", "key", "wrong"),
    [
        (SQUARE, SQUARE, "", ""),
        (SQUARE, [-5, 0, 5, 0, 5, -9, -5, -9], "", ""),
        (SQUARE, None, "ground", "is missing"),
        (None, SQUARE, "image", "is missing"),
        (SQUARE, SQUARE[:6], "ground", "there are 6 numbers"),
        ([0, 0, 1, 1, 2, 2, 0, 3], SQUARE, "image", "three of its points lie on one line"),
        (SQUARE, [0, 0, 4, 4, 4, 0, 0, 4], "ground", "one after the other"),
        ([0, 0, 4, 0, 1, 1, 0, 4], SQUARE, "image", "without a dent"),
        (SQUARE, [1e6, 1e6, 1e6 + 4, 1e6, 1e6 + 4, 1e6 + 4, 1e6, 1e6 + 4], "", ""),
    ],
)
def test_homographies(image: Any, ground: Any, key: str, wrong: str) -> None:
    found = problems(homography=HomographySettings(image, ground))
    assert list(found) == ([f"counting.homography.{key}"] if key else [])
    assert all(wrong in text for text in found.values())


def test_shares() -> None:
    found = problems(lines={"a": [0, 0.5, 1, 0.5], "b": [0, 0, 2, 1]}, unit=PointUnit.share)
    assert list(found) == ["counting.lines.b"] and "lie in 0 to 1" in found["counting.lines.b"]
    assert list(problems(lines={" ": [0, 0, 1, 1]})) == ["counting.lines"]


def test_in_pixels_of_a_video() -> None:
    settings = CountingSettings(
        lines={"a": [0, 0.5, 1, 0.5]},
        zones={"b": [0, 0, 0.5, 0, 0.5, 1]},
        homography=HomographySettings([0, 0, 1, 0, 1, 1, 0, 1], SQUARE),
        unit=PointUnit.share,
    )
    rules = rules_of(settings, 640, 360, "v")
    assert rules.lines["a"].tolist() == [[0, 180], [640, 180]]
    assert rules.zones["b"].tolist() == [[0, 0], [320, 0], [320, 360]]
    assert rules.image is not None and rules.image[2].tolist() == [640, 360]
    assert rules.ground is not None and np.array_equal(rules.ground.reshape(-1), SQUARE)
    with pytest.raises(DataError, match="nothing says how large its frames are"):
        rules_of(settings, 0, 0, "v")


def test_outside_of_the_frame() -> None:
    settings = CountingSettings(lines={"a": [0, 0, 640, 360], "b": [0, 0, 641, 5]})
    with pytest.raises(DataError, match=r"v: its frames have 640 x 360 px.*lines\.b=\[0,0,641,5\]"):
        rules_of(settings, 640, 360, "v")
    assert len(rules_of(settings, 0, 0, "v").lines) == 2  # of unknown size


def test_wanted() -> None:
    assert not CountingSettings().wanted
    assert CountingSettings(lines={"a": [0, 0, 1, 1]}).wanted
    assert CountingSettings(homography=HomographySettings(SQUARE, SQUARE)).wanted
