"""The tables of what stands behind the figures add up to the figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.frames import row_groups
from segtrack.evaluation import ConfusedRow, MatchRow
from segtrack.evaluation.curves import CONFIDENCE
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.rows import CONFUSION, MATCHES, RowsWriter
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import (
    Detection,
    Object,
    hand_made,
    random_scene,
    write_predictions,
)

NAMES = ("car", "person", "bus")
BOX, OTHER = (0, 0, 20, 20), (60, 60, 20, 20)


def measured(
    folder: Path, images: int, objects: Sequence[Object], found: Sequence[Detection]
) -> tuple[Evaluation, list[MatchRow], list[ConfusedRow]]:
    dataset = hand_made(NAMES, images, objects)
    predictions = write_predictions(folder, NAMES, images, found)
    with RowsWriter(folder) as rows:
        made = measure(dataset, "val", predictions, EvaluationSettings(), rows=rows)  # type: ignore[arg-type]
    read = [
        [kind(**row) for table in row_groups(folder / file) for row in table.to_pylist()]
        for file, kind in ((MATCHES, MatchRow), (CONFUSION, ConfusedRow))
    ]
    return made, read[0], read[1]


def test_by_hand(tmp_path: Path) -> None:
    """A car is found twice, a person is taken for a bus, one on a crowd counts nowhere."""
    objects = [
        Object(0, 0, BOX),
        Object(0, 1, OTHER),
        Object(1, 0, (30, 30, 60, 60), crowd=True),
        Object(1, 1, BOX),
    ]
    found = [
        Detection(0, 0, 0.875, BOX),
        Detection(0, 2, 0.75, OTHER),
        Detection(0, 0, 0.5, (0, 0, 20, 15)),
        Detection(1, 0, 0.625, (40, 40, 20, 20)),
    ]
    _, matches, confused = measured(tmp_path, 2, objects, found)
    assert sorted(matches, key=repr) == sorted(
        [
            MatchRow(0, 0, 0, "car", 0.875, 1.0, False),
            MatchRow(0, None, 2, "car", 0.5, None, False),
            MatchRow(1, None, 0, "car", 0.625, None, True),
            MatchRow(0, 1, None, "person", None, None, False),
            MatchRow(1, 3, None, "person", None, None, False),
            MatchRow(0, None, 1, "bus", 0.75, None, False),
        ],
        key=repr,
    )
    assert sorted(confused, key=repr) == sorted(
        [
            ConfusedRow(0, 0, 0, "car", "car", 0.875, 1.0),
            ConfusedRow(0, 1, 1, "person", "bus", 0.75, 1.0),
            ConfusedRow(0, None, 2, None, "car", 0.5, None),
            ConfusedRow(1, 3, None, "person", None, None, None),
        ],
        key=repr,
    )


@pytest.mark.parametrize("seed", range(3))
def test_they_add_up(tmp_path: Path, seed: int) -> None:
    dataset, found = random_scene(seed, NAMES, 12)
    objects = [
        Object(a["image_id"], a["category_id"], tuple(map(int, a["bbox"])), a["visible_fraction"],
               bool(a["iscrowd"]))
        for a in dataset.annotations
    ]  # fmt: skip
    made, matches, confused = measured(tmp_path, 12, objects, found)
    matrix = np.zeros_like(made.confusion)
    for one in confused:
        place = [
            len(NAMES) if name is None else NAMES.index(name)
            for name in (one.true_class, one.predicted_class)
        ]
        matrix[tuple(place)] += 1
    np.testing.assert_array_equal(matrix, made.confusion)
    for k, name in enumerate(NAMES):
        rows = [one for one in matches if one.class_name == name and not one.ignored]
        score = np.array([-1.0 if one.score is None else one.score for one in rows])
        right = np.array([one.annotation_id is not None and one.score is not None for one in rows])
        known = sum(one.annotation_id is not None for one in rows)
        assert known == made.class_counts[k][1]
        for c in range(0, len(CONFIDENCE), 10):
            left = score >= CONFIDENCE[c]
            tp, fp = int((left & right).sum()), int((left & ~right).sum())
            assert made.curves.recall[k, c] == pytest.approx(tp / known)
            if tp + fp:
                assert made.curves.precision[k, c] == pytest.approx(tp / (tp + fp))
    # Ids are the data set's, and what is said of a pair is true of it.
    classes = {a["id"] - 1: NAMES[a["category_id"]] for a in dataset.annotations}
    images = {a["id"] - 1: a["image_id"] for a in dataset.annotations}
    for one in matches:
        if one.annotation_id is not None:
            assert classes[one.annotation_id] == one.class_name
            assert images[one.annotation_id] == one.image_id
            assert one.iou is None or one.iou >= 0.5
    for pair in confused:
        if pair.annotation_id is not None:
            assert classes[pair.annotation_id] == pair.true_class
