"""Overlaps of labels and predictions, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.curation.scenes import facts
from tests.evaluation.scenes import Detection, Object

CAR, PERSON = 0, 1


def test_a_label_and_the_predictions_around_it(tmp_path: Path) -> None:
    label = Object(0, CAR, (10, 10, 20, 20))
    found = [
        Detection(0, CAR, 0.8, (10, 10, 20, 10)),  # half of it: IoU .5
        Detection(0, CAR, 0.6, (10, 15, 20, 15)),  # IoU .75
        Detection(0, PERSON, 0.4, (10, 10, 5, 20)),  # IoU .25
        Detection(0, CAR, 0.9, (60, 60, 10, 10)),  # elsewhere
    ]
    labelled = facts(tmp_path, 1, [label], found).labelled
    assert labelled.area.tolist() == [400]
    assert labelled.bbox_xyxy.tolist() == [[10, 10, 30, 30]]
    assert labelled.shown[0] == labelled.own[0] == pytest.approx(0.8)  # .8 * min(1, .5 / .5)
    assert labelled.other[0] == pytest.approx(0.4 * 0.25 / 0.5)
    assert labelled.other_class.tolist() == [PERSON]
    assert labelled.match_score[0] == pytest.approx(0.6)  # .6 * .75 is more than .8 * .5
    assert labelled.match_iou[0] == pytest.approx(0.75)
    assert labelled.mutual.tolist() == [True]
    assert (labelled.twin[0], labelled.twin_iou[0], labelled.apart[0]) == (-1, 0, 0)


def test_what_nothing_is_predicted_for(tmp_path: Path) -> None:
    found = facts(tmp_path, 2, [Object(1, CAR, (10, 10, 20, 20))], [])
    labelled = found.labelled
    assert (labelled.shown[0], labelled.match_iou[0], labelled.other_class[0]) == (0, 0, -1)
    assert not labelled.mutual[0] and len(found.predicted) == 0
    assert found.image_id.tolist() == [0, 1]


def test_nothing_at_all(tmp_path: Path) -> None:
    found = facts(tmp_path, 1, [], [])
    assert len(found.labelled) == len(found.predicted) == 0


def test_predictions_and_what_explains_them(tmp_path: Path) -> None:
    objects = [
        Object(0, CAR, (10, 10, 20, 20)),
        Object(0, PERSON, (50, 50, 40, 40), crowd=True),
    ]
    found = [
        Detection(0, CAR, 0.9, (10, 10, 20, 10)),  # IoU .5 with the car
        Detection(0, CAR, 0.7, (10, 10, 20, 20)),  # the car
        Detection(0, PERSON, 0.5, (60, 60, 4, 4)),  # wholly inside of the crowd
        Detection(0, PERSON, 0.3, (80, 10, 4, 4)),  # nothing is there
    ]
    result = facts(tmp_path, 1, objects, found)
    assert len(result.labelled) == 1, "a crowd is no label to judge"
    assert result.predicted.label_iou == pytest.approx([0.5, 1, 1, 0])
    assert result.predicted.better_iou == pytest.approx([0, 0.5, 0, 0])
    assert result.predicted.score == pytest.approx([0.9, 0.7, 0.5, 0.3])


def test_two_labels_on_one_object_in_the_second_image(tmp_path: Path) -> None:
    objects = [
        Object(0, CAR, (70, 70, 10, 10)),
        Object(1, CAR, (10, 10, 20, 20)),
        Object(1, CAR, (10, 10, 20, 15)),  # IoU .75 with the other
    ]
    found = [Detection(1, CAR, 0.9, (10, 10, 20, 20)), Detection(1, CAR, 0.2, (10, 10, 20, 14))]
    labelled = facts(tmp_path, 2, objects, found).labelled
    assert labelled.twin.tolist() == [-1, 2, 1]
    assert labelled.twin_iou == pytest.approx([0, 0.75, 0.75])
    # For the first of the two speaks the prediction of .9; for the second one of .2, 14/15 of it.
    assert labelled.apart == pytest.approx([0, 0.9, 0.2])
    assert labelled.mutual.tolist() == [False, True, False]
    assert labelled.annotation_id.tolist() == [0, 1, 2]
    assert np.array_equal(labelled.image_id, [0, 1, 1])
