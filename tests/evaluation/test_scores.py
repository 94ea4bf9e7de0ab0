"""COCO's figures: small cases by hand, random scenes by pycocotools called directly."""

import contextlib
import copy
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segtrack.evaluation.matching import KINDS, Matcher
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.scores import accumulate, coco_scores
from segtrack.evaluation.units import image_units
from segtrack.model.predictions import Predictions
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import (
    Detection,
    HandMade,
    Object,
    batches,
    hand_made,
    random_scene,
    write_predictions,
)

BOX = (10, 10, 10, 10)
SHIFTED = (12, 10, 10, 10)  # IoU 80 / 120 = .667: right at .50 to .65, 4 of 10 thresholds
FAR = (60, 60, 10, 10)
HALF = 51 / 101  # precision 1 at the recalls 0, .01, ..., .50, then 0

# name: objects, detections, expected figures of boxes and masks alike
CASES = {
    "all found": (
        [Object(0, 0, BOX), Object(1, 0, FAR)],
        [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.8, FAR)],
        {"map50_95": 1, "map50": 1, "map75": 1, "ar1": 1, "ar100": 1, "map_small": 1},
    ),
    "image, class and annotation of number 0": (
        [Object(0, 0, BOX)],
        [Detection(0, 0, 0.9, BOX)],
        {"map50_95": 1, "map_medium": None, "map_large": None, "ar_small": 1},
    ),
    "shifted": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.9, SHIFTED), Detection(1, 0, 0.8, SHIFTED)],
        {"map50_95": 0.4, "map50": 1, "map75": 0, "ar100": 0.4},
    ),
    "one missed": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.9, BOX)],
        {"map50_95": HALF, "map50": HALF, "ar100": 0.5},
    ),
    "a false one that is surer than the right one": (
        [Object(0, 0, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.95, FAR)],
        {"map50": 0.5, "map50_95": 0.5, "ar100": 1},
    ),
    "a false one that is less sure costs nothing": (
        [Object(0, 0, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(0, 0, 0.5, FAR)],
        {"map50": 1},
    ),
    "found twice: the second is false": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(0, 0, 0.8, BOX), Detection(1, 0, 0.7, BOX)],
        # precisions 1, 1/2, 2/3 at recalls .5, .5, 1; interpolated 1 up to .5, then 2/3
        {"map50": (51 + 50 * 2 / 3) / 101},
    ),
    "the wrong class": (
        [Object(0, 0, BOX)],
        [Detection(0, 1, 0.9, BOX)],
        {"map50": 0, "ar100": 0},
    ),
    "two classes, one of them found": (
        [Object(0, 0, BOX), Object(0, 1, FAR)],
        [Detection(0, 0, 0.9, BOX)],
        {"map50": 0.5, "ar100": 0.5},
    ),
    "one detection per image and class": (
        [Object(0, 0, BOX), Object(0, 0, FAR)],
        [Detection(0, 0, 0.9, BOX), Detection(0, 0, 0.8, FAR)],
        {"map50": 1, "ar1": 0.5, "ar10": 1},
    ),
    "on a crowd: neither right nor wrong": (
        [Object(0, 0, BOX), Object(0, 0, (50, 50, 40, 40), crowd=True)],
        [Detection(0, 0, 0.95, (55, 55, 9, 9)), Detection(0, 0, 0.9, BOX)],
        {"map50": 1},
    ),
    "below the floor: not there": (
        [Object(0, 0, BOX)],
        [Detection(0, 0, 0.0005, BOX)],
        {"map50": 0},
    ),
    "sizes": (
        [Object(0, 0, (0, 0, 32, 31)), Object(0, 0, (40, 40, 40, 40))],  # 992 and 1600 pixels
        [Detection(0, 0, 0.9, (40, 40, 40, 40))],
        {"map_small": 0, "map_medium": 1, "map_large": None, "ar_small": 0, "ar_medium": 1},
    ),
    "no objects": (
        [],
        [Detection(0, 0, 0.9, BOX)],
        {"map50_95": None, "map50": None, "ar100": None},
    ),
    "no detections": ([Object(0, 0, BOX)], [], {"map50_95": 0, "ar100": 0}),
    "nothing at all": ([], [], {"map50_95": None}),
}


def _measure(folder: Path, objects: list[Object], found: list[Detection]) -> Evaluation:
    names = ("car", "person")
    predictions = write_predictions(folder, names, 2, found)
    return measure(hand_made(names, 2, objects), "val", predictions, EvaluationSettings())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_by_hand(tmp_path: Path, case: tuple[list[Object], list[Detection], dict]) -> None:
    objects, found, expected = case
    metrics = _measure(tmp_path, objects, found).metrics()
    for kind in KINDS:
        for name, value in expected.items():
            got = metrics[f"val/{kind}_{name}"]
            assert got == (None if value is None else pytest.approx(value, abs=1e-12)), (kind, name)


def test_boxes_and_masks_are_told_apart(tmp_path: Path) -> None:
    """An L-shaped object whose box is found, by a mask that fills the box."""
    dataset = hand_made(["car"], 1, [Object(0, 0, (0, 0, 20, 20))])
    dataset.annotations[0]["segmentation"] = [[0, 0, 20, 0, 20, 5, 5, 5, 5, 20, 0, 20]]
    dataset.annotations[0]["area"] = 175.0  # 20 * 5 + 5 * 15; IoU of the masks 175 / 400
    predictions = write_predictions(tmp_path, ["car"], 1, [Detection(0, 0, 0.9, (0, 0, 20, 20))])
    metrics = measure(dataset, "val", predictions, EvaluationSettings()).metrics()
    assert metrics["val/box_map50_95"] == pytest.approx(1)
    assert metrics["val/mask_map50"] == 0


def test_classes_that_do_not_occur_have_no_figures(tmp_path: Path) -> None:
    metrics = _measure(tmp_path, [Object(0, 0, BOX)], [Detection(0, 0, 0.9, SHIFTED)]).metrics()
    assert metrics["val/class/car/mask_map50_95"] == pytest.approx(0.4)
    assert metrics["val/class/person/mask_map50_95"] is None
    assert metrics["val/mask_map50_95"] == pytest.approx(0.4)


def test_max_det_keeps_the_best_of_an_image(tmp_path: Path) -> None:
    objects = [Object(0, 0, BOX), Object(0, 1, FAR)]
    found = [Detection(0, 0, 0.8, BOX), Detection(0, 1, 0.9, FAR)]
    predictions = write_predictions(tmp_path, ("car", "person"), 2, found)
    dataset = hand_made(("car", "person"), 2, objects)
    metrics = measure(dataset, "val", predictions, EvaluationSettings(max_det=1)).metrics()
    assert metrics["val/class/car/mask_map50"] == 0
    assert metrics["val/class/person/mask_map50"] == pytest.approx(1)


def test_more_detections_than_a_byte_counts(tmp_path: Path) -> None:
    """pycocotools' ``area`` fails on a list of more than 255 masks."""
    found = [Detection(0, 0, 0.9 - i / 1000, (i % 90, i // 90, 9, 9)) for i in range(300)]
    metrics = _measure(tmp_path, [Object(0, 0, (0, 0, 9, 9))], found).metrics()
    assert metrics["val/mask_map50"] == pytest.approx(1)


@pytest.mark.parametrize("size", [1, 3, 200])
@pytest.mark.parametrize("seed", range(3))
def test_equals_pycocotools_whatever_the_batch(tmp_path: Path, seed: int, size: int) -> None:
    names = ("car", "person", "truck")
    dataset, found = random_scene(seed, names, images=12)
    predictions = write_predictions(tmp_path, names, 12, found)
    matcher = Matcher(len(names))
    for batch in batches(dataset, predictions, size=size):
        matcher.add(batch)
    for kind in KINDS:
        expected = independent(dataset, predictions, kind)
        overall = coco_scores(matcher.matches(kind), kind).overall
        assert -1 < expected[0] < 1
        got = [-1 if value is None else value for value in overall.values()]
        np.testing.assert_array_equal(got, expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_equals_pycocotools_to_the_last_bit(data: st.DataObject) -> None:
    """Every precision and recall, and what the units keep of each detection: no difference at all.

    Sizes on both sides of COCO's limits, crowds, objects inside of each other, equal scores, images
    without either, more than 100 detections of a class in an image.
    """
    names = ("car", "person")
    side = st.integers(1, 120)
    box = st.tuples(st.integers(0, 60), st.integers(0, 60), side, side)
    image, kind = st.integers(0, 3), st.integers(0, 1)
    score = st.sampled_from([0.1, 0.25, 0.5, 0.9])
    objects = data.draw(
        st.lists(st.builds(Object, image, kind, box, st.none(), st.booleans()), max_size=12)
    )
    found = data.draw(st.lists(st.builds(Detection, image, kind, score, box), max_size=25))
    for one in objects:  # such as are found, by near boxes
        if data.draw(st.booleans()):
            x, y, w, h = one.box
            near = (x + data.draw(st.integers(0, 3)), y, w, h)
            found.append(Detection(one.image, one.class_id, data.draw(score), near))
    if data.draw(st.integers(0, 9)) == 0:
        found += [Detection(1, 0, (i % 7) / 10 + 0.1, (i, i, 9, 9)) for i in range(130)]
    size = 200
    dataset = hand_made(names, 5, objects, size)
    with tempfile.TemporaryDirectory() as folder:
        predictions = write_predictions(Path(folder), names, 5, found, size)
        assert_equal_to_pycocotools(dataset, predictions, data.draw(st.integers(1, 5)))


def assert_equal_to_pycocotools(dataset: HandMade, predictions: Predictions, size: int) -> None:
    """All that is kept and reported, image by image and overall."""
    matcher = Matcher(len(dataset.names))
    for batch in batches(dataset, predictions, size=size):
        matcher.add(batch)
    units = image_units("val", "", dataset.names, [str(r.image_id) for r in dataset.rows], matcher)
    for kind in KINDS:
        expected = reference(dataset, predictions, kind)
        precision, recall = accumulate(matcher.matches(kind))
        np.testing.assert_array_equal(precision, expected.eval["precision"][..., -1])
        np.testing.assert_array_equal(recall, expected.eval["recall"])
        images = len(dataset.rows)
        kept = units.detections[kind]
        at = 0
        for c, (k, i) in enumerate(zip(units.class_id, units.image, strict=True)):
            entry = expected.evalImgs[k * 4 * images + i]
            part = slice(at, at + kept.count[c])
            at = part.stop
            assert kept.score[part].tolist() == np.float32(entry["dtScores"]).tolist()
            assert units.objects[c] == np.sum(entry["gtIgnore"] == 0)
            matched, ignored = entry["dtMatches"] > 0, entry["dtIgnore"] > 0
            bits = 2 ** np.arange(10)[:, None]
            assert kept.right[part].tolist() == ((matched & ~ignored) * bits).sum(0).tolist()
            assert kept.ignored[part].tolist() == (ignored * bits).sum(0).tolist()


def independent(dataset: HandMade, predictions: Predictions, kind: str) -> np.ndarray:
    """pycocotools' twelve figures, as its documentation calls it."""
    return np.asarray(reference(dataset, predictions, kind).stats)


def reference(dataset: HandMade, predictions: Predictions, kind: str) -> COCOeval:
    """pycocotools' evaluation, as its documentation calls it."""
    coco = dataset.coco("val")
    sizes = {image["id"]: [image["height"], image["width"]] for image in coco["images"]}
    results = []
    for frame in predictions.frames():
        for i in range(len(frame)):
            x1, y1, x2, y2 = frame.bbox_xyxy[i].astype(float).tolist()
            result = {
                "image_id": frame.frame,
                "category_id": int(frame.class_id[i]),
                "score": float(frame.score[i]),
            }
            if kind == "box":
                result["bbox"] = [x1, y1, x2 - x1, y2 - y1]
            else:
                result["segmentation"] = {"size": sizes[frame.frame], "counts": frame.rle[i]}
            results.append(result)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(coco)  # masks are put into it
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        if not results:  # loadRes takes no empty list
            found.dataset = {"images": coco["images"], "annotations": [], "categories": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, {"mask": "segm", "box": "bbox"}[kind])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation
