"""Against cleanlab's box scores (ObjectLab), where masks are boxes: its extra is ``peers``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from segtrack.curation import Facts, pooled, suspicions
from tests.curation.scenes import NAMES, facts
from tests.evaluation.scenes import Detection, Object, random_scene

rank = pytest.importorskip(
    "cleanlab.object_detection.rank", reason="cleanlab is not installed: pip install '.[peers]'"
)
IMAGES = 60
Theirs = tuple[list[dict[str, Any]], list[list[np.ndarray]]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, Theirs]:
    """Random labels and predictions, as facts and as cleanlab takes them; no crowds."""
    truth, found = random_scene(5, NAMES, IMAGES)
    boxes = [tuple(int(v) for v in row["bbox"]) for row in truth.annotations]
    objects = [
        Object(row["image_id"], row["category_id"], box)  # type: ignore[arg-type]
        for row, box in zip(truth.annotations, boxes, strict=True)
    ]
    ours = facts(tmp_path_factory.mktemp("scene"), IMAGES, objects, found)
    return ours, (_labels(objects), _predictions(ours))


def _labels(objects: list[Object]) -> list[dict[str, Any]]:
    labels = []
    for image in range(IMAGES):
        here = [one for one in objects if one.image == image]
        box = np.array([one.box for one in here], float).reshape(-1, 4)
        box[:, 2:] += box[:, :2]
        labels.append({"bboxes": box, "labels": np.array([one.class_id for one in here], int)})
    return labels


def _predictions(ours: Facts) -> list[list[np.ndarray]]:
    predicted = ours.predicted
    rows = np.concatenate([predicted.bbox_xyxy, predicted.score[:, None]], 1)
    return [
        [rows[(predicted.image_id == i) & (predicted.class_id == k)] for k in range(len(NAMES))]
        for i in range(IMAGES)
    ]


def test_the_iou_of_a_label_with_its_class_is_cleanlabs_badly_located_score(
    scene: tuple[Facts, Theirs],
) -> None:
    """With its distance left out (alpha=1) and, on our side, all scores equal."""
    ours, (labels, predictions) = scene
    theirs = np.concatenate(
        rank.compute_badloc_box_scores(
            labels=labels, predictions=predictions, alpha=1.0, low_probability_threshold=0.0
        )
    )
    judged = ours.labelled
    # Where several predictions overlap, ours is the one with the best product of score and IoU.
    single = _single(ours)
    assert single.sum() > 50
    assert judged.match_iou[single] == pytest.approx(theirs[single])
    assert (judged.match_iou[judged.match_iou > 0] <= theirs[judged.match_iou > 0] + 1e-9).all()


def _single(ours: Facts) -> np.ndarray:
    """Labels that exactly one prediction of their class overlaps."""
    labelled, predicted = ours.labelled, ours.predicted
    counts = []
    for i in range(len(labelled)):
        same = (predicted.image_id == labelled.image_id[i]) & (
            predicted.class_id == labelled.class_id[i]
        )
        x1, y1, x2, y2 = labelled.bbox_xyxy[i]
        box = predicted.bbox_xyxy[same]
        wide = np.minimum(box[:, 2], x2) > np.maximum(box[:, 0], x1)
        high = np.minimum(box[:, 3], y2) > np.maximum(box[:, 1], y1)
        counts.append(int((wide & high).sum()))
    return np.array(counts) == 1


def test_overlooked_predictions_are_those_of_cleanlab_in_its_order(
    scene: tuple[Facts, Theirs],
) -> None:
    """It judges those that no label touches; where an image has no label of the class, by score."""
    ours, (labels, predictions) = scene
    theirs = np.concatenate(
        rank.compute_overlooked_box_scores(
            labels=labels, predictions=predictions, alpha=1.0, high_probability_threshold=0.0
        )
    )
    predicted = ours.predicted
    order = np.lexsort((-predicted.score, predicted.class_id, predicted.image_id))
    judged = ~np.isnan(theirs)
    assert judged.sum() > 20
    assert np.array_equal(judged, (predicted.label_iou == 0)[order])
    alone = judged & (predicted.better_iou == 0)[order]
    mine = suspicions(ours).by_kind["overlooked"][order]
    assert mine[alone] == pytest.approx(predicted.score[order][alone])
    lone = alone & (theirs > 0)  # no label of the class in the image: (1 - score) times a constant
    assert lone.sum() > 10
    assert spearmanr(mine[lone], theirs[lone]).statistic == pytest.approx(-1)


def test_swapped_labels_have_cleanlabs_worst_scores(tmp_path: Path) -> None:
    box = (10, 10, 20, 20)
    objects = [Object(i, 0, box) for i in range(IMAGES)]
    found = [Detection(i, int(i % 10 == 0), 0.96, (10, 10, 20, 15 + i % 5)) for i in range(IMAGES)]
    ours = facts(tmp_path, IMAGES, objects, found)
    theirs = np.concatenate(
        rank.compute_swap_box_scores(labels=_labels(objects), predictions=_predictions(ours))
    )
    mine = suspicions(ours).by_kind["swapped"]
    wrong = np.arange(IMAGES) % 10 == 0
    assert mine[wrong].min() > 0.5 and mine[~wrong].max() == 0
    assert theirs[wrong].max() < theirs[~wrong].min()


def test_pooling_is_cleanlabs(scene: tuple[Facts, Theirs]) -> None:
    rng = np.random.default_rng(1)
    parts = [rng.uniform(0, 1, int(n)) for n in rng.integers(0, 6, 40)]
    owner = np.repeat(np.arange(40), [len(part) for part in parts])
    mine = pooled(np.concatenate(parts), owner, 40)
    theirs = rank.pool_box_scores_per_image([1 - part for part in parts])
    assert 1 - mine == pytest.approx(theirs)
