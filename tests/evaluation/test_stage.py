"""The stage's folder: what is written, what is reported, what is refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.evaluation import evaluate
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions

NAMES = ("car", "person", "cable car")
BOXES = [(0, 0, 20, 20), (30, 0, 20, 20), (60, 0, 20, 20), (0, 50, 40, 40)]
OBJECTS = [
    Object(0, 0, BOXES[0], 1.0),
    Object(0, 1, BOXES[1], 0.3),
    Object(1, 0, BOXES[2], 0.6),
    Object(2, 1, BOXES[3], 0.9),
]
FOUND = [
    Detection(0, 0, 0.9, BOXES[0]),
    Detection(0, 0, 0.4, BOXES[1]),
    Detection(2, 1, 0.8, (2, 50, 40, 40)),
]


class Reported(dict):
    """A report that keeps what it is told."""

    def __call__(self, name: str, value: float, step: int = 0) -> None:
        assert name not in self and step == 0
        self[name] = value


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reported]:
    root = tmp_path_factory.mktemp("stage")
    dataset = hand_made(NAMES, 3, OBJECTS)
    rows = [replace(row, path=root / f"{row.image_id} ü,[1].png") for row in dataset.rows]
    for row in rows[:2]:  # the third is gone since: its picture gets a grey background
        cv2.imencode(".png", np.full((100, 100, 3), 200, np.uint8))[1].tofile(row.path)
    rows[1] = replace(rows[1], file_name="images/night: 1/ü.png")
    predictions = write_predictions(root / "predictions", NAMES, 3, FOUND)
    folder, report = root / "evaluation", Reported()
    (folder / "gallery").mkdir(parents=True)
    (folder / "gallery" / "07_of_an_earlier_attempt.jpg").touch()
    settings = EvaluationSettings(visible_bins=[0.0, 0.5, 1.0])
    evaluate(replace(dataset, rows=rows), "test", predictions, settings, folder, report)
    return folder, report


def test_every_figure_is_reported_and_kept(done: tuple[Path, Reported]) -> None:
    folder, report = done
    kept = json.loads((folder / "metrics.json").read_text())
    assert kept["counts"] == {"images": 3, "objects": 4, "detections": 3}
    assert report == {k: v for k, v in kept["metrics"].items() if v is not None}
    # cars: one of two found, a person taken for one is less sure: 51/101. Persons: one of two.
    assert report["test/mask_map50"] == pytest.approx(51 / 101)
    assert report["test/box_map50"] == pytest.approx(51 / 101)
    assert report["test/class/car/mask_map50_95"] == pytest.approx(51 / 101)
    assert kept["metrics"]["test/class/cable car/mask_map50_95"] is None
    assert kept["metrics"]["test/mask_map_large"] is None
    assert report["test/visible/0.00-0.50/mask_recall50"] == 0
    assert report["test/visible/0.50-1.00/mask_recall50"] == pytest.approx(2 / 3)
    assert report["test/hidden/people/mask_recall_p80"] == 0
    assert report["test/clear/people/mask_recall_p80"] == 1
    expected = {"map50_95", "map50", "map75", "map_small", "map_medium", "map_large"}
    expected |= {"ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"}
    overall = {name for name in kept["metrics"] if name.count("/") == 1}
    both = {f"test/{kind}_{name}" for kind in ("mask", "box") for name in expected}
    assert overall == both | {"test/mask_f1", "test/mask_f1_conf"}


def test_text_says_what_is_not_known(done: tuple[Path, Reported]) -> None:
    text = (done[0] / "summary.txt").read_text()
    assert text.startswith("test: 3 images, 4 objects, 3 detections\n")
    assert "AP   large             n/a    n/a" in text
    assert "AP   IoU .50         0.505  0.505" in text
    assert "own resolution" in text


def test_table_of_classes(done: tuple[Path, Reported]) -> None:
    rows = _read(done[0] / "per_class.csv")
    assert [(r["class"], r["images"], r["objects"]) for r in rows] == [
        ("car", "2", "2"),
        ("person", "2", "2"),
        ("cable car", "0", "0"),
    ]
    assert float(rows[0]["box_map50"]) == pytest.approx(51 / 101)
    assert rows[2]["mask_map50_95"] == ""


def test_every_drawing_has_its_numbers(done: tuple[Path, Reported]) -> None:
    folder = done[0] / "figures"
    drawn = {path.stem for path in folder.glob("*.png")}
    assert drawn == {path.stem for path in folder.glob("*.csv")}
    assert drawn == {
        "mask_precision_recall",
        "mask_f1_confidence",
        "mask_precision_confidence",
        "mask_recall_confidence",
        "confusion_matrix",
        "visible_fraction",
    }
    for path in folder.glob("*.png"):
        assert min(cv2.imread(str(path)).shape[:2]) > 400

    recall = _read(folder / "mask_precision_recall.csv")
    assert len(recall) == 101
    assert float(recall[50]["car"]) == pytest.approx(1)  # at recall .50
    assert float(recall[51]["mean of classes"]) == 0
    assert recall[0]["cable car"] == ""

    f1 = {float(row["score"]): row for row in _read(folder / "mask_f1_confidence.csv")}
    assert float(f1[0.25]["car"]) == pytest.approx(2 / (2 + 1 + 1))
    assert float(f1[0.5]["car"]) == pytest.approx(2 / (2 + 0 + 1))

    matrix = _read(folder / "confusion_matrix.csv")
    assert [list(row.values()) for row in matrix] == [
        ["car", "1", "0", "0", "1"],
        ["person", "1", "1", "0", "0"],
        ["cable car", "0", "0", "0", "0"],
        ["background", "0", "0", "0", "0"],
    ]
    slices = _read(folder / "visible_fraction.csv")
    assert [(r["visible"], r["size"], r["class"], r["objects"], r["recall50"]) for r in slices] == [
        ("0.00-0.50", "all", "all", "1", "0.0"),
        ("0.00-0.50", "medium", "all", "1", "0.0"),  # 400 px² are 30% of it
        ("0.00-0.50", "all", "person", "1", "0.0"),
        ("0.00-0.50", "medium", "person", "1", "0.0"),
        ("0.50-1.00", "all", "all", "3", str(2 / 3)),
        ("0.50-1.00", "small", "all", "2", "0.5"),
        ("0.50-1.00", "medium", "all", "1", "1.0"),
        ("0.50-1.00", "all", "car", "2", "0.5"),
        ("0.50-1.00", "small", "car", "2", "0.5"),
        ("0.50-1.00", "all", "person", "1", "1.0"),
        ("0.50-1.00", "medium", "person", "1", "1.0"),
    ]
    assert slices[0]["remark"] == (
        "no car; 0 / 100 / 0% small / medium / large, of all 50 / 50 / 0%"
    )


def test_gallery(done: tuple[Path, Reported]) -> None:
    folder = done[0] / "gallery"
    rows = _read(folder / "index.csv")
    assert [r["file_name"] for r in rows] == ["images/night: 1/ü.png", "image 0.png", "image 2.png"]
    assert [(r["missed"], r["false"]) for r in rows] == [("1", "0"), ("1", "1"), ("0", "0")]
    assert [r["mean_iou"] for r in rows][:2] == ["", "1.0"]
    assert float(rows[2]["mean_iou"]) == pytest.approx(38 / 42)
    names = {path.name for path in folder.iterdir()}
    assert names == {r["picture"] for r in rows} | {"index.csv", "sheet.jpg"}
    for row in rows:
        data = np.fromfile(folder / row["picture"], np.uint8)
        height, width = cv2.imdecode(data, cv2.IMREAD_COLOR).shape[:2]
        assert width == 2 * 100 + 6 and height > 100


def test_large_images_are_shown_small(tmp_path: Path) -> None:
    dataset = hand_made(NAMES, 1, [Object(0, 0, BOXES[0])])
    wide = replace(dataset.rows[0], width=2400, height=100, path=tmp_path / "wide.png")
    dataset = replace(dataset, rows=[wide])
    dataset.annotations[0]["segmentation"] = [[2000, 10, 2300, 10, 2300, 90, 2000, 90]]
    cv2.imencode(".png", np.full((100, 2400, 3), 200, np.uint8))[1].tofile(wide.path)
    predictions = write_predictions(tmp_path / "predictions", NAMES, 1, [])
    (tmp_path / "out").mkdir()
    evaluate(dataset, "val", predictions, EvaluationSettings(), tmp_path / "out", Reported())
    picture = cv2.imread(str(tmp_path / "out" / "gallery" / "01_image_0.jpg"))
    assert picture.shape[1] == 2 * 900 + 6
    panel = picture[-38:, :900].astype(int)
    blue, red = panel[..., 0], panel[..., 2]
    orange = np.argwhere(red - blue > 40)  # class 0 is orange; the object lies at 750 to 862
    assert abs(orange[:, 1].min() - 750) <= 3 and abs(orange[:, 1].max() - 862) <= 3


def test_no_objects_and_no_errors(tmp_path: Path) -> None:
    predictions = write_predictions(tmp_path / "predictions", NAMES, 1, [])
    (tmp_path / "out").mkdir()
    report = Reported()
    dataset = hand_made(NAMES, 1, [])
    evaluate(dataset, "val", predictions, EvaluationSettings(), tmp_path / "out", report)
    assert report == {}
    assert _read(tmp_path / "out" / "gallery" / "index.csv") == []
    assert not (tmp_path / "out" / "gallery" / "sheet.jpg").exists()


def test_predictions_of_another_data_set_are_refused(tmp_path: Path) -> None:
    predictions = write_predictions(tmp_path, ("car", "bus"), 3, [Detection(2, 0, 0.9, BOXES[0])])
    other = hand_made(("car", "person"), 3, [])
    with pytest.raises(DataError, match=r"\['car', 'bus'\].*\['car', 'person'\]"):
        evaluate(other, "val", predictions, EvaluationSettings(), tmp_path, Reported())
    fewer = hand_made(("car", "bus"), 2, [])
    with pytest.raises(DataError, match="image 2 has predictions"):
        evaluate(fewer, "val", predictions, EvaluationSettings(), tmp_path, Reported())


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
