"""Several comparisons: flips by hand, under planted and no differences, all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from segtrack.base.families import compare_all, compare_each, pairwise
from segtrack.base.statistics import Estimate, compare
from tests.base.estimates import mean, ratio


def cells(values: np.ndarray) -> list[dict[str, Estimate]]:
    """Cells with one metric from (M, U)."""
    return [{"x": mean(row)} for row in values]


class TestSeveralComparisons:
    @pytest.mark.parametrize("size", [[1.0] * 6, [5, 9, 2, 30, 4, 8]])
    def test_flips_by_hand(self, size: list[float]) -> None:
        """Six units: of 32 ways to flip their differences, the largest |t| but one is the bar; the
        differences as they are, or less their mean, whichever bar is higher."""
        weights, random = np.array(size), np.random.default_rng(0)
        hits = weights * random.normal(0, 1, (3, 6))
        pairs = [(ratio(hits[0], weights), ratio(hits[i], weights)) for i in (1, 2)]
        bars = []
        for mean_off in (0, 1):
            moved = [hits[i] - hits[0] for i in (1, 2)]
            moved = [m - mean_off * weights * m.sum() / weights.sum() for m in moved]
            found = []
            for bits in range(32):
                signs = np.array([-1.0 if bits >> i & 1 else 1 for i in range(6)])
                flipped = [ratio(hits[0] + signs * m, weights) for m in moved]
                gaps = [compare(pairs[0][0], one) for one in flipped]
                ts = [abs(gap.difference) / gap.se for gap in gaps]
                found.append(max(ts))
            bars.append(sorted(found)[30])
        bar = max(bars)
        for (one, b), gap in zip(pairs, compare_each(pairs), strict=True):
            single = compare(one, b)
            assert gap.difference == single.difference
            most = stats.t.ppf(1 - 0.025 / 2, single.df)  # Bonferroni's
            half = min(bar, most) * single.se
            assert (gap.high - gap.low) / 2 == pytest.approx(half, rel=1e-6)

    @pytest.mark.parametrize("units", [7, 20])
    def test_intervals_hold_together_where_cells_differ(self, units: int) -> None:
        """Cells up to 5 standard deviations apart: in 5% of worlds any interval may miss."""
        random, missed = np.random.default_rng(units), 0
        truth = np.linspace(0, 5, 9)
        for _ in range(200):
            values = truth[:, None] + random.normal(0, 1, (9, units)) + random.normal(0, 1, units)
            gaps = compare_each([(mean(values[0]), mean(row)) for row in values[1:]])
            held = [
                gap.low <= right <= gap.high for gap, right in zip(gaps, truth[1:], strict=True)
            ]
            missed += not all(held)
        assert missed <= 18

    def test_each_metric_has_sizes_of_its_own(self) -> None:
        """Whichever comes first, the bar is the same."""
        random = np.random.default_rng(0)
        pairs = []
        for size in ([1.0] * 6, [5.0, 9, 2, 30, 4, 8]):
            weights = np.array(size)
            hits = weights * random.normal(0, 1, (2, 6))
            pairs.append((ratio(hits[0], weights), ratio(hits[1], weights)))
        one, other = compare_each(pairs), compare_each(pairs[::-1])[::-1]
        assert [gap.low for gap in one] == pytest.approx([gap.low for gap in other])
        found = [
            compare_all([dict(zip(m, p, strict=True)) for p in zip(*q, strict=True)])
            for m, q in (("xy", pairs), ("yx", pairs[::-1]))
        ]
        assert found[0].differences["x"][1].low == pytest.approx(found[1].differences["x"][1].low)

    def test_of_equal_cells_the_reference_is_best(self) -> None:
        values = np.random.default_rng(1).normal(0, 1, 8)
        found = compare_all(cells(np.stack([values, values - 1, values])), reference=2)
        assert found.best == {"x": 2}

    def test_between_one_comparison_and_bonferroni(self) -> None:
        """What max-t is for: of 19 alike cells the bar is lower than Bonferroni's."""
        random = np.random.default_rng(1)
        values = random.normal(0, 1, (20, 30))
        bar = {
            (gap.high - gap.low) / 2 / gap.se
            for gap in compare_all(cells(values)).differences["x"][1:]
        }
        assert max(bar) == pytest.approx(min(bar))
        assert stats.t.ppf(0.975, 29) < min(bar) < stats.t.ppf(1 - 0.025 / 19, 29)

    @pytest.mark.parametrize("units", [3, 5])
    def test_few_units_take_bonferroni(self, units: int) -> None:
        random = np.random.default_rng(1)
        values = random.normal(0, 1, (4, units))
        gap = compare_all(cells(values)).differences["x"][2]
        half = stats.t.ppf(1 - 0.025 / 3, units - 1) * gap.se
        assert gap.high - gap.low == pytest.approx(2 * half)

    def test_so_do_seeds(self) -> None:
        values = np.random.default_rng(1).normal(0, 1, (3, 2, 8))
        gap = compare_all([{"x": mean(one)} for one in values]).differences["x"][2]
        half = stats.t.ppf(1 - 0.025 / 2, gap.df) * gap.se
        assert gap.high - gap.low == pytest.approx(2 * half)

    def test_one_comparison_is_a_single_one(self) -> None:
        values = np.random.default_rng(1).normal(0, 1, (2, 8))
        found = compare_all(cells(values), reference=1)
        assert found.differences["x"][0] == compare(mean(values[1]), mean(values[0]))
        assert compare_each([(mean([1.0]), mean([2.0]))])[0].told is False

    @pytest.mark.parametrize("units", [4, 6, 20])
    def test_of_equal_cells_nothing_is_said(self, units: int) -> None:
        """Twelve cells, two metrics, 200 worlds: anything at all in at most 5%, up to chance."""
        random = np.random.default_rng(units)
        said = 0
        for _ in range(200):
            shared = random.normal(0, 1, (12, units))
            each = [shared + random.normal(0, 0.5, (12, units)) for _ in range(2)]
            found = compare_all([{"x": mean(x), "y": mean(y)} for x, y in zip(*each, strict=True)])
            said += any(gap.told for row in found.differences.values() for gap in row) or any(
                map(any, found.below.values())
            )
        assert said <= 18  # 10 would be 5%, with an SD of 3

    def test_what_is_better_is_found_and_the_rest_not(self) -> None:
        """One cell of ten is better by two SD, one worse."""
        random = np.random.default_rng(3)
        values = random.normal(0, 1, (10, 20))
        values[4] += 2
        values[7] -= 2
        found = compare_all(cells(values), reference=1)
        told = [gap.told for gap in found.differences["x"]]
        assert [i for i, one in enumerate(told) if one] == [4, 7]
        assert found.best == {"x": 4}
        assert found.below["x"][4] is False
        assert found.below["x"][7] is True
        assert sum(found.below["x"]) >= 5

    def test_below_the_best_only_where_something_differs_from_the_reference(self) -> None:
        """The reference is so noisy that nothing can be said of it: then of nothing."""
        random = np.random.default_rng(3)
        values = random.normal(0, 0.1, (4, 12))
        values[0] = random.normal(0, 30, 12)
        values[1] += 1
        found = compare_all(cells(values))
        assert not any(gap.told for gap in found.differences["x"])
        assert found.below["x"] == (False,) * 4
        assert compare_all(cells(values), reference=2).below["x"] == (False, False, True, True)

    def test_cells_that_differ_in_few_units_do_not_widen_the_rest_for_ever(self) -> None:
        """Less their mean, flips of two units that differ can leave no spread at all."""
        values = np.random.default_rng(5).normal(0, 1, (4, 6))
        values[1, :4], values[1, 4:] = values[0, :4], values[0, 4:] + 1
        pairs = [(mean(values[0]), mean(row)) for row in values[1:]]
        for gap in compare_each(pairs):
            assert (gap.high - gap.low) / 2 <= stats.t.ppf(1 - 0.025 / 3, gap.df) * gap.se + 1e-12

    def test_cells_without_a_score(self) -> None:
        nothing = {"x": ratio(np.zeros(6), np.zeros(6))}
        noise = np.random.default_rng(3).normal(0, 1, 6)
        known = cells(np.stack([noise, 9 + noise[::-1]]))
        found = compare_all([known[0], nothing, known[1]])
        assert found.best == {"x": 2}
        assert [gap.told for gap in found.differences["x"]] == [False, False, True]
        assert found.below["x"] == (True, False, False)
        assert compare_all([nothing, nothing]).below == {"x": (False, False)}


class TestAllPairs:
    @pytest.mark.parametrize("units", [6, 11, 30])
    @pytest.mark.parametrize("twice", [False, True])
    def test_the_bar_is_that_of_the_single_comparisons(self, units: int, twice: bool) -> None:
        """Units of unequal size, other ones in each metric; where ``twice``, columns are equal."""
        random, number = np.random.default_rng(units), 5
        settings: list[dict[str, Estimate]] = [{} for _ in range(number)]
        for metric in "xy":
            size = random.integers(1, 40, units).astype(float)
            scores = random.uniform(0.3, 0.6, units) + random.normal(0, 0.1, (number, units))
            if twice:
                scores[[0, 3]] = scores[2]
            for one, row in zip(settings, scores, strict=True):
                one[metric] = ratio(row * size, size)
        both = [(a, b) for i, a in enumerate(settings) for b in settings[i + 1 :]]
        pairs = [(a[metric], b[metric]) for a, b in both for metric in "xy"]
        bar = pairwise(settings)
        assert bar.count == len(pairs)
        for (a, b), gap in zip(pairs, compare_each(pairs), strict=True):
            assert bar.interval(compare(a, b)).low == pytest.approx(gap.low, rel=1e-9, abs=1e-12)
        gap = compare_each(pairs)[-1]
        most = stats.t.ppf(1 - 0.025 / len(pairs), gap.df)
        half = (gap.high - gap.low) / 2 / gap.se
        assert bar.flipped is not None
        assert half == pytest.approx(min(bar.flipped, most), rel=1e-9)

    def test_of_equal_cells_no_flip_makes_a_difference(self) -> None:
        """Exactly, also where the first cell is another one: by rounding they would differ."""
        random = np.random.default_rng(1)
        size = random.integers(1, 40, 20).astype(float)
        one, other = (ratio(random.uniform(0, 1, 20) * size, size) for _ in range(2))
        assert pairwise([{"x": one}] * 3).flipped == 0
        several = pairwise([{"x": other}, *[{"x": one}] * 7])
        assert several.flipped == pytest.approx(pairwise([{"x": other}, *[{"x": one}] * 2]).flipped)
        gap = compare_each([(other, one)] * 2)[0]
        assert several.interval(gap).high == pytest.approx(gap.high)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.integers(2, 6), st.booleans(), st.integers(0, 99))
def test_together_is_never_surer_than_alone(
    units: int, number: int, alike: bool, seed: int
) -> None:
    """Also of cells that differ in one unit only, where flipping signs changes nothing."""
    values = np.random.default_rng(seed).normal(0, 1, (number, units))
    if alike:
        values[:, 1:] = values[0, 1:]
    found = compare_all(cells(values))
    for i in range(1, number):
        one, gap = compare(mean(values[0]), mean(values[i])), found.differences["x"][i]
        assert gap.difference == one.difference
        assert gap.high - gap.low >= one.high - one.low - 1e-12
