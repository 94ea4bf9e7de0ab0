"""Paired bootstrap: hand-computed draws, identical cells, planted differences, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtrack.base.errors import DataError
from segtrack.base.statistics import Interval
from segtrack.scoring.bootstrap import (
    Units,
    check_paired,
    paired_difference,
    resampled,
    units,
)
from segtrack.scoring.combine import combined, detection_averaged
from segtrack.scoring.counts import FIELDS, HOTA_PARTS, PLAIN_FIELDS, counts_of, summary
from segtrack.scoring.counts import field as counts_field
from segtrack.scoring.score import SequenceScores

Key = tuple[str, str]


def hits(counts: np.ndarray) -> dict[str, np.ndarray]:
    """A score that can be computed by hand: counts are (hits, objects)."""
    return {"hit": counts[..., 0] / counts[..., 1]}


def cell(counts: list[list[float]], whole: list[float] | None = None) -> Units:
    table = np.array(counts, float)
    names = tuple(f"s{i:02d}" for i in range(len(table)))
    total = table.sum(axis=0) if whole is None else np.array(whole, float)
    return Units("sequences" if whole is None else "chunks", names, table, total)


def real_counts(tp: float, fn: float, fp: float, idsw: float) -> np.ndarray:
    """Counts of 100 % precise boxes: equal at every threshold, all of a track in one piece."""
    hota = np.repeat(np.array([tp, fn, fp, tp, tp, tp, tp])[:, None], 19, axis=1)
    plain = dict.fromkeys(PLAIN_FIELDS, 0.0)
    plain |= {"CLR_TP": tp, "CLR_FN": fn, "CLR_FP": fp, "IDSW": idsw}
    plain |= {"IDTP": tp, "IDFN": fn, "IDFP": fp}
    return counts_of(hota, plain)


def test_two_units_by_hand() -> None:
    """Of two units the draws are 11, 12, 21, 22: differences .5, .25, .25 and 0."""
    a, b = cell([[1, 2], [1, 2]]), cell([[2, 2], [1, 2]])
    (gap,) = paired_difference(a, b, ["hit"], samples=4000, score=hits).values()
    assert (gap.difference, gap.low, gap.high) == (0.25, 0.0, 0.5)
    assert gap.above == pytest.approx(0.75, abs=0.02)
    assert gap.includes_zero
    drawn = resampled(b.counts, ["hit"], 4000, 0, hits)["hit"]
    values, share = np.unique(drawn, return_counts=True)
    assert values.tolist() == [0.5, 0.75, 1.0]
    np.testing.assert_allclose(share / 4000, [0.25, 0.5, 0.25], atol=0.02)


def test_a_draw_is_a_sum_of_counts_and_not_a_mean_of_scores() -> None:
    """0 of 1 and 9 of 9: drawn together 9 of 10, where the mean of the scores would be .5."""
    drawn = resampled(np.array([[0.0, 1], [9, 9]]), ["hit"], 500, 0, hits)["hit"]
    assert np.unique(drawn).tolist() == [0.0, 0.9, 1.0]


def test_scores_are_those_of_the_counts() -> None:
    a = [real_counts(80, 20, 0, 0), real_counts(60, 40, 10, 10)]
    b = [real_counts(90, 10, 0, 0), real_counts(60, 40, 10, 5)]
    both = [Units("sequences", ("x", "y"), np.stack(c), np.sum(c, axis=0)) for c in (a, b)]
    gaps = paired_difference(*both, samples=50)
    assert gaps["MOTA"].difference == pytest.approx((150 - 10 - 5) / 200 - (140 - 20) / 200)
    assert gaps["IDF1"].difference == pytest.approx(150 / 180 - 140 / 175)
    # Association is perfect and thresholds are alike: HOTA is the root of DetA.
    assert gaps["HOTA"].difference == pytest.approx((150 / 210) ** 0.5 - (140 / 210) ** 0.5)
    assert len(FIELDS) == len(a[0]) == 19 * len(HOTA_PARTS) + len(PLAIN_FIELDS)


def test_identical_cells_differ_by_exactly_nothing() -> None:
    rng = np.random.default_rng(3)
    counts = np.stack([real_counts(*rng.uniform(10, 100, 4)) for _ in range(20)])
    for whole in (counts.sum(axis=0), counts.sum(axis=0) * 1.1):
        same = Units("chunks", tuple(map(str, range(20))), counts, whole)
        for gap in paired_difference(same, same, samples=200).values():
            assert gap == Interval(0.0, 0.0, 0.0, 0.0)


def test_a_planted_improvement_is_found() -> None:
    """Every unit is better by 2 of 100, amid differences between units that are much larger."""
    rng = np.random.default_rng(1)
    base = rng.integers(20, 90, 12)
    a, b = (cell([[n + more, 100] for n in base.tolist()]) for more in (0, 2))
    gap = paired_difference(a, b, ["hit"], samples=1000, score=hits)["hit"]
    assert gap.difference == pytest.approx(0.02)
    assert gap.low == pytest.approx(0.02)
    assert gap.high == pytest.approx(0.02)
    assert gap.above == 1.0
    back = paired_difference(b, a, ["hit"], samples=1000, score=hits)["hit"]
    assert (back.high < 0, back.above, back.includes_zero) == (True, 0.0, False)


def test_where_chunks_differ_from_the_whole_the_interval_spans_both() -> None:
    """Chunks say .5 and .75 (draws 0 to .5), whole sequences .4 and .6: moved by .2 - .25."""
    a = cell([[1, 2], [1, 2]], whole=[4, 10])
    b = cell([[2, 2], [1, 2]], whole=[6, 10])
    gap = paired_difference(a, b, ["hit"], samples=1000, score=hits)["hit"]
    assert gap.difference == pytest.approx(0.2)
    assert (gap.low, gap.high) == pytest.approx((-0.05, 0.5))
    assert gap.above == pytest.approx(0.75, abs=0.05)


def test_what_chunks_cannot_show_is_not_sure() -> None:
    """All of the gain is in associations longer than a chunk: no chunk differs."""
    a, b = cell([[1, 2]] * 20, whole=[20, 40]), cell([[1, 2]] * 20, whole=[24, 40])
    gap = paired_difference(a, b, ["hit"], samples=100, score=hits)["hit"]
    assert (gap.difference, gap.low, gap.high) == pytest.approx((0.1, 0.0, 0.1))
    assert gap.includes_zero


def test_one_unit_says_nothing() -> None:
    gap = paired_difference(cell([[1, 2]]), cell([[2, 2]]), ["hit"], score=hits)["hit"]
    assert gap.difference == 0.5
    assert np.isnan([gap.low, gap.high, gap.above]).all()
    assert gap.includes_zero


def test_coverage_of_the_interval() -> None:
    """95% intervals over 25 units hold the population's difference in about 95 of 100 worlds.

    A unit has 50 to 150 objects; a's rate varies between units, b's is .03 higher with noise.
    """
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(300):
        size = rng.integers(50, 150, 25)
        rate = rng.uniform(0.3, 0.8, 25)
        more = rate + 0.03 + rng.normal(0, 0.04, 25)
        a, b = (cell(np.column_stack([size * r, size]).tolist()) for r in (rate, more))
        gap = paired_difference(a, b, ["hit"], samples=300, score=hits)["hit"]
        held += gap.low <= 0.03 <= gap.high
    assert 0.90 <= held / 300 <= 0.98


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=6, max_size=9))
def test_properties(pairs: list[tuple[int, int]]) -> None:
    """The reversed difference is the negative one; the order of units hardly matters."""
    a, b = (cell([[pair[i], 50] for pair in pairs]) for i in (0, 1))
    gap, back = (
        paired_difference(*order, ["hit"], samples=3000, score=hits)["hit"]
        for order in ((a, b), (b, a))
    )
    np.testing.assert_allclose(
        [gap.difference, gap.low, gap.high],
        [-back.difference, -back.high, -back.low],
        atol=1e-12,
    )
    turned = [cell(c.counts[::-1].tolist()) for c in (a, b)]
    other = paired_difference(*turned, ["hit"], samples=3000, score=hits)["hit"]
    assert other.difference == pytest.approx(gap.difference, abs=1e-12)
    each = np.array([pair[1] - pair[0] for pair in pairs]) / 50
    # An end may jump by one unit's share, since few units have few sums, and by chance.
    near = np.ptp(each) / len(pairs) + 0.25 * np.std(each) / len(pairs) ** 0.5 + 1e-9
    assert abs(other.low - gap.low) < near
    assert abs(other.high - gap.high) < near
    assert gap.low <= gap.high


def test_draws_do_not_depend_on_the_counts() -> None:
    """What makes intervals of different cells comparable: all cells get the same draws."""
    counts = np.array([[1.0, 2], [3, 4], [5, 9]])
    one = resampled(counts, ["hit"], 100, 5, hits)["hit"]
    double = resampled(counts * [2, 1], ["hit"], 100, 5, hits)["hit"]
    np.testing.assert_allclose(double, 2 * one)
    assert not np.array_equal(one, resampled(counts, ["hit"], 100, 6, hits)["hit"])


def scored(name: str, counts: dict[Key, float], chunks: dict[Key, list[float]]) -> SequenceScores:
    """Counts of so many objects found; of a class with none of them, one false positive."""

    def table(number: float) -> np.ndarray:
        return real_counts(number, 0, float(number == 0), 0)

    return SequenceScores(
        name,
        {key: table(number) for key, number in counts.items()},
        {
            key: np.array([table(n) for n in chunks.get(key, [])]).reshape(-1, len(FIELDS))
            for key in counts
        },
    )


def found(counts: np.ndarray) -> list[float]:
    tp: list[float] = counts_field(counts, "CLR_TP").tolist()
    return tp


CAR, BUS, MASK = ("box", "car"), ("box", "bus"), ("mask", "car")


class TestUnits:
    def test_ten_sequences_are_units(self) -> None:
        scores = {f"s{i}": scored(f"s{i}", {CAR: i, BUS: 1}, {}) for i in reversed(range(10))}
        one = units(scores)
        assert (one.of, one.names) == ("sequences", tuple(f"s{i}" for i in range(10)))
        assert found(one.counts) == [i + 1 for i in range(10)]
        assert found(one.whole) == 55
        np.testing.assert_array_equal(
            one.whole, detection_averaged(combined(scores.values()), "box")
        )

    def test_fewer_give_chunks(self) -> None:
        scores = {
            "b": scored("b", {CAR: 7}, {CAR: [3, 2]}),
            "a": scored("a", {CAR: 5, MASK: 9}, {CAR: [4], MASK: [8]}),
        }
        one = units(scores)
        assert (one.of, one.names) == ("chunks", ("a#001", "b#001", "b#002"))
        assert (found(one.counts), found(one.whole)) == ([4, 3, 2], 12)
        masks = units(scores, "mask")
        assert (masks.names, found(masks.whole)) == (("a#001",), 9)
        assert found(units(scores, sequences=["b"]).whole) == 7

    def test_without_chunks_few_sequences_have_to_do(self) -> None:
        scores = {"a": scored("a", {CAR: 5}, {}), "b": scored("b", {CAR: 7}, {})}
        one = units(scores)
        assert (one.of, found(one.counts), found(one.whole)) == ("sequences", [5, 7], 12)

    def test_classes_without_ground_truth_do_not_count(self) -> None:
        """As in the headline scores, also where only some of the sequences are taken."""
        scores = {
            "a": scored("a", {CAR: 5, BUS: 0}, {CAR: [5], BUS: [0]}),
            "b": scored("b", {CAR: 0, BUS: 0}, {CAR: [0], BUS: [0]}),
        }
        assert counts_field(units(scores).whole, "CLR_FP") == 1  # that of the car in b
        assert counts_field(units(scores, sequences=["b"]).whole, "CLR_FP") == 1

    def test_what_is_missing_is_named(self) -> None:
        scores = {"a": scored("a", {CAR: 1}, {CAR: [1]})}
        with pytest.raises(DataError, match="no scores of b: the scores hold a"):
            units(scores, sequences=["a", "b"])
        with pytest.raises(DataError, match="no mask scores of a"):
            units(scores, "mask")

    def test_other_ground_truth_is_not_paired(self) -> None:
        a, b = (units({"a": scored("a", {CAR: 5}, {CAR: [2, n]})}) for n in (3, 4))
        check_paired(a, a, ("A", "B"))
        text = "a#002 has 3 ground-truth objects in the one and 4 in the other"
        with pytest.raises(DataError, match=text):
            check_paired(a, b, ("A", "B"))

    def test_other_units_are_not_paired(self) -> None:
        a, b = cell([[1, 2]] * 3), cell([[1, 2]] * 2)
        check_paired(a, a, ("A", "B"))
        with pytest.raises(DataError, match="same sequences: only A has s02"):
            check_paired(a, b, ("A", "B"))


def test_summary_is_the_default_score() -> None:
    counts = np.stack([real_counts(80, 20, 0, 0), real_counts(60, 40, 10, 10)])
    expected = summary(np.array([[2, 0], [1, 1], [0, 2]]) @ counts)["MOTA"]
    assert set(resampled(counts, ["MOTA"], 100)["MOTA"]) == set(expected)
