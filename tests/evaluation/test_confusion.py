"""Who was taken for whom, and which images are the worst."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from segtrack.evaluation.confusion import match_objects, worst_images
from segtrack.evaluation.gallery import headline
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import (
    Detection,
    Object,
    hand_made,
    random_scene,
    write_predictions,
)

A, B, C, D, E = (0, 0, 10, 10), (30, 0, 10, 10), (60, 0, 10, 10), (0, 50, 10, 10), (30, 50, 10, 10)
A_SHIFTED = (2, 0, 10, 10)  # IoU .667 with A
A_FAR = (5, 0, 10, 10)  # IoU 1/3 with A
CAR, PERSON = 0, 1


def _measure(folder: Path, images: int, objects: list, found: list) -> Evaluation:
    predictions = write_predictions(folder, ("car", "person"), images, found)
    dataset = hand_made(("car", "person"), images, objects)
    return measure(dataset, "val", predictions, EvaluationSettings())


def test_matrix_by_hand(tmp_path: Path) -> None:
    objects = [
        Object(0, CAR, A),  # found
        Object(0, CAR, B),  # taken for a person
        Object(0, CAR, C),  # missed
        Object(1, PERSON, A),  # found, and a surer car at the same place is then a false alarm
        Object(1, PERSON, B),  # found, but with too low a score
        Object(1, PERSON, C),  # found, but with too little overlap
        Object(1, CAR, (0, 50, 30, 30), crowd=True),  # a detection on it does not count
    ]
    found = [
        Detection(0, CAR, 0.9, A_SHIFTED),
        Detection(0, PERSON, 0.8, B),
        Detection(0, CAR, 0.3, E),  # false alarm
        Detection(1, PERSON, 0.6, A),
        Detection(1, CAR, 0.9, A),
        Detection(1, PERSON, 0.24, B),
        Detection(1, PERSON, 0.9, (65, 0, 10, 10)),
        Detection(1, CAR, 0.9, D),
    ]
    evaluation = _measure(tmp_path, 2, objects, found)
    assert evaluation.confusion.tolist() == [
        # predicted car, person, nothing
        [1, 1, 1],  # true car
        [0, 1, 2],  # true person
        [2, 1, 0],  # nothing
    ]
    first, second = sorted(evaluation.worst, key=lambda one: one.image_id)
    assert (first.objects, first.missed, first.false) == (3, 2, 2)
    assert first.mean_iou == pytest.approx(2 / 3)
    assert first.quality == pytest.approx((2 / 3) / (1 + 2 / 2 + 2 / 2))
    assert (second.objects, second.missed, second.false) == (3, 2, 2)
    assert second.quality == pytest.approx(1 / (1 + 2 / 2 + 2 / 2))


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_curves(tmp_path: Path, seed: int) -> None:
    """Diagonal = true positives, rows = objects, columns = detections, at the threshold."""
    names = ("car", "person")
    dataset, found = random_scene(seed, names, images=10)
    predictions = write_predictions(tmp_path, names, 10, found)
    settings = EvaluationSettings(confusion_conf=0.25, confusion_iou=0.5)
    evaluation = measure(dataset, "val", predictions, settings)
    at = int(np.flatnonzero(evaluation.curves.confidence == 0.25)[0])
    matrix = evaluation.confusion
    for k in range(2):
        objects = evaluation.class_counts[k][1]
        assert matrix[k].sum() == objects
        assert matrix[k, k] == pytest.approx(evaluation.curves.recall[k, at] * objects)
        precision = evaluation.curves.precision[k, at]
        assert matrix[k, k] == pytest.approx(precision * matrix[:, k].sum())
    assert sum(e.missed for e in evaluation.worst) == matrix[:2].sum() - np.trace(matrix)
    assert sum(e.false for e in evaluation.worst) == matrix[:, :2].sum() - np.trace(matrix)


@given(st.data())
def test_pairs_are_one_to_one_and_overlap_enough(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(0, 6), st.integers(0, 6)))
    iou = data.draw(arrays.arrays(float, shape, elements=st.sampled_from([0, 0.3, 0.5, 0.7, 1])))
    classes = [data.draw(arrays.arrays(int, n, elements=st.integers(0, 2))) for n in shape]
    pairs = match_objects(iou, classes[0], classes[1], 0.5)
    assert len({d for d, _ in pairs}) == len({g for _, g in pairs}) == len(pairs)
    assert all(iou[d, g] >= 0.5 for d, g in pairs)
    left = [d for d in range(shape[0]) if d not in {p[0] for p in pairs}]
    free = [g for g in range(shape[1]) if g not in {p[1] for p in pairs}]
    assert (iou[np.ix_(left, free)] < 0.5).all()  # nothing that could be paired is left


def test_own_class_first_even_where_another_overlaps_more() -> None:
    iou = np.array([[0.9], [0.6]])
    assert match_objects(iou, np.array([PERSON, CAR]), np.array([CAR]), 0.5) == [(1, 0)]
    assert match_objects(iou[:1], np.array([PERSON]), np.array([CAR]), 0.5) == [(0, 0)]


def test_worst_images_first(tmp_path: Path) -> None:
    objects = [
        *(Object(0, CAR, box) for box in (A, B)),  # 0: all right, not shown
        Object(1, CAR, A),  # 1: one missed
        *(Object(2, CAR, box) for box in (A, B, C)),  # 2: three missed
        *(Object(3, CAR, box) for box in (A, B)),  # 3: one of two missed
        Object(4, CAR, A),  # 4: found, IoU .667
    ]  # 5: nothing there, nothing found
    found = [
        Detection(0, CAR, 0.9, A),
        Detection(0, CAR, 0.9, B),
        Detection(3, CAR, 0.9, A),
        Detection(4, CAR, 0.9, A_SHIFTED),
    ]
    ranked = _measure(tmp_path, 6, objects, found).worst
    assert [e.image_id for e in ranked] == [2, 1, 3, 4]
    assert [e.quality for e in ranked] == pytest.approx([0, 0, 1 / 1.5, 2 / 3])
    assert [e.image_id for e in worst_images(ranked[::-1], 2)] == [2, 1]
    assert headline("a.png", ranked[2]) == (
        "a.png: 2 objects, 1 missed (FN), 0 false (FP), mean IoU 1.00"
    )
