"""What is suspect, and of what, in scenes that are judged by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from segtrack.curation import KINDS, Suspicions, pooled, suspicions
from segtrack.curation.suspicion import NEIGHBOURS, PRIOR, shortfall
from tests.curation.scenes import facts
from tests.evaluation.scenes import Detection, Object

CAR, PERSON, BUS = 0, 1, 2
USUAL = 40  # images with a car and a person that are labelled and predicted as they should be


def usual() -> tuple[list[Object], list[Detection]]:
    objects, found = [], []
    for image in range(USUAL):
        for class_id, box in ((CAR, (10, 10, 20, 20)), (PERSON, (60, 10, 10, 20))):
            objects.append(Object(image, class_id, box))
            found.append(Detection(image, class_id, 0.9, box))
    return objects, found


def judged(
    folder: Path, objects: Sequence[Object], found: Sequence[Detection]
) -> tuple[Suspicions, int]:
    """Suspicions of the usual scenes and one image more; the position of its first label."""
    usual_objects, usual_found = usual()
    every = facts(folder, USUAL + 1, [*usual_objects, *objects], [*usual_found, *found])
    return suspicions(every), len(usual_objects)


def test_what_is_as_usual_is_not_suspect(tmp_path: Path) -> None:
    result, _ = judged(tmp_path, [], [])
    assert all(not values.any() for values in result.by_kind.values())
    assert result.usual_shown == pytest.approx(np.full(2 * USUAL, 0.9))
    assert result.usual_iou == pytest.approx(np.ones(2 * USUAL))


@pytest.mark.parametrize(
    "kind, labels, predicted, value",
    [
        # A car is seen with .9, whose neighbours are too.
        ("spurious", [(CAR, (50, 50, 20, 20))], [], 0.9),
        # IoU 1/3 with what is predicted where 1 is usual: .9 * (1 - 1/3).
        ("badly_located", [(CAR, (20, 10, 20, 20))], [(CAR, 0.9, (10, 10, 20, 20))], 0.6),
        # Surer by .8, and no car was ever taken for a bus.
        ("swapped", [(CAR, (10, 10, 20, 20))], [(BUS, 0.8, (10, 10, 20, 20))], 0.8),
        # Of two labels the one that fits less: IoU .75.
        (
            "duplicate",
            [(CAR, (10, 10, 20, 15)), (CAR, (10, 10, 20, 20))],
            [(CAR, 0.9, (10, 10, 20, 20))],
            0.75,
        ),
    ],
)
def test_a_label(
    tmp_path: Path,
    kind: str,
    labels: list[tuple[int, tuple[int, int, int, int]]],
    predicted: list[tuple[int, float, tuple[int, int, int, int]]],
    value: float,
) -> None:
    objects = [Object(USUAL, class_id, box) for class_id, box in labels]
    found = [Detection(USUAL, class_id, score, box) for class_id, score, box in predicted]
    result, at = judged(tmp_path, objects, found)
    assert result.by_kind[kind][at] == pytest.approx(value, abs=0.02)
    kinds, worst = result.worst_kind()
    assert KINDS[kinds[at]] == kind and worst[at] == result.by_kind[kind][at]
    others = np.delete(worst, at)
    assert others.max() < 0.1, "nothing else is suspect"


def test_overlooked_once_however_often_it_is_predicted(tmp_path: Path) -> None:
    found = [
        Detection(USUAL, CAR, 0.8, (50, 50, 20, 20)),
        Detection(USUAL, BUS, 0.7, (50, 50, 20, 20)),
        Detection(USUAL, CAR, 0.6, (50, 50, 20, 4)),  # a part of it, IoU .2
    ]
    result, _ = judged(tmp_path, [], found)
    assert result.by_kind["overlooked"][-3:] == pytest.approx([0.8, 0, 0.6 * (1 - 0.2 / 0.5)])


def test_two_neighbours_are_no_duplicates(tmp_path: Path) -> None:
    boxes = [(10, 10, 20, 20), (14, 10, 20, 20)]  # IoU 2/3
    objects = [Object(USUAL, CAR, box) for box in boxes]
    found = [Detection(USUAL, CAR, 0.9, box) for box in boxes]
    result, at = judged(tmp_path, objects, found)
    assert result.by_kind["duplicate"][at:].max() == pytest.approx(0.1 * 2 / 3)


def test_classes_that_are_often_taken_for_each_other_are_less_suspect(tmp_path: Path) -> None:
    box = (10, 10, 20, 20)
    images = 12
    objects = [Object(i, BUS, box) for i in range(images)]
    found = [Detection(i, CAR, 0.8, box) for i in range(images)]
    result = suspicions(facts(tmp_path, images, objects, found))
    # Of the other 11 buses all are taken for cars: 1 - 11 / (11 + PRIOR).
    assert result.by_kind["swapped"] == pytest.approx(np.full(images, 0.8 * PRIOR / (11 + PRIOR)))


def test_shortfall_by_hand() -> None:
    values = np.array([1.0, 0.5, 0.0])
    class_id, area = np.array([0, 0, 1]), np.array([4.0, 5.0, 6.0])
    below, mean = shortfall(values, class_id, area)
    # Among all: means of (0, 0), (.5, 0) and (1, .5). Of class 0, one other label each, with the
    # weight 1 / (1 + PRIOR): means of (0) and (.5). Class 1 has no other.
    own = 1 / (1 + PRIOR)
    assert below == pytest.approx([0, own * 0.5 + (1 - own) * 0.25, 0.75])
    assert mean == pytest.approx([own * 0.5 + (1 - own) * 0.25, own * 1 + (1 - own) * 0.5, 0.75])


def test_shortfall_is_of_the_nearest_in_size() -> None:
    count = 3 * NEIGHBOURS
    area = np.arange(1.0, 2 * count + 1)
    values = np.where(area <= count, 0.0, 1.0)  # small ones are never seen
    values[-1] = 0.0
    below, mean = shortfall(values, np.zeros(2 * count, np.int64), area)
    assert below[0] == 0 and mean[0] == 0
    assert below[-1] == mean[-1] == 1


def test_no_labels() -> None:
    none = np.zeros(0)
    below, mean = shortfall(none, none.astype(np.int64), none)
    assert len(below) == len(mean) == 0


def test_pooled_by_hand() -> None:
    values, owner = np.array([0.9, 0.1, 0.4]), np.array([1, 1, 2])
    weight = np.exp((0.1 - 0.9) / 0.5)
    expected = [0, (0.9 + 0.1 * weight) / (1 + weight), 0.4]
    assert pooled(values, owner, 3, temperature=0.5) == pytest.approx(expected)
