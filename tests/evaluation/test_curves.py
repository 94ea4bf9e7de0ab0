"""Curves over the score and slices by visible fraction, by hand."""

from pathlib import Path

import numpy as np
import pytest

from segtrack.evaluation.curves import class_mean, confidence_curves
from segtrack.evaluation.matching import Matcher, slice_names
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.scores import SliceScores
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions

A, B, C, D, E, F = ((x, y, 10, 10) for y in (0, 50) for x in (0, 30, 60))
NAN = float("nan")


def _measure(
    folder: Path, objects: list[Object], found: list[Detection], settings: EvaluationSettings
) -> Evaluation:
    names = ("car", "person")
    predictions = write_predictions(folder, names, 2, found)
    return measure(hand_made(names, 2, objects), "val", predictions, settings)


def test_curves_by_hand(tmp_path: Path) -> None:
    objects = [Object(0, 0, A), Object(1, 0, B)]
    found = [
        Detection(0, 0, 0.875, A),  # right
        Detection(0, 0, 0.625, C),  # false
        Detection(1, 0, 0.5, B),  # right
        Detection(1, 1, 0.9, D),  # of a class without objects
    ]
    curves = _measure(tmp_path, objects, found, EvaluationSettings()).curves
    expected = {  # threshold: precision, recall, F1 = 2 TP / (2 TP + FP + FN)
        0.0: (2 / 3, 1.0, 4 / 5),
        0.5: (2 / 3, 1.0, 4 / 5),
        0.505: (1 / 2, 1 / 2, 2 / 4),
        0.625: (1 / 2, 1 / 2, 2 / 4),
        0.63: (1.0, 1 / 2, 2 / 3),
        0.875: (1.0, 1 / 2, 2 / 3),
        0.88: (NAN, 0.0, 0.0),
    }
    for threshold, values in expected.items():
        at = int(np.flatnonzero(np.isclose(curves.confidence, threshold))[0])
        got = curves.precision[0, at], curves.recall[0, at], curves.f1[0, at]
        np.testing.assert_allclose(got, values, atol=1e-12)
    for values in (curves.precision, curves.recall, curves.f1):
        assert np.isnan(values[1]).all()  # no objects of that class
    assert curves.best() == (pytest.approx(4 / 5), 0.0)


def test_mean_of_classes_leaves_out_what_is_undefined() -> None:
    values = np.array([[1.0, NAN, NAN], [0.5, 0.25, NAN]])
    np.testing.assert_array_equal(class_mean(values), [0.75, 0.25, NAN])


def test_no_images() -> None:
    matcher = Matcher(2, [0.0, 1.0])
    curves = confidence_curves(matcher.matches("mask"))
    assert curves.best() is None and curves.f1.shape == (2, 201)


def test_visible_slices_by_hand(tmp_path: Path) -> None:
    objects = [
        Object(0, 0, A, 0.3),  # found with .9
        Object(0, 0, B, 0.4),  # missed
        Object(0, 0, C, 0.5),  # the edge belongs to the upper slice; found with .8
        Object(1, 0, D, 1.0),  # found with .7
        Object(1, 0, E, None),  # in no slice; found with .95, which is then neither right nor wrong
        Object(1, 1, F, 0.2),  # a person, missed
    ]
    found = [
        Detection(0, 0, 0.9, A),
        Detection(0, 0, 0.8, C),
        Detection(1, 0, 0.7, D),
        Detection(1, 0, 0.95, E),
        Detection(1, 0, 0.85, (80, 80, 10, 10)),  # false, in every slice
    ]
    settings = EvaluationSettings(visible_bins=[0.0, 0.5, 1.0], confusion_conf=0.75)
    evaluation = _measure(tmp_path, objects, found, settings)
    # Low: right .9, false .85, 2 cars: precision 1 up to recall .5. The person: nothing.
    low = 51 / 101
    # High: false .85, right .8, right .7: precisions 0, 1/2, 2/3; interpolated 2/3 throughout.
    assert evaluation.slices == [
        SliceScores("0.00-0.50", None, 3, 0.25, 0.25, pytest.approx(low / 2)),
        SliceScores("0.00-0.50", 0, 2, 0.5, 0.5, pytest.approx(low)),
        SliceScores("0.00-0.50", 1, 1, 0.0, 0.0, 0.0),
        SliceScores("0.50-1.00", None, 2, 1.0, 0.5, pytest.approx(2 / 3)),
        SliceScores("0.50-1.00", 0, 2, 1.0, 0.5, pytest.approx(2 / 3)),
    ]
    metrics = evaluation.metrics()
    assert metrics["val/visible/0.00-0.50/mask_recall50"] == 0.25
    assert metrics["val/visible/0.50-1.00/mask_recall50_conf"] == 0.5
    assert metrics["val/visible/0.50-1.00/mask_ap50"] == pytest.approx(2 / 3)


def test_one_slice_over_everything_equals_the_whole(tmp_path: Path) -> None:
    objects = [Object(0, 0, A, 0.0), Object(0, 0, B, 0.6), Object(1, 1, C, 1.0)]
    found = [Detection(0, 0, 0.9, A), Detection(0, 0, 0.8, F), Detection(1, 1, 0.7, C)]
    evaluation = _measure(tmp_path, objects, found, EvaluationSettings(visible_bins=[0.0, 1.0]))
    whole = evaluation.slices[0]
    assert whole.objects == 3
    assert whole.ap == pytest.approx(evaluation.metrics()["val/mask_map50"], abs=1e-12)


def test_an_empty_slice_and_an_unknown_fraction(tmp_path: Path) -> None:
    known = _measure(
        tmp_path / "known", [Object(0, 0, A, 0.9)], [], EvaluationSettings(visible_bins=[0, 0.5, 1])
    )
    assert known.slices[0] == SliceScores("0.00-0.50", None, 0, None, None, None)
    unknown = _measure(tmp_path / "unknown", [Object(0, 0, A)], [], EvaluationSettings())
    assert unknown.slices == []
    assert not any("visible" in name for name in unknown.metrics())


def test_names_of_slices() -> None:
    assert slice_names([0.0, 0.25, 1.0]) == ["0.00-0.25", "0.25-1.00"]
