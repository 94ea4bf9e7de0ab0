"""Curves over the score, by hand."""

from pathlib import Path

import numpy as np
import pytest

from segtrack.evaluation.curves import class_mean, confidence_curves
from segtrack.evaluation.matching import Matcher
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions

A, B, C, D, _, _ = ((x, y, 10, 10) for y in (0, 50) for x in (0, 30, 60))
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
    matcher = Matcher(2)
    curves = confidence_curves(matcher.matches("mask"))
    assert curves.best() is None and curves.f1.shape == (2, 201)
