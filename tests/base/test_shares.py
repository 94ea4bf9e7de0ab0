"""Intervals of a share: textbook values, and of images that agree with themselves."""

import numpy as np
import pytest

from segtrack.base.shares import share_interval


def ends(share: float, count: float) -> np.ndarray:
    """Where a share p is 1.96 of its standard errors from the one that was seen."""
    square = 1.959964**2 / count
    return np.sort(np.roots([1 + square, -2 * share - square, share * share]).real)


@pytest.mark.parametrize(
    ("hits", "count", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (20, 20, (1 - 0.1611, 1.0)),
    ],
)
def test_of_one_in_each_unit_it_is_wilsons(
    hits: int, count: int, expected: tuple[float, float]
) -> None:
    """Values of Newcombe (1998), "Two-sided confidence intervals for the single proportion"."""
    each = np.arange(count)
    assert share_interval(each < hits, each) == pytest.approx(expected, abs=5e-5)


def test_a_share_is_of_images() -> None:
    # Four images of ten, all or nothing: variance 4 / 3 * 100 / 1600, of independent ones .25 / 39,
    # so that 3.077 stand for them; t is 2.0227 with 39 degrees of freedom, 3.1824 with three.
    image = np.repeat(np.arange(4), 10)
    low, high = share_interval(image < 2, image)
    expected = ends(0.5, 3.0769 * (2.0227 / 3.1824) ** 2)
    assert (low, high) == pytest.approx(expected, abs=1e-4)
    assert (low, high) == pytest.approx((0.0652, 0.9348), abs=1e-3)
    # Images that are all alike say no more than independent predictions would.
    alike = np.tile([True, False], 20)
    expected = ends(0.5, 40 * (2.0227 / 3.1824) ** 2)
    assert share_interval(alike, image) == pytest.approx(expected, abs=1e-4)
    sure = share_interval(np.ones(40, bool), image)
    assert sure == pytest.approx(ends(1, 40 * (2.0227 / 3.1824) ** 2), abs=1e-4)


def test_of_less_than_two_units_nothing_is_known() -> None:
    assert share_interval(np.ones(5, bool), np.zeros(5, int)) == (0.0, 1.0)
    assert share_interval(np.zeros(0, bool), np.zeros(0, int)) == (0.0, 1.0)
