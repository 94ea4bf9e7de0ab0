"""COCO JSON from start to end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask
from pycocotools.coco import COCO

from segtrack.base.errors import DataError
from segtrack.dataset import CocoSettings, signature
from segtrack.dataset.checks import ChecksFailed
from segtrack.settings import SplitFractions
from tests.dataset.conftest import Prepare, write_image

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
ALL_TRAIN = SplitFractions(1, 0, 0, 0)


class CocoFolder:
    """Ten images of 64x48 with one square each, in one JSON; tests change ``content``."""

    def __init__(self, root: Path, count: int = 10) -> None:
        self.root = root
        for i in range(count):
            write_image(root / "images" / f"{i:02}.jpg", i)
        self.content: dict[str, Any] = {
            "info": {"year": 2024},
            "images": [
                {"id": 100 + i, "file_name": f"{i:02}.jpg", "width": 64, "height": 48}
                for i in range(count)
            ],
            "annotations": [self.annotation(i, 100 + i) for i in range(count)],
            # Ids with gaps and out of order, as in COCO itself.
            "categories": [{"id": 7, "name": "car"}, {"id": 3, "name": "person"}],
        }

    @staticmethod
    def annotation(number: int, image: int, **changes: Any) -> dict[str, Any]:
        plain = {"id": number, "image_id": image, "category_id": 7, "iscrowd": 0}
        return {**plain, "bbox": [10, 10, 20, 20], "segmentation": [SQUARE], **changes}

    def add(self, **changes: Any) -> None:
        self.content["annotations"].append(self.annotation(900, 100, **changes))

    def settings(self, **changes: Any) -> CocoSettings:
        text = json.dumps(self.content, indent=1)
        (self.root / "a.json").write_text(text)
        values = {"path": str(self.root / "images"), "annotations": str(self.root / "a.json")}
        return CocoSettings(**{"splits": ALL_TRAIN, **values, **changes})


@pytest.fixture
def coco(tmp_path: Path) -> CocoFolder:
    return CocoFolder(tmp_path / "coco")


def pixels(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    image = np.zeros((48, 64), np.uint8, order="F")
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 1
    return image


def test_very_many_classes_are_not_all_named(coco: CocoFolder, run: Prepare) -> None:
    coco.content["categories"] += [{"id": 10 + i, "name": f"kind {i}"} for i in range(500)]
    (finding,) = run(coco.settings()).findings()
    assert finding["code"] == "class_never"
    assert finding["message"].endswith("kind 18 and 481 more") and len(finding["message"]) < 300


def test_polygons(coco: CocoFolder, run: Prepare) -> None:
    second = [40, 40, 50, 40, 50, 47]
    coco.add(segmentation=[SQUARE, second], area=123.5, category_id=3)
    dataset = run(coco.settings()).dataset
    assert dataset.names == ("person", "car")  # by id
    whole = dataset.coco("train")
    first, other = (a for a in whole["annotations"] if a["image_id"] == 0)
    assert (first["category_id"], first["area"], first["bbox"]) == (1, 400, [10, 10, 20, 20])
    assert other["segmentation"] == [SQUARE, second]
    assert (other["category_id"], other["area"]) == (0, 123.5)  # COCO's own area
    assert other["bbox"] == [10, 10, 40, 37]


def test_parts_become_one_outline_for_training(coco: CocoFolder, run: Prepare) -> None:
    coco.content["annotations"] = []
    coco.add(segmentation=[[40, 40, 50, 40, 50, 47], SQUARE])
    dataset = run(coco.settings()).dataset
    (row,) = (dataset.folder / "yolo/labels/train/0000000_00.txt").read_text().splitlines()
    values = np.array(row.split()[1:], float).reshape(-1, 2) * (64, 48)
    outline = [values.reshape(-1).tolist()]
    parts = [[40, 40, 50, 40, 50, 47], SQUARE]
    drawn = mask.decode(mask.merge(mask.frPyObjects(outline, 48, 64)))
    expected = mask.decode(mask.merge(mask.frPyObjects(parts, 48, 64)))
    assert np.abs(drawn.astype(int) - expected).sum() <= 25  # the bridge is a line
    assert drawn[expected == 1].mean() > 0.97


@pytest.mark.parametrize("form", ["compressed", "counts"])
def test_rle(coco: CocoFolder, run: Prepare, form: str) -> None:
    image = pixels((5, 6, 25, 16), (40, 30, 44, 40))
    packed = mask.encode(image)
    counts: Any = packed["counts"].decode()
    if form == "counts":
        flat = np.concatenate([[0], image.reshape(-1, order="F"), [2]]).astype(int)
        counts = np.diff(np.flatnonzero(np.diff(flat)), prepend=0).tolist()
    coco.add(segmentation={"size": [48, 64], "counts": counts}, iscrowd=1, category_id=3)
    dataset = run(coco.settings()).dataset
    found = dataset.coco("train")["annotations"][1]
    assert np.array_equal(mask.decode(found["segmentation"]), image)
    assert found["bbox"] == [5, 6, 39, 34]
    assert (found["area"], found["iscrowd"]) == (240, 1)
    label = (dataset.folder / "yolo/labels/train/0000000_00.txt").read_text()
    assert len(label.splitlines()) == 1  # a crowd is not trained on


def test_an_rle_is_trained_on_by_its_outline(coco: CocoFolder, run: Prepare) -> None:
    packed = mask.encode(pixels((16, 12, 32, 36)))
    coco.content["annotations"] = []
    coco.add(segmentation={"size": [48, 64], "counts": packed["counts"].decode()})
    dataset = run(coco.settings()).dataset
    row = (dataset.folder / "yolo/labels/train/0000000_00.txt").read_text().split()
    corners = np.array(row[1:], float).reshape(-1, 2).tolist()
    assert sorted(corners) == [[0.25, 0.25], [0.25, 0.75], [0.5, 0.25], [0.5, 0.75]]


def test_the_export_is_what_pycocotools_reads(coco: CocoFolder, run: Prepare) -> None:
    settings = coco.settings(splits=SplitFractions(0.5, 0.2, 0.3, 0))
    dataset = run(settings).dataset
    exported = COCO(str(dataset.folder / "test.coco.json"))
    assert len(exported.imgs) == 3
    (annotation, *_) = exported.anns.values()
    assert exported.annToMask(annotation).sum() == 400


def test_a_file_per_split(coco: CocoFolder, run: Prepare) -> None:
    coco.settings()
    val = {**coco.content}
    val["images"] = coco.content["images"][6:]
    val["annotations"] = coco.content["annotations"][6:]
    coco.content["images"] = coco.content["images"][:6]
    coco.content["annotations"] = coco.content["annotations"][:6]
    (coco.root / "v.json").write_text(json.dumps(val))
    found = run(coco.settings(annotations={"train": "../a.json", "val": "../v.json"}))
    assert found.dataset.counts == {"train": 6, "val": 4, "test": 0, "pool": 0}
    assert found.reported["data/annotations/val"] == 4
    assert found.reported["speed/files_read"] == 12  # ten images, two JSON files


def test_an_image_of_two_files_has_its_labels_once(coco: CocoFolder, run: Prepare) -> None:
    coco.settings()
    val = {**coco.content, "images": coco.content["images"][:3]}
    val["annotations"] = coco.content["annotations"][:3]
    (coco.root / "v.json").write_text(json.dumps(val))
    found = run(coco.settings(annotations={"train": "../a.json", "val": "../v.json"}))
    assert found.dataset.counts == {"train": 7, "val": 3, "test": 0, "pool": 0}
    assert found.reported["data/annotations/val"] == 3
    assert found.codes()["in_two_splits"] == 3
    same = run(coco.settings(annotations={"train": "../a.json", "val": "../a.json"}))
    assert same.codes()["train_is_val"] == 1
    assert same.reported["data/annotations/train"] == 10


def test_keys_in_any_order_and_names_below_a_folder(tmp_path: Path, run: Prepare) -> None:
    coco = CocoFolder(tmp_path / "coco")
    coco.content = {key: coco.content[key] for key in reversed(coco.content)}
    found = run(coco.settings(path=str(coco.root)))  # images lie in images/
    assert found.splits()["train"][0] == "images/00.jpg"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            lambda c: (c.root / "images/03.jpg").rename(c.root / "images/03.JPG"),
            "mended_name",
            "image 103: 03.jpg is called 03.JPG; it is taken",
        ),
        (
            lambda c: c.content["annotations"].pop(4),
            "image_without_label",
            "04.jpg has no annotation",
        ),
        (
            lambda c: c.content["images"][5].update(width=640),
            "size_differs",
            "05.jpg is 64 x 48 pixels, the JSON says 640 x 48",
        ),
        (
            lambda c: c.add(segmentation=[], bbox=[5, 6, 7, 8]),
            "box_only",
            "1 of 11 labels are boxes without an outline",
        ),
        (
            lambda c: c.add(segmentation=[[50, 10, 80, 10, 80, 40]]),
            "clipped",
            "polygon of annotation 900 reaches out of the image (x 50 to 80, y 10 to 40)",
        ),
        (
            lambda c: c.add(segmentation=[[5, 5, 9, 9]]),
            "few_points",
            "polygon of annotation 900 has 2 different points",
        ),
    ],
)
def test_warnings(
    coco: CocoFolder,
    run: Prepare,
    change: Callable[[CocoFolder], object],
    code: str,
    message: str,
) -> None:
    change(coco)
    found = run(coco.settings())
    (finding,) = [f for f in found.findings() if f["code"] == code]
    assert finding["severity"] == "warning"
    assert Path(finding["file"]).name == "a.json"
    assert message in finding["message"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"image_id": 999},
            "no_such_image",
            "annotation 900 has image_id 999 (a whole number), which no image has; it is left out",
        ),
        ({"image_id": None}, "not_coco", "annotation 900: image_id is null (None); it is left out"),
        (
            {"category_id": 4},
            "class_id",
            "annotation 900: category_id 4 (a whole number) is not in categories; it is left out",
        ),
        ({"category_id": [7]}, "class_id", "category_id [7] (a list) is not in categories"),
        ({"category_id": 7.5}, "class_id", "category_id 7.5 (a number with a fraction) is not"),
        ({"category_id": True}, "class_id", "category_id True (true or false) is not in"),
        ({"segmentation": None, "bbox": None}, "not_coco", "neither a segmentation nor a bbox"),
        ({"segmentation": [], "bbox": [1, 2, 3]}, "not_coco", "bbox is [1, 2, 3], not [x, y,"),
        ({"segmentation": "none", "bbox": "?"}, "not_coco", "bbox is '?', not [x, y, width,"),
        ({"segmentation": [], "bbox": [1, 2, "a", 4]}, "not_a_number", "bbox: 'a' is not a num"),
        (
            {"segmentation": {"size": [96, 128], "counts": "0"}},
            "rle",
            "its RLE has size [96, 128], the image has [48, 64]; it is left out",
        ),
        (
            {"segmentation": {"size": [48, 64], "counts": [5]}, "bbox": None},
            "rle",
            "its RLE covers 5 pixels, the image has 3072; it is left out",
        ),
    ],
)
def test_one_unreadable_annotation_is_left_out(
    coco: CocoFolder, run: Prepare, change: dict[str, Any], code: str, message: str
) -> None:
    coco.add(**change)
    found = run(coco.settings())
    (finding,) = [f for f in found.findings() if f["code"] != "class_never"]
    assert (finding["severity"], finding["code"]) == ("warning", code)
    assert message in finding["message"]
    assert Path(finding["file"]).name == "a.json"
    assert found.reported["data/annotations/train"] == 10


@pytest.mark.parametrize(
    ("segmentation", "code", "message"),
    [
        ([SQUARE[:-1]], "odd_coordinates", "a polygon of 7 coordinates, an odd number"),
        ([[1, 2, "x", 4, 5, 6]], "not_a_number", "a coordinate: 'x' is not a number"),
        ([[1, 2, None, 4, 5, 6]], "not_a_number", "a coordinate: None is not a number"),
        ([[1, 2, float("nan"), 4, 5, 6]], "not_finite", "nan is not a finite number"),
        ([[1, 2, float("inf"), 4, 5, 6]], "not_finite", "inf is not a finite number"),
        ([[1, 2, 10**400, 4, 5, 6]], "not_finite", "a coordinate is beyond all numbers"),
        ({"size": [48, 64], "counts": [5]}, "rle", "its RLE covers 5 pixels"),
        ({"size": [48, 64], "counts": "~"}, "rle", "its RLE holds the character '~'"),
        ({"size": [48, 64]}, "not_coco", "stands where a polygon belongs"),
        (17, "not_coco", "segmentation is 17"),
        ("a mask", "not_coco", "segmentation is 'a mask'"),
    ],
)
def test_without_a_readable_segmentation_the_box_is_taken(
    coco: CocoFolder, run: Prepare, segmentation: Any, code: str, message: str
) -> None:
    coco.add(segmentation=segmentation, bbox=[40, 10, 20, 20])
    found = run(coco.settings())
    first, second = (a for a in found.dataset.coco("train")["annotations"] if a["image_id"] == 0)
    assert first["segmentation"] == [SQUARE]
    assert second["segmentation"] == [[40, 10, 60, 10, 60, 30, 40, 30]]
    messages = {f["code"]: f["message"] for f in found.findings()}
    assert message in messages[code]
    assert messages[code].endswith("; its bbox is taken")
    assert "box_only" in messages


def test_many_unreadable_annotations_make_the_rest_doubtful(coco: CocoFolder, run: Prepare) -> None:
    """One in twenty, or a single one, is left out; more are refused in one message."""
    coco.content["annotations"] = [
        coco.annotation(i, 100 + i % 10, bbox=[i % 40, 1, 2, 2], segmentation=[]) for i in range(60)
    ]
    for i in range(3):
        coco.content["annotations"][i]["category_id"] = "lorry"
    assert run(coco.settings()).codes()["class_id"] == 3
    coco.content["annotations"][3]["category_id"] = None
    with pytest.raises(ChecksFailed) as caught:
        run(coco.settings())
    assert "has 1 problem:" in str(caught.value)
    assert "4 of 60 annotations cannot be read (class_id 4); the first is in line" in str(
        caught.value
    )
    assert "annotation 0: category_id 'lorry' (text) is not in categories" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: (c.root / "images/02.jpg").unlink(), "image 102: .*02.jpg does not exist"),
        (lambda c: c.content["images"].append({"id": 1}), "image 1 has no file_name"),
        (lambda c: c.content["images"].append("01.jpg"), "'01.jpg' stands where an image belongs"),
        (
            lambda c: c.content["images"].append({"id": 100, "file_name": "01.jpg"}),
            "id 100 is there twice, for 00.jpg and for 01.jpg",
        ),
        (
            lambda c: c.content["categories"].append({"id": 7, "name": "bus"}),
            "category id 7 is there twice, car and bus",
        ),
        (lambda c: c.content["categories"].append(3), "category 3 has neither id nor name"),
        (lambda c: c.content.update(annotations=[]), "no usable label of person, car in 10"),
    ],
)
def test_errors(
    coco: CocoFolder, run: Prepare, change: Callable[[CocoFolder], object], message: str
) -> None:
    change(coco)
    with pytest.raises(ChecksFailed, match=message):
        run(coco.settings())


def test_findings_say_the_line_of_the_annotation(coco: CocoFolder, run: Prepare) -> None:
    coco.add(segmentation=[SQUARE[:-1]])
    found = run(coco.settings()).findings()
    lines = (coco.root / "a.json").read_text().splitlines()
    line = lines.index('   "id": 900,')  # its brace is the line before, and lines count from 1
    assert {f["line"] for f in found if f["code"] != "class_never"} == {line}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: none", r"a\.json: not COCO JSON: line 1: begins with 'l'"),
        ('{"images": 3}', "not COCO JSON: line 1: images is not a list"),
        ('{"shapes": []}', r"it has no images and no annotations and no categories \(but shapes\)"),
        ('{"images": [], "annotations": [], "categories": []}', "categories is missing or empty"),
        (
            '{"images": [], "annotations": [{"image_id": 1, "category_id": 3}]}',
            "categories is missing or empty; its annotations have the category_id 3",
        ),
        ('{"images": [', "not COCO JSON: line 1"),
        ("", "not COCO JSON"),
    ],
)
def test_not_coco(coco: CocoFolder, run: Prepare, text: str, message: str) -> None:
    settings = coco.settings()
    (coco.root / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        run(settings)


def test_what_annotations_may_be(coco: CocoFolder, run: Prepare, tmp_path: Path) -> None:
    coco.settings()
    with pytest.raises(DataError, match=r"annotations: no\.json does not exist"):
        run(coco.settings(annotations="no.json"))
    with pytest.raises(DataError, match=r"needs the JSON file: name it with dataset.annotations"):
        run(coco.settings(annotations=None))
    with pytest.raises(DataError, match="training is not a split; allowed are train, val"):
        run(coco.settings(annotations={"training": "a.json"}))
    with pytest.raises(DataError, match=r"dataset\.path: .* does not exist"):
        run(coco.settings(path=str(tmp_path / "no")))
    with pytest.raises(DataError, match="is not a folder"):
        run(coco.settings(path=str(coco.root / "a.json")))


def test_signature_sees_the_json(coco: CocoFolder) -> None:
    first = signature(coco.settings())
    coco.add()
    assert signature(coco.settings()) != first


def test_processes_give_the_same_as_one(tmp_path: Path, run: Prepare) -> None:
    coco = CocoFolder(tmp_path / "coco", count=300)
    one = run(coco.settings(workers=1)).dataset
    assert run(coco.settings(workers=2)).dataset.fingerprint == one.fingerprint


def test_pictures_that_no_file_names_are_said(coco: CocoFolder, run: Prepare) -> None:
    assert "unnamed_images" not in run(coco.settings()).codes()
    write_image(coco.root / "images" / "more" / "00.jpg", 77)
    done = run(coco.settings())
    (said,) = [f["message"] for f in done.findings() if f["code"] == "unnamed_images"]
    assert said == "1 picture is left out, not named in a.json, such as more/00.jpg"
    assert sum(done.dataset.counts.values()) == 10
