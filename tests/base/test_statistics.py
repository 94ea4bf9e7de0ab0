"""Intervals of differences: by hand, against textbook tests, under planted and no differences."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from segtrack.base.families import compare_all, compare_each
from segtrack.base.statistics import Estimate, Interval, compare, units_needed
from tests.base.estimates import mean, ratio

ZERO, DIFFERENCES = [0.0] * 5, [0.3, -0.1, 0.4, 0.2, 0.7]


class TestOneComparison:
    @pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
    def test_of_a_mean_it_is_students_t(self, level: float) -> None:
        gap = compare(mean(ZERO), mean(DIFFERENCES), level)
        expected = stats.t.interval(
            level, 4, np.mean(DIFFERENCES), np.std(DIFFERENCES, ddof=1) / math.sqrt(5)
        )
        assert (gap.low, gap.high) == pytest.approx(expected)
        assert (gap.difference, gap.df, gap.units, gap.seeds) == pytest.approx((0.3, 4, 5, 1))
        assert gap.spread == pytest.approx(np.std(DIFFERENCES, ddof=1))
        assert gap.each == pytest.approx(DIFFERENCES)
        assert gap.against == 1

    def test_what_is_told(self) -> None:
        """The mean is .3, its standard error .13: 2.3 of them."""
        assert not compare(mean(ZERO), mean(DIFFERENCES)).told  # t of 4 is 2.78
        assert compare(mean(ZERO), mean(DIFFERENCES), 0.9).told  # 2.13
        assert compare(mean(DIFFERENCES), mean(ZERO), 0.9).high < 0

    def test_a_ratio_by_hand(self) -> None:
        """5 of 10, 30 of 40, 20 of 50: .55; without each 50/90, 25/60, 35/50."""
        size = np.array([10, 40, 50])
        gap = compare(ratio(np.zeros(3), size), ratio(np.array([5, 30, 20]), size))
        values = 3 * 0.55 - 2 * np.array([50 / 90, 25 / 60, 35 / 50])
        se = values.std(ddof=1) / math.sqrt(3)
        df = 100**2 / (10**2 + 40**2 + 50**2) - 1  # Kish: 2.38 units instead of 3
        assert (gap.difference, gap.se, gap.df) == pytest.approx((0.55, se, df))
        half = stats.t.ppf(0.975, df) * se
        assert (gap.low, gap.high) == pytest.approx((0.55 - half, 0.55 + half))

    def test_one_unit_that_outweighs_all_halves_the_degrees_of_freedom(self) -> None:
        size = np.array([1e6, 1, 1, 1, 1])
        assert compare(ratio(np.zeros(5), size), ratio(size / 2, size)).df == 2

    def test_units_that_weigh_nothing(self) -> None:
        """Sequences without ground truth: their false positives count, they have no own score."""
        a = ratio(np.zeros(4), np.array([10, 10, 10, 0]))
        b = ratio(np.array([5, 4, 6, -1]), np.array([10, 10, 10, 0]))
        gap = compare(a, b)
        assert (gap.difference, gap.df, gap.units) == pytest.approx((14 / 30, 2, 4))
        assert gap.spread > compare(mean(np.zeros(3)), mean(np.array([0.5, 0.4, 0.6]))).spread
        assert math.isnan(gap.each[3])
        assert (gap.against, gap.scored, gap.counted) == (0, 3, 3)

    def test_units_that_weigh_nothing_give_no_degrees_of_freedom(self) -> None:
        """A class in 5 of 400 images, once more often than elsewhere."""
        size = np.array([4.0, 1, 1, 1, 1] + [0.0] * 395)
        gap = compare(ratio(np.zeros(400), size), ratio(size * np.linspace(0, 1, 400), size))
        assert (gap.df, gap.units, gap.counted) == (max(64 / 20 - 1, 2), 400, 5)
        random, said = np.random.default_rng(3), 0
        for _ in range(400):
            hits = np.zeros((2, 400))
            hits[:, :5] = random.binomial(40, 0.5, (2, 5)) / 40
            one = (size > 0).astype(float)
            said += compare(ratio(hits[0], one), ratio(hits[1], one)).told
        assert said <= 30  # 20 would be 5%
        pairs = [(ratio(hits[0], one), ratio(hits[i], one)) for i in (1, 1)]
        half = stats.t.ppf(1 - 0.025 / 2, 4) * compare(*pairs[0]).se  # too few to be flipped
        gap = compare_each(pairs)[0]
        assert gap.high - gap.low == pytest.approx(2 * half)

    def test_ends_stay_within_what_scores_can_differ_by(self) -> None:
        """Of two units t is 12.7: the interval of +.5 would be -3.3 to +4.3."""
        a, b = (replace(mean(values), reach=1.0) for values in ([0.1, 0.2], [0.3, 1.0]))
        gap = compare(a, b)
        half = stats.t.ppf(0.975, 1) * 0.3
        assert (gap.difference, gap.se) == pytest.approx((0.5, 0.3))
        assert (gap.low, gap.high) == (-1, 1)
        free = compare(replace(a, reach=math.inf), b)  # one of them is enough
        assert (free.low, free.high) == pytest.approx((0.5 - half, 0.5 + half))
        assert [(g.low, g.high) for g in compare_each([(a, b), (b, a)])] == [(-1, 1), (-1, 1)]
        assert units_needed(gap) == units_needed(free)

    @pytest.mark.parametrize("units", [2, 3, 5])
    def test_ends_within_bounds_hold_the_truth_as_often(self, units: int) -> None:
        """World by world: the truth, which is within the bounds, never lies in what is cut off."""
        random, cut = np.random.default_rng(units), 0
        for _ in range(300):
            low, high = random.beta(0.3, 0.7, units), random.beta(0.7, 0.3, units)
            a, b = mean(low), mean(high)
            free, held = compare(a, b), compare(replace(a, reach=1.0), replace(b, reach=1.0))
            assert (free.low <= 0.4 <= free.high) == (held.low <= 0.4 <= held.high)
            assert free.told == held.told
            assert -1 <= held.low <= held.high <= 1
            cut += (held.low, held.high) != (free.low, free.high)
        assert cut > 5

    def test_a_difference_without_noise_is_not_told(self) -> None:
        """Of two sequences, each 5 and then 6 of 10."""
        size = np.full(2, 10.0)
        for gap in compare_each([(ratio(size / 2, size), ratio(size * 0.6, size))] * 2):
            assert gap.difference == pytest.approx(0.1)
            assert math.isnan(gap.low) and math.isnan(gap.high)
            assert not gap.told
            assert units_needed(gap) is None

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            (mean([0.1]), mean([0.4])),
            # The other unit has no ground truth: without the one there is no score.
            (ratio(np.zeros(2), np.array([5, 0])), ratio(np.ones(2), np.array([5, 0]))),
            (ratio(np.zeros(2), np.zeros(2)), ratio(np.ones(2), np.zeros(2))),
        ],
    )
    def test_nothing_is_told_of_one_unit(self, a: Estimate, b: Estimate) -> None:
        gap = compare(a, b)
        assert math.isnan(gap.low) and math.isnan(gap.high)
        assert not gap.told
        assert units_needed(gap) is None

    def test_the_same_twice_differs_by_exactly_nothing(self) -> None:
        one = ratio(np.array([5, 30, 20]), np.array([10, 40, 50]))
        gap = compare(one, one)
        assert (gap.difference, gap.low, gap.high, gap.told) == (0, 0, 0, False)


class TestSeeds:
    def test_two_ways_by_an_independent_formula(self) -> None:
        """Analysis of variance: rows are seeds, columns units; each side has seeds of its own."""
        random = np.random.default_rng(5)
        a, b = random.normal(0.5, 0.1, (2, 3, 6))
        gap = compare(mean(a), mean(b))
        units = np.var(b.mean(0) - a.mean(0), ddof=1) / 6
        seeds = [np.var(one.mean(1), ddof=1) / 3 for one in (a, b)]
        total = units + sum(seeds)
        df = total**2 / (units**2 / 5 + seeds[0] ** 2 / 2 + seeds[1] ** 2 / 2)
        assert (gap.se, gap.df, gap.seeds) == pytest.approx((math.sqrt(total), df, 3))
        half = stats.t.ppf(0.975, df) * math.sqrt(total)
        assert gap.high - gap.low == pytest.approx(2 * half)

    def test_a_side_of_one_seed_borrows_the_noise_of_the_other(self) -> None:
        values = np.array([[0.5, 0.6, 0.7], [0.6, 0.7, 0.9]])
        gap, back = compare(mean(values[:1]), mean(values)), compare(mean(values), mean(values[0]))
        units = np.var([0.05, 0.05, 0.1], ddof=1) / 3
        seeds = np.var(values.mean(1), ddof=1) * (1 + 1 / 2)
        df = (units + seeds) ** 2 / (units**2 / 2 + seeds**2 / 1)
        assert (gap.se, gap.df, gap.seeds) == pytest.approx((math.sqrt(units + seeds), df, 2))
        assert (back.se, back.df, back.low) == pytest.approx((gap.se, gap.df, -gap.high))

    def test_of_one_seed_on_both_sides_its_noise_is_not_known(self) -> None:
        values = np.array([[0.5, 0.6, 0.7], [0.6, 0.7, 0.9]])
        gap = compare(mean(values[0]), mean(values[1]))
        assert gap.seeds == 1
        assert gap.se == pytest.approx(np.std([0.1, 0.1, 0.2], ddof=1) / math.sqrt(3))
        assert math.isnan(mean(values[0]).seed_sd)
        assert mean(values).seed_sd == pytest.approx(np.std([0.6, 2.2 / 3], ddof=1))

    @pytest.mark.parametrize("counts", [(5, 5, 5, 1), (5, 5, 1, 1), (1, 5, 5, 5)])
    def test_of_equal_settings_with_other_numbers_of_seeds_nothing_is_said(
        self, counts: tuple[int, ...]
    ) -> None:
        """200 worlds in which seeds differ much and units little."""
        random, said = np.random.default_rng(7), 0
        for _ in range(200):
            settings = [
                {"x": mean(random.normal(0, 1, (n, 1)) + random.normal(0, 0.1, (n, 20)))}
                for n in counts
            ]
            found = compare_all(settings)
            said += any(gap.told for gap in found.differences["x"]) or any(found.below["x"])
        assert said <= 18  # 10 would be 5%

    def test_it_covers_where_both_are_random(self) -> None:
        """400 worlds, 3 seeds and 8 units with noise of both and of their meeting."""
        random = np.random.default_rng(2)
        missed = 0
        for _ in range(400):
            unit = random.normal(0, 1, 8)
            a, b = (
                shift + random.normal(0, 1, (3, 1)) + own * unit + random.normal(0, 1, (3, 8))
                for shift, own in ((0, 1), (1, 0))
            )
            gap = compare(mean(a), mean(b))
            missed += not gap.low <= 1 <= gap.high
        assert 2 <= missed <= 28  # 5% would be 20


class TestProperties:
    values = st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(50, 500)),
        min_size=2,
        max_size=9,
    )

    @given(values, st.randoms(use_true_random=False), st.floats(0.01, 100))
    def test_order_sides_and_scale(
        self, table: list[tuple[int, int, int]], random: object, scale: float
    ) -> None:
        def gap(rows: list[tuple[int, int, int]], scale: float = 1) -> Interval:
            a, b, size = (np.array(column, float) for column in zip(*rows, strict=True))
            return compare(ratio(scale * a, size), ratio(scale * b, size))

        one = gap(table)
        mixed = list(table)
        random.shuffle(mixed)  # type: ignore[attr-defined]
        assert gap(mixed).low == pytest.approx(one.low, abs=1e-9, nan_ok=True)
        back = gap([(b, a, size) for a, b, size in table])
        ends = (one.low, one.high)
        assert (-back.high, -back.low) == pytest.approx(ends, abs=1e-9, nan_ok=True)
        large = gap(table, scale)
        assert large.high == pytest.approx(scale * one.high, rel=1e-6, abs=1e-9, nan_ok=True)
        assert math.isnan(one.low) or one.low <= one.difference <= one.high
        assert (len(table) - 1) / 2 - 1e-9 <= one.df <= len(table) - 1 + 1e-9


class TestUnitsNeeded:
    def test_as_many_as_a_t_test_needs(self) -> None:
        """Half an SD is told with power .8 from 34 pairs (a standard table)."""
        values = np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1.0])
        values = values / values.std(ddof=1) + 0.5
        gap = compare(mean(np.zeros(10)), mean(values))
        assert gap.difference == pytest.approx(0.5)
        assert units_needed(gap) == 34
        assert units_needed(gap, power=0.9) == 44

    def test_a_sure_difference_needs_few(self) -> None:
        sure = compare(mean(np.zeros(5)), mean(1 + np.linspace(0, 1e-4, 5)))
        assert units_needed(sure) == 2

    def test_more_units_do_not_help_against_seeds(self) -> None:
        noisy = np.array([[1.0], [-1], [1], [-1.2]]) + np.linspace(0, 0.1, 6)
        assert units_needed(compare(mean(noisy), mean(noisy[::-1] + 0.3))) is None
        assert units_needed(compare(mean(np.zeros(5)), mean(np.zeros(5)))) is None
