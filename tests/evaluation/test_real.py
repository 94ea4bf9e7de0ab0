"""YOLOv8n-seg on 100 images of COCO val2017, against pycocotools and ultralytics' validator."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from segtrack.evaluation.matching import KINDS
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.units import ImageUnits
from segtrack.settings import EvaluationSettings
from tests.evaluation.conftest import Real
from tests.evaluation.test_scores import independent
from tests.evaluation.test_units import assert_equal_to_the_reported

pytestmark = pytest.mark.timeout(1200)  # a busy machine predicts 100 images in minutes


@pytest.fixture(scope="module")
def measured(real: Real) -> Evaluation:
    return measure(real.dataset, "val", real.predictions, EvaluationSettings())


def test_equals_an_independent_evaluation(real: Real, measured: Evaluation) -> None:
    for kind, scores in zip(KINDS, measured.scores, strict=True):
        expected = independent(real.dataset, real.predictions, kind)
        np.testing.assert_array_equal(list(scores.overall.values()), expected)


def test_the_units_of_a_comparison_have_the_same_ap(measured: Evaluation, tmp_path: Path) -> None:
    measured.units.save(tmp_path / "units.npz")
    assert_equal_to_the_reported(measured, ImageUnits.load(tmp_path / "units.npz"))
    detections = sum(len(found.score) for found in measured.units.detections.values())
    assert (tmp_path / "units.npz").stat().st_size < 7 * detections


def test_reference_numbers(measured: Evaluation) -> None:
    masks, boxes = (scores.overall for scores in measured.scores)
    assert measured.counts["images"] == 100
    assert measured.counts["objects"] == 712
    assert masks["mask_map50_95"] == pytest.approx(0.336, abs=0.004)
    assert boxes["box_map50_95"] == pytest.approx(0.434, abs=0.004)
    persons = measured.names.index("person")
    assert measured.class_counts[persons][1] == 287


def test_boxes_are_near_those_of_ultralytics(
    real: Real, measured: Evaluation, shared_data: Path, tmp_path: Path
) -> None:
    """Its validator interpolates precision in another way; its masks are coarser (.37)."""
    from ultralytics import YOLO

    from segtrack.model.ultralytics import library

    data = _linked(shared_data / "images" / "coco100-val", tmp_path)
    model = YOLO(str(real.weights))
    model.add_callback("on_val_start", lambda validator: library.set_threads())
    result = model.val(
        data=str(data),
        imgsz=640,
        workers=0,
        plots=False,
        verbose=False,
        device="cpu",
        project=str(tmp_path / "val"),
    )
    boxes, masks = (measured.scores[i].overall for i in (1, 0))
    assert boxes["box_map50_95"] == pytest.approx(result.box.map, abs=0.02)
    assert boxes["box_map50"] == pytest.approx(result.box.map50, abs=0.02)
    # The difference that the package's docstring speaks of.
    assert 0.02 < result.seg.map - masks["mask_map50_95"] < 0.05


def _linked(source: Path, target: Path) -> Path:
    """data.yaml of a tree of links, since the validator writes a cache beside the labels."""
    for kind in ("images", "labels"):
        (target / kind).mkdir()
        for path in (source / kind).iterdir():
            if path.suffix in (".jpg", ".txt"):
                (target / kind / path.name).symlink_to(path)
    names = yaml.safe_load((source / "data.yaml").read_text())["names"]
    content = {"path": str(target), "train": "images", "val": "images", "names": names}
    (target / "data.yaml").write_text(yaml.safe_dump(content))
    return target / "data.yaml"
