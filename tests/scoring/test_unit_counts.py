"""Sequences as units: leaving one out is a subtraction; what does not pair is named."""

from dataclasses import replace

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.base.statistics import compare
from segtrack.scoring.combine import combined, detection_averaged
from segtrack.scoring.counts import PLAIN_FIELDS, counts_of, summary
from segtrack.scoring.counts import field as counts_field
from segtrack.scoring.score import SequenceScores
from segtrack.scoring.unit_counts import METRICS, Units, check_paired, estimates, units

Key = tuple[str, str]
CAR, BUS, MASK = ("box", "car"), ("box", "bus"), ("mask", "car")


def real_counts(tp: float, fn: float, fp: float, idsw: float) -> np.ndarray:
    """Counts of 100 % precise boxes: equal at every threshold, all of a track in one piece."""
    hota = np.repeat(np.array([tp, fn, fp, tp, tp, tp, tp])[:, None], 19, axis=1)
    plain = dict.fromkeys(PLAIN_FIELDS, 0.0)
    plain |= {"CLR_TP": tp, "CLR_FN": fn, "CLR_FP": fp, "IDSW": idsw}
    plain |= {"IDTP": tp, "IDFN": fn, "IDFP": fp}
    return counts_of(hota, plain)


def cell(*rows: tuple[float, float, float, float]) -> Units:
    table = np.stack([real_counts(*row) for row in rows])
    return Units(tuple(f"s{i:02d}" for i in range(len(rows))), table)


class TestEstimates:
    A = cell((80, 20, 0, 0), (60, 40, 10, 10), (30, 70, 0, 5))
    B = cell((90, 10, 0, 0), (60, 40, 10, 5), (35, 65, 0, 5))

    def test_scores_are_those_of_the_counts(self) -> None:
        found = estimates(self.A)
        assert list(found) == list(METRICS)
        for metric, one in found.items():
            assert one.score == pytest.approx(float(summary(self.A.counts.sum(axis=0))[metric]))
            for i in range(3):
                rest = np.delete(self.A.counts, i, axis=0).sum(axis=0)
                assert one.without[0, i] == pytest.approx(summary(rest)[metric])
                assert one.alone[0, i] == pytest.approx(summary(self.A.counts[i])[metric])
            assert one.names == ("s00", "s01", "s02")
            assert one.size.tolist() == [100, 100, 100]

    def test_only_what_has_bounds_ends_at_them(self) -> None:
        """Of two sequences: false positives take MOTA below any number, IDF1 not below 0."""
        a, b = cell((90, 10, 0, 0), (5, 95, 900, 0)), cell((5, 95, 0, 0), (90, 10, 0, 0))
        names = ("IDF1", "HOTA", "MOTP", "MOTA", "MODA", "sMOTA")
        first, second = estimates(a, names), estimates(b, names)
        gaps = {name: compare(first[name], second[name]) for name in names}
        reach = {name: gap.reach for name, gap in gaps.items()}
        assert reach == {"IDF1": 1, "HOTA": 1, "MOTP": 1} | dict.fromkeys(names[3:], np.inf)
        assert (gaps["IDF1"].low, gaps["IDF1"].high) == (-1, 1)
        assert gaps["MOTA"].difference > 4 and gaps["MOTA"].high > 40
        assert gaps["MOTA"].low == pytest.approx(2 * gaps["MOTA"].difference - gaps["MOTA"].high)

    def test_a_difference_by_hand(self) -> None:
        """MOTA is a mean here, since the sequences are as long: 10, 5 and 5 points."""
        a, b = estimates(self.A)["MOTA"], estimates(self.B)["MOTA"]
        gap = compare(a, b)
        assert gap.difference == pytest.approx(0.2 / 3)
        assert gap.each == pytest.approx((0.1, 0.05, 0.05))
        assert gap.spread == pytest.approx(np.std([0.1, 0.05, 0.05], ddof=1))
        assert gap.df == pytest.approx(2)
        hota = compare(estimates(self.A)["HOTA"], estimates(self.B)["HOTA"])
        # Association is perfect and thresholds are alike: HOTA is the root of DetA.
        assert hota.difference == pytest.approx((185 / 310) ** 0.5 - (170 / 310) ** 0.5)

    def test_seeds_are_rows(self) -> None:
        one = estimates([self.A, self.B], ["MOTA"])["MOTA"]
        assert one.whole == pytest.approx([(170 - 10 - 15) / 300, (185 - 10 - 10) / 300])
        assert one.without.shape == one.alone.shape == (2, 3)
        assert one.score == pytest.approx((145 + 165) / 600)

    def test_a_sequence_without_ground_truth(self) -> None:
        """Its false positives count; it has no score, and without the other there is none."""
        one = estimates(cell((80, 20, 0, 0), (0, 0, 7, 0)))["MOTA"]
        assert one.score == pytest.approx(0.73)
        assert one.without[0] == pytest.approx([np.nan, 0.8], nan_ok=True)
        assert one.alone[0] == pytest.approx([0.8, np.nan], nan_ok=True)
        nothing = estimates(cell((0, 0, 7, 0), (0, 0, 1, 0)))["HOTA"]
        assert np.isnan([*nothing.whole, *nothing.without[0], *nothing.alone[0]]).all()


def scored(name: str, counts: dict[Key, float]) -> SequenceScores:
    """Counts of so many objects found; of a class with none of them, one false positive."""
    each = {key: real_counts(number, 0, float(number == 0), 0) for key, number in counts.items()}
    return SequenceScores(name, each)


def found(counts: np.ndarray) -> list[float]:
    tp: list[float] = counts_field(counts, "CLR_TP").tolist()
    return tp


class TestUnits:
    def test_sequences_in_order_summed_over_classes(self) -> None:
        scores = {f"s{i}": scored(f"s{i}", {CAR: i, BUS: 1}) for i in reversed(range(4))}
        one = units(scores)
        assert one.names == ("s0", "s1", "s2", "s3")
        assert found(one.counts) == one.objects.tolist() == [1, 2, 3, 4]
        np.testing.assert_array_equal(
            one.counts.sum(axis=0), detection_averaged(combined(scores.values()), "box")
        )
        assert found(units(scores, sequences=["s3", "s1"]).counts) == [2, 4]

    def test_masks_are_compared_where_there_are_masks(self) -> None:
        scores = {"b": scored("b", {CAR: 7}), "a": scored("a", {CAR: 5, MASK: 9})}
        masks = units(scores, "mask")
        assert (masks.names, found(masks.counts)) == (("a",), [9])

    def test_classes_without_ground_truth_do_not_count(self) -> None:
        """As in the headline scores, also where only some of the sequences are taken."""
        scores = {"a": scored("a", {CAR: 5, BUS: 0}), "b": scored("b", {CAR: 0, BUS: 0})}
        assert counts_field(units(scores).counts, "CLR_FP").tolist() == [0, 1]  # the car in b
        assert counts_field(units(scores, sequences=["b"]).counts, "CLR_FP").tolist() == [1]

    def test_one_footage_is_one_unit_however_many_detectors_it_was_tracked_with(self) -> None:
        names = [f"MOT17-{of}" for of in ("02-SDP", "02-DPM", "04-DPM", "02-FRCNN")]
        scores = {name: scored(name, {CAR: i + 1, BUS: i}) for i, name in enumerate(names)}
        one = units(scores)
        assert one.names == ("MOT17-02", "MOT17-04-DPM")
        assert found(one.counts) == [1 + 3 + 7, 5]
        np.testing.assert_array_equal(
            one.counts.sum(axis=0), detection_averaged(combined(scores.values()), "box")
        )
        assert units(scores, sequences=["MOT17-02-SDP"]).names == ("MOT17-02-SDP",)

    def test_what_is_missing_is_named(self) -> None:
        scores = {"a": scored("a", {CAR: 1})}
        with pytest.raises(DataError, match="no scores of b: the scores hold a"):
            units(scores, sequences=["a", "b"])
        with pytest.raises(DataError, match="no mask scores of a"):
            units(scores, "mask")

    def test_other_ground_truth_is_not_paired(self) -> None:
        a, b = (units({"a": scored("a", {CAR: 5}), "b": scored("b", {CAR: n})}) for n in (3, 4))
        check_paired(a, a, ("A", "B"))
        text = "b has 3 ground-truth objects in the one and 4 in the other"
        with pytest.raises(DataError, match=text):
            check_paired(a, b, ("A", "B"))

    def test_ground_truth_of_as_many_objects_is_paired_where_it_is_the_same(self) -> None:
        def made(boxes: str) -> Units:
            return units({"a": replace(scored("a", {CAR: 5}), truth={"box": boxes, "mask": boxes})})

        check_paired(made("one"), made("one"), ("A", "B"))
        check_paired(made("one"), units({"a": scored("a", {CAR: 5})}), ("A", "B"))  # kept before
        with pytest.raises(DataError, match=r"a has as many objects in both, and others in the"):
            check_paired(made("one"), made("other"), ("A", "B"))

    def test_other_units_are_not_paired(self) -> None:
        a, b = cell((1, 0, 0, 0), (2, 0, 0, 0)), cell((1, 0, 0, 0))
        with pytest.raises(DataError, match="same sequences: only A has s01"):
            check_paired(a, b, ("A", "B"))
