"""Draws with replacement, and the interval of a difference of two scores on the same draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtrack.base.statistics import Interval, Samples, difference, draw_each, draw_table


@pytest.mark.parametrize("draw", [draw_table, lambda *args: np.array(list(draw_each(*args)))])
def test_each_draw_has_as_many_units_as_there_are(draw: object) -> None:
    found = draw(7, 500, 3)  # type: ignore[operator]
    assert found.shape == (500, 7)
    assert (found.sum(axis=1) == 7).all()
    assert found.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)
    # Multinomial: each unit's count has the variance 1 - 1/7.
    assert found.var(axis=0) == pytest.approx(np.full(7, 6 / 7), abs=0.15)
    np.testing.assert_array_equal(found, draw(7, 500, 3))  # type: ignore[operator]
    assert (found != draw(7, 500, 4)).any()  # type: ignore[operator]


def test_the_very_draws() -> None:
    """Recorded figures were made with these."""
    assert draw_table(4, 3, 0).tolist() == [[1, 0, 0, 3], [0, 2, 2, 0], [1, 1, 1, 1]]
    assert [each.tolist() for each in draw_each(4, 3, 0)] == [
        [0, 1, 2, 1],
        [3, 1, 0, 0],
        [1, 0, 1, 2],
    ]


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=30),
    st.floats(-1, 1),
    st.floats(0.5, 0.99),
)
def test_a_difference_that_every_draw_has_is_sure(
    scores: list[float], more: float, level: float
) -> None:
    a = np.array(scores)
    one, other = Samples({"x": a[0]}, {"x": a}), Samples({"x": a[0] + more}, {"x": a + more})
    gap = one.to(other, "x", level)
    assert (gap.difference, gap.low, gap.high) == pytest.approx((more, more, more), abs=1e-12)
    back = other.to(one, "x", level)
    assert (back.low, back.high) == pytest.approx((-gap.high, -gap.low), abs=1e-12)


def test_an_interval_by_hand() -> None:
    """Draws differ by 0, .1, .2, .3 and .4; the middle 50% lie between .1 and .3."""
    a, b = np.full(6, 0.5), 0.5 + np.array([2, 0, 1, 2, 3, 4]) / 10
    gap = difference((0.5, 0.7), (a, b), 0.5)
    assert (gap.difference, gap.low, gap.high, gap.above) == pytest.approx((0.2, 0.1, 0.3, 0.8))
    assert not gap.includes_zero


@pytest.mark.parametrize(
    ("low", "high", "open_"),
    [(0.1, 0.2, False), (-0.2, -0.1, False), (-0.1, 0.1, True), (0.0, 0.1, True),
     (float("nan"), float("nan"), True)],
)  # fmt: skip
def test_where_the_sign_is_open(low: float, high: float, open_: bool) -> None:
    assert Interval(0.1, low, high, 0.5).includes_zero is open_


def test_draws_without_a_score_are_left_out() -> None:
    nan = float("nan")
    gap = difference((0.5, 0.7), (np.array([0.5, nan, 0.5, 0.4]), np.array([0.7, 0.7, 0.7, 0.7])))
    assert gap.low == pytest.approx(0.2 + 0.025 * 0.1)
    assert gap.high == pytest.approx(0.2 + 0.975 * 0.1)
    assert np.isnan(difference((0.5, nan), (np.zeros(4), np.ones(4))).low)
